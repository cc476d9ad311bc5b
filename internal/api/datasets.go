package api

import "time"

// MaxUpload is the greatest size of an uploaded file in bytes.
const MaxUpload = 1 << 30

// GenerateRequest asks for generated rows. What is left out follows the documented rule: the drift
// of the hour, its default magnitude, a new seed.
type GenerateRequest struct {
	Samples   int      `json:"samples,omitempty"`
	Seed      *uint64  `json:"seed,omitempty" maximum:"9007199254740991" doc:"Equal requests with equal seeds give equal rows; 0 or left out: one is drawn, which the answer names"`
	Drift     string   `json:"drift,omitempty" enum:"none,covariate,concept,label" doc:"Left out: covariate in an odd hour (UTC), none in an even one"`
	Magnitude *float64 `json:"magnitude,omitempty" minimum:"0" maximum:"10" doc:"Strength in the unit of the drift's kind; left out: the kind's default"`
}

// GenerateResponse names the dataset that was made.
type GenerateResponse struct {
	GenerationID   int64     `json:"generation_id"`
	SamplesCreated int       `json:"samples_created"`
	Timestamp      time.Time `json:"timestamp"`
	Seed           uint64    `json:"seed"`
	Drift          string    `json:"drift,omitempty" doc:"As asked for; absent: it followed the hour"`
	HourGenerated  int       `json:"hour_generated"`
	IgnoredFields  []string  `json:"ignored_fields,omitempty" doc:"Fields of the request that mean nothing here, such as misspelt ones"`
}

// Dataset is a catalogued set of rows.
type Dataset struct {
	GenerationID  int64     `json:"generation_id"`
	SamplesCount  int       `json:"samples_count"`
	CreatedAt     time.Time `json:"created_at"`
	HourGenerated int       `json:"hour_generated" doc:"Hour of the day (UTC) when it was made"`
	Source        string    `json:"source" enum:"generated,imported"`
	Name          string    `json:"name,omitempty" doc:"File name of an imported dataset"`
	Features      []string  `json:"features"`
	Target        string    `json:"target"`
	Classes       []string  `json:"classes" doc:"The two values of the target; the position is the predicted class"`
	ClassCounts   []int     `json:"class_counts"`
	Fingerprint   string    `json:"fingerprint,omitempty" doc:"SHA-256 of the columns"`
}

// DatasetList is the newest datasets.
type DatasetList struct {
	Datasets      []Dataset `json:"datasets"`
	TotalDatasets int       `json:"total_datasets" doc:"All there are, also beyond the limit"`
}

// ImportResponse reports what became of an uploaded file.
type ImportResponse struct {
	Dataset
	Rows     int      `json:"rows" doc:"Rows of data in the file, good and bad"`
	BadCount int      `json:"bad_count" doc:"Rows left out (only with skip_bad)"`
	Bad      []BadRow `json:"bad" doc:"The first bad rows"`
	CopyOf   int64    `json:"copy_of,omitempty" doc:"The oldest dataset that held the same rows already; training on several datasets uses them once"`

	IgnoredFields []string `json:"ignored_fields,omitempty" doc:"Parameters and form fields that mean nothing here, such as misspelt ones"`
}

// BadRow is a row of a file that can't be used.
type BadRow struct {
	Line    int      `json:"line" doc:"Line in the file, the header is line 1"`
	Column  string   `json:"column,omitempty"`
	Reason  string   `json:"reason"`
	Remarks []Remark `json:"remarks,omitempty" doc:"What the reason says"`
}
