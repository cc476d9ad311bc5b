package ml

import "time"

// Figures are what is told of the platform's use and its data, for the time since a moment.
type Figures struct {
	// Predictions is how many were answered.
	Predictions int64
	// ActiveUsers is how many accounts logged in or predicted.
	ActiveUsers int64
	// Retrains counts the retrainings that ended, by verdict or RetrainFailed.
	Retrains map[string]int64

	// The others are of all time.

	// Users counts the accounts that may log in, by role.
	Users map[Role]int64
	// DriftToBetter is the time from the latest check whose drift led to a better version until that
	// version was activated; nil if none did.
	DriftToBetter *time.Duration
	// Datasets are the ready ones by source.
	Datasets map[DatasetSource]DatasetFigures
}

// DatasetFigures are about the datasets of one source.
type DatasetFigures struct {
	Count  int64
	Latest Dataset
}
