package api

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
)

// MaxPreview is the most of a file that a preview looks at, in bytes.
const MaxPreview = 64 << 10

// DatasetDetail is a dataset with all that is known of it.
type DatasetDetail struct {
	Dataset
	Drift          string           `json:"drift,omitempty" doc:"How a generated dataset was drawn"`
	Seed           uint64           `json:"seed,omitempty"`
	SummarisedRows int              `json:"summarised_rows" doc:"How many rows the features are told of: all, or the newest ones of a very large dataset"`
	FeatureDetails []DatasetFeature `json:"feature_details" doc:"In the order of features; empty if the rows can't be read"`
	UsedBy         []string         `json:"used_by" doc:"Versions that were trained on it, the newest first"`
	NeededBy       string           `json:"needed_by,omitempty" doc:"The active version, if it was: then the dataset can't be deleted"`
	Problem        string           `json:"problem,omitempty" doc:"Why the rows can't be read"`
	ProblemRemarks []Remark         `json:"problem_remarks,omitempty" doc:"What the problem says"`
}

// DatasetFeature sums up one feature of a dataset.
type DatasetFeature struct {
	Name   string    `json:"name"`
	Min    float64   `json:"min"`
	Max    float64   `json:"max"`
	Mean   float64   `json:"mean"`
	Scale  float64   `json:"scale" doc:"Standard deviation"`
	Edges  []float64 `json:"edges" doc:"Of the bins; one more than there are bins"`
	Counts [2][]int  `json:"counts" doc:"Rows in each bin, by class"`
}

// DatasetPreview is what the beginning of a file tells of it.
type DatasetPreview struct {
	Delimiter string          `json:"delimiter"`
	Decimal   string          `json:"decimal" doc:"Before the fraction of numbers"`
	Columns   []PreviewColumn `json:"columns"`
	Target    string          `json:"target,omitempty" doc:"The column that is most likely to be predicted; absent if none has two values"`
	Rows      [][]string      `json:"rows" doc:"The first ones, as they are written, without the bad ones"`
	RowsRead  int             `json:"rows_read" doc:"How many were looked at"`
	Problems  []BadRow        `json:"problems" doc:"The first rows that an import would refuse, unless the column is left out"`
}

// PreviewColumn is a column of a file.
type PreviewColumn struct {
	Name   string   `json:"name"`
	Kind   string   `json:"kind" enum:"number,text,empty" doc:"One of text can be the target, or be left out"`
	Empty  int      `json:"empty" doc:"Values that are missing"`
	Values []string `json:"values,omitempty" doc:"The distinct values, if there are no more than three"`
}

// Dataset is a dataset with all that is known of it.
func (c *Client) Dataset(ctx context.Context, id int64) (DatasetDetail, error) {
	return get[DatasetDetail](ctx, c, DatasetPath(id), nil)
}

// Preview looks at the beginning of a file before it is imported; whole says that it is all of it.
func (c *Client) Preview(ctx context.Context, head []byte, whole bool) (DatasetPreview, error) {
	var out DatasetPreview
	query := url.Values{}
	if whole {
		query.Set("whole", "true")
	}
	err := c.do(ctx, call{
		method: http.MethodPost, path: PathPreview, query: query,
		header: http.Header{"Content-Type": {"text/csv"}}, body: bytes.NewReader(head),
	}, &out)
	return out, err
}
