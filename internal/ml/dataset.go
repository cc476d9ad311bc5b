package ml

import "time"

// DatasetState tells whether all rows of a dataset are there.
type DatasetState string

// A dataset is building until its last batch is stored and invisible until then.
const (
	DatasetBuilding DatasetState = "building"
	DatasetReady    DatasetState = "ready"
)

// DatasetSource tells where the rows of a dataset came from.
type DatasetSource string

// The sources of a dataset.
const (
	SourceGenerated DatasetSource = "generated"
	SourceImported  DatasetSource = "imported"
)

// Dataset is a catalogued set of rows of one schema.
type Dataset struct {
	// ID is the generation_id that clients see.
	ID        int64
	Samples   int
	Hour      int // hour of creation, UTC, 0 to 23
	CreatedAt time.Time
	State     DatasetState
	Source    DatasetSource
	// Name is the file's name for an imported dataset, empty for a generated one.
	Name   string
	Schema Schema
	// ClassCounts are the rows of each class.
	ClassCounts [2]int
	// Fingerprint is the SHA-256 of the columns, hexadecimal.
	Fingerprint string
	// Drift and Seed say how a generated dataset was drawn.
	Drift string
	Seed  uint64
	// JobID is the job that made the dataset, 0 if a person did. It makes that step repeatable.
	JobID int64
	// Builder is the process that writes the dataset while it is building.
	Builder string
}
