package datasets

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"iacontinu/internal/ml"
)

// death is what a process leaves that dies at some moment.
type death struct {
	method    string
	catalogue *fake
	dir       string
}

// dying records a death before and after every step of what b does.
func dying(t *testing.T, b *bundle) *[]death {
	var mu sync.Mutex
	deaths := &[]death{}
	record := func(method string) {
		dir := filepath.Join(t.TempDir(), "datasets")
		if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
			t.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		*deaths = append(*deaths, death{method, b.catalogue.clone(), dir})
	}
	b.catalogue.before = func(m string) error { record("before " + m); return nil }
	b.catalogue.after = func(m string) { record("after " + m) }
	return deaths
}

func builder(id string) func(*Options) { return func(o *Options) { o.Builder = id } }

func quiet(o *Options) { o.Logger = slog.New(slog.DiscardHandler) }

// Wherever a process dies, after the next Sweep either the dataset is ready and can be read, or
// nothing of it is left.
func TestSweepAfterADeathAtEachStep(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]func(*testing.T, *bundle){
		"generate": func(t *testing.T, b *bundle) { mustGenerate(t, b, GenerateSpec{Samples: 3000, JobID: 3}) },
		"import":   func(t *testing.T, b *bundle) { mustImport(t, b, manyLines(30_000), ImportSpec{Target: "y"}) },
		"delete": func(t *testing.T, b *bundle) {
			ds := mustGenerate(t, b, GenerateSpec{Samples: 3000})
			if err := b.Delete(t.Context(), ds.ID); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, builder("dead"))
			deaths := dying(t, b)
			run(t, b)
			outcomes := map[bool]int{}
			for _, d := range *deaths {
				next := over(t, d.catalogue, d.dir, quiet)
				if err := next.Sweep(t.Context()); err != nil {
					t.Fatalf("%s: %v", d.method, err)
				}
				ready := len(d.catalogue.datasets) > 0
				outcomes[ready]++
				if !ready {
					next.mustBeEmpty(t)
					continue
				}
				if n := next.files(t); len(n) != 1 {
					t.Errorf("%s: the files are %v", d.method, n)
				}
				for _, ds := range d.catalogue.datasets {
					if ds.State != ml.DatasetReady {
						t.Errorf("%s: %v is left", d.method, ds)
					}
					mustRead(t, next, ds, 0)
				}
				if d.catalogue.reads != 0 {
					t.Errorf("%s: the file was lost", d.method)
				}
			}
			if outcomes[true] == 0 || outcomes[false] == 0 {
				t.Errorf("of %d deaths %v left a dataset", len(*deaths), outcomes)
			}
		})
	}
}

// A sweep between any two steps of a living builder changes nothing.
func TestSweepSparesTheLiving(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := over(t, b.catalogue, b.dir, builder("api-2-cd"), quiet)
	sweeping := false
	sweep := func() {
		if sweeping {
			return
		}
		sweeping = true
		defer func() { sweeping = false }()
		if err := other.Sweep(t.Context()); err != nil {
			t.Error(err)
		}
	}
	b.catalogue.before = func(string) error { sweep(); return nil }
	b.catalogue.after = func(string) { sweep() }
	generated := mustGenerate(t, b, GenerateSpec{Samples: 3000})
	imported, _ := mustImport(t, b, manyLines(30_000), ImportSpec{Target: "y"})
	if n := mustRead(t, b, generated, 0).Len() + mustRead(t, b, imported, 0).Len(); n != 33_000 {
		t.Errorf("%d rows are left", n)
	}
	if b.catalogue.reads != 0 {
		t.Error("a file was lost")
	}
}

func TestSweepRemovesFilesWithoutRows(t *testing.T) {
	t.Parallel()
	b := setup(t, quiet)
	ds := mustGenerate(t, b, GenerateSpec{Samples: 10})
	keep := []string{filepath.Base(b.file(ds.ID)), "README", "x.parquet", "007.parquet", ".worker-1-ab.0123.tmp", ".tmp"}
	remove := []string{"77.parquet", ".dead.0123.tmp", "-5.parquet"}
	for _, name := range slices.Concat(keep[1:], remove) {
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := b.Sweep(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := b.files(t)
	slices.Sort(keep)
	if !slices.Equal(got, keep) {
		t.Errorf("%v are left, want %v", got, keep)
	}
}

func TestSweepGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	unknown := errors.New("who knows")
	b := setup(t, quiet, func(o *Options) {
		o.Alive = func(builder string) (bool, error) {
			if builder == "unknown" {
				return false, unknown
			}
			return builder != "dead", nil
		}
	})
	for _, who := range []string{"unknown", "dead", ""} {
		if _, err := b.catalogue.BeginDataset(t.Context(), ml.Dataset{Builder: who, Schema: ml.GeneratedSchema()}); err != nil {
			t.Fatal(err)
		}
	}
	err := b.Sweep(t.Context())
	if !errors.Is(err, unknown) || strings.Count(err.Error(), "who knows") != 1 {
		t.Errorf("got %v", err)
	}
	if len(b.catalogue.datasets) != 1 || b.catalogue.datasets[1].Builder != "unknown" {
		t.Errorf("%v are left", b.catalogue.datasets)
	}
}
