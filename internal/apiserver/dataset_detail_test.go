package apiserver

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func TestDatasetInFull(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.trainedOn, b.neededBy = []string{"v2", "v1"}, "v2"
	b.summary = ml.DatasetSummary{Rows: 1000, Features: []ml.FeatureSummary{
		{Name: "feature1", Min: -1, Max: 1, Mean: 0.5, SD: 2, Edges: []float64{-1, 0, 1}, Counts: [2][]int{{1, 2}, {3, 4}}},
	}}
	got, err := b.client(t, "user").Dataset(t.Context(), 7)
	want := []api.DatasetFeature{{Name: "feature1", Min: -1, Max: 1, Mean: 0.5, Scale: 2, Edges: []float64{-1, 0, 1}, Counts: [2][]int{{1, 2}, {3, 4}}}}
	if diff := cmp.Diff(want, got.FeatureDetails); diff != "" || err != nil {
		t.Errorf("%v, features (-want +got):\n%s", err, diff)
	}
	if got.GenerationID != 7 || got.SummarisedRows != 1000 || !slices.Equal(got.UsedBy, b.trainedOn) || got.NeededBy != "v2" || got.Problem != "" {
		t.Errorf("%+v", got)
	}
	b.fail = ml.Errorf(ml.CodeUnprocessed, "dataset 7 can't be read: its file is missing")
	if got, err = b.client(t, "user").Dataset(t.Context(), 7); err != nil || !strings.Contains(got.Problem, "is missing") || got.FeatureDetails == nil {
		t.Errorf("with its file lost: %+v, %v", got, err)
	}
	if _, err := b.client(t, "user").Dataset(t.Context(), 99); api.AsProblem(err) == nil || api.AsProblem(err).Status != 404 {
		t.Errorf("one that is not there: %v", err)
	}
}

func TestPreview(t *testing.T) {
	t.Parallel()
	b := setup(t)
	c := b.client(t, "user")
	got, err := c.Preview(t.Context(), []byte("a,b,y\n1,x,0\n2,,1\n3,z"), false)
	want := api.DatasetPreview{
		Delimiter: ",", Decimal: ".", Target: "y", RowsRead: 2, Rows: [][]string{{"1", "x", "0"}, {"2", "", "1"}}, Problems: []api.BadRow{},
		Columns: []api.PreviewColumn{
			{Name: "a", Kind: "number", Values: []string{"1", "2"}}, {Name: "b", Kind: "text", Empty: 1, Values: []string{"x"}}, {Name: "y", Kind: "number", Values: []string{"0", "1"}},
		},
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, preview (-want +got):\n%s", err, diff)
	}
	if _, err := c.Preview(t.Context(), []byte("a,a\n1,2\n"), true); api.AsProblem(err) == nil || api.AsProblem(err).Status != 422 || !strings.Contains(err.Error(), "same name") {
		t.Errorf("no table: %v", err)
	}
	_, err = c.Preview(t.Context(), []byte("\xe2ge,y\n1,2\n"), true)
	if p := api.AsProblem(err); p == nil || len(p.Remarks) != 1 || p.Remarks[0].Code != "file.name_not_utf8" || p.Remarks[0].Values["name"] != `"âge"` {
		t.Errorf("not UTF-8: %v", err)
	}
	if _, err := c.Preview(t.Context(), make([]byte, api.MaxPreview+1), false); api.AsProblem(err) == nil || api.AsProblem(err).Status != 413 {
		t.Errorf("too much of a file: %v", err)
	}
	problem(t, b.send(t, "POST", "/datasets/preview", "user", `{"a":1}`), 415)
	if len(b.imported) > 0 || len(b.events()) > 0 {
		t.Error("a preview has kept something")
	}
}
