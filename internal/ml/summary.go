package ml

// DatasetSummary is what a picture of a dataset needs. It never changes, as the dataset does not.
type DatasetSummary struct {
	// Rows is how many were looked at: the newest ones, if there are too many.
	Rows     int              `json:"rows"`
	Features []FeatureSummary `json:"features"`
}

// FeatureSummary sums up one feature of a dataset.
type FeatureSummary struct {
	Name string  `json:"name"`
	Min  float64 `json:"min"`
	Max  float64 `json:"max"`
	Mean float64 `json:"mean"`
	SD   float64 `json:"sd"`
	// Edges are those of the bins, Counts the rows of each class in them.
	Edges  []float64 `json:"edges"`
	Counts [2][]int  `json:"counts"`
}
