package ml

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

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

// NameFault says what is wrong with the name of a dataset, empty if nothing is. Names stand in lists,
// logs and terminals, where they must not pass for anything else. A dataset need not have one.
func NameFault(name string) string {
	switch {
	case len(name) > 200:
		return "must have at most 200 bytes"
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !unicode.IsPrint(r) }):
		return "must have printable characters only"
	case strings.TrimSpace(name) != name:
		return "must not begin or end with a blank"
	}
	return ""
}

// MinRows and MinClassRows are the least that a model is trained on: of all rows, and of each class.
const (
	MinRows      = 10
	MinClassRows = 2
)

// MaxWindow is how many rows a version can be trained on at most.
const MaxWindow = 100_000_000

// MaxDatasets bounds how many datasets, the newest first, one version is made of. Smaller windows than that
// many datasets hold are the rule.
const MaxDatasets = 1000

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

// WithoutCopies keeps the oldest of datasets that hold the same rows: a file that was imported twice
// would have its rows in the training set and, the same, in the holdout that judges it, and pass for
// new data. Of the oldest it is known which versions were trained on it.
func WithoutCopies(newestFirst []Dataset) []Dataset {
	seen := map[string]bool{}
	var kept []Dataset
	for _, ds := range slices.Backward(newestFirst) {
		if ds.Fingerprint == "" || !seen[ds.Fingerprint] {
			kept = append(kept, ds)
		}
		seen[ds.Fingerprint] = true
	}
	slices.Reverse(kept)
	return kept
}
