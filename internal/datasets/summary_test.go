package datasets

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestSummary(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ds, _, err := b.Import(t.Context(), strings.NewReader("a,b,y\n0,5,no\n1,5,yes\n4,5,yes\n3,5,no\n"), ImportSpec{Target: "y"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := b.Summary(t.Context(), ds)
	if err != nil || got.Rows != 4 || len(got.Features) != 2 {
		t.Fatalf("%+v, %v", got, err)
	}
	a := got.Features[0]
	if a.Name != "a" || a.Min != 0 || a.Max != 4 || a.Mean != 2 || len(a.Edges) != 21 || a.Counts[0][0] != 1 || a.Counts[0][15] != 1 || a.Counts[1][5] != 1 || a.Counts[1][19] != 1 {
		t.Errorf("%+v", a)
	}
	// It is made once: without the rows it is still known.
	if err := os.Rename(b.file(ds.ID), b.file(ds.ID)+".away"); err != nil {
		t.Fatal(err)
	}
	again, err := b.Summary(t.Context(), ds)
	if diff := cmp.Diff(got, again); diff != "" || err != nil {
		t.Errorf("%v, the second time (-want +got):\n%s", err, diff)
	}
	// One that is damaged is made again.
	if err := os.Rename(b.file(ds.ID)+".away", b.file(ds.ID)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.summaryFile(ds.ID), []byte(`{"rows":`), 0o600); err != nil {
		t.Fatal(err)
	}
	if again, err = b.Summary(t.Context(), ds); err != nil || again.Rows != 4 {
		t.Errorf("of a damaged file: %+v, %v", again, err)
	}
	if err := b.Delete(t.Context(), ds.ID); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(b.dir, "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A summary whose dataset is gone is swept like the dataset's file.
func TestSweepTakesSummaries(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ds, err := b.Generate(t.Context(), GenerateSpec{Samples: 50, Seed: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Summary(t.Context(), ds); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.summaryFile(99), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	left, _ := filepath.Glob(filepath.Join(b.dir, "*"))
	if want := []string{b.file(ds.ID), b.summaryFile(ds.ID)}; !slices.Equal(left, want) {
		t.Errorf("left %v, want %v", left, want)
	}
}
