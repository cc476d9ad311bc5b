package ml

import "time"

// HappeningKind says what happened.
type HappeningKind string

// What a timeline tells.
const (
	HappenedDrift    HappeningKind = "drift"    // a check saw drift
	HappenedFailed   HappeningKind = "failed"   // a check could not be done
	HappenedRetrain  HappeningKind = "retrain"  // a retraining began that has come to a verdict since
	HappenedVerdict  HappeningKind = "verdict"  // the gate spoke
	HappenedSwap     HappeningKind = "swap"     // another version serves
	HappenedRollback HappeningKind = "rollback" // a version serves again
	HappenedImport   HappeningKind = "import"   // a file became a dataset
	HappenedGenerate HappeningKind = "generate" // a dataset was drawn
)

// HappeningKinds are all of them, in the order in which they lead to each other.
func HappeningKinds() []HappeningKind {
	return []HappeningKind{
		HappenedImport, HappenedFailed, HappenedDrift, HappenedRetrain, HappenedGenerate, HappenedVerdict, HappenedSwap, HappenedRollback,
	}
}

// Happening is a point of the timeline.
type Happening struct {
	At   time.Time
	Kind HappeningKind
	// ID is that of the check, the retraining's record, the activation or the dataset.
	ID int64
	// Version is the one that was checked, trained or activated; empty for datasets.
	Version string
	// Value is what was held against the threshold (drift, failed), an accuracy (verdict, swap, rollback) or a
	// number of rows; nil if it is not known.
	Value *float64
	// Detail is the check's action, the reason of a retraining, its verdict, or a dataset's name.
	Detail string
}
