package datasets

import (
	"os"
	"strings"
	"testing"

	"iacontinu/internal/ml"
)

// files are the names in the bundle's folder.
func (b *bundle) files(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// mustBeEmpty fails if anything of any dataset is left.
func (b *bundle) mustBeEmpty(t *testing.T) {
	t.Helper()
	if n := b.files(t); len(n) != 0 {
		t.Errorf("files are left: %v", n)
	}
	if len(b.catalogue.datasets) != 0 || len(b.catalogue.samples) != 0 {
		t.Errorf("rows are left: %v", b.catalogue.datasets)
	}
}

func mustGenerate(t *testing.T, b *bundle, s GenerateSpec) ml.Dataset {
	t.Helper()
	ds, err := b.Generate(t.Context(), s, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ds
}

func mustImport(t *testing.T, b *bundle, text string, s ImportSpec) (ml.Dataset, ImportReport) {
	t.Helper()
	ds, report, err := b.Import(t.Context(), strings.NewReader(text), s)
	if err != nil {
		t.Fatal(err)
	}
	return ds, report
}

func mustRead(t *testing.T, b *bundle, ds ml.Dataset, last int) ml.Columns {
	t.Helper()
	cols, err := b.Columns(t.Context(), ds, last)
	if err != nil {
		t.Fatal(err)
	}
	return cols
}

func TestDelete(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ds := mustGenerate(t, b, GenerateSpec{Samples: 10})
	b.catalogue.inUse[ds.ID] = true
	if err := b.Delete(t.Context(), ds.ID); ml.CodeOf(err) != ml.CodeConflict {
		t.Errorf("got %v", err)
	}
	mustRead(t, b, ds, 0)
	if b.catalogue.reads != 0 {
		t.Error("the file of a dataset in use is gone")
	}
	b.catalogue.inUse[ds.ID] = false
	if err := b.Delete(t.Context(), ds.ID); err != nil {
		t.Fatal(err)
	}
	b.mustBeEmpty(t)
	if err := b.Delete(t.Context(), ds.ID); ml.CodeOf(err) != ml.CodeNotFound {
		t.Errorf("got %v", err)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	t.Parallel()
	alive := func(string) (bool, error) { return true, nil }
	for want, o := range map[string]Options{
		"Catalogue": {Dir: "x", Builder: "b", Alive: alive},
		"Dir":       {Catalogue: newFake(), Builder: "b", Alive: alive},
		"Builder":   {Catalogue: newFake(), Dir: "x", Builder: "../b", Alive: alive},
		"Alive":     {Catalogue: newFake(), Dir: "x", Builder: "b"},
		"BatchRows": {Catalogue: newFake(), Dir: "x", Builder: "b", Alive: alive, BatchRows: -1},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
}
