package datasets

import (
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
)

func TestColumnsOfALostFileComeFromTheDatabase(t *testing.T) {
	t.Parallel()
	for name, harm := range map[string]func(t *testing.T, b *bundle, file string){
		"missing": func(t *testing.T, _ *bundle, file string) {
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		},
		"cut off": func(t *testing.T, _ *bundle, file string) {
			if err := os.Truncate(file, 100); err != nil {
				t.Fatal(err)
			}
		},
		"another table": func(t *testing.T, b *bundle, file string) {
			other, _ := mustImport(t, b, "a,y\n1,no\n2,yes\n", ImportSpec{Target: "y"})
			if err := os.Rename(b.file(other.ID), file); err != nil {
				t.Fatal(err)
			}
		},
		"fewer rows": func(t *testing.T, b *bundle, file string) {
			other := mustGenerate(t, b, GenerateSpec{Samples: 10})
			if err := os.Rename(b.file(other.ID), file); err != nil {
				t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, func(o *Options) { o.Logger = slog.New(slog.DiscardHandler) })
			ds := mustGenerate(t, b, GenerateSpec{Samples: 3000})
			want := mustRead(t, b, ds, 0)
			harm(t, b, b.file(ds.ID))
			if d := cmp.Diff(want.Slice(2990, 3000), mustRead(t, b, ds, 10)); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(want, mustRead(t, b, ds, 0)); d != "" {
				t.Error("the new file:", d)
			}
			if b.catalogue.reads != 1 {
				t.Errorf("the rows were read from the database %d times", b.catalogue.reads)
			}
		})
	}
}

func TestColumnsOfAnImportedFileNameIt(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ds, _ := mustImport(t, b, "a,y\n1,no\n2,yes\n", ImportSpec{Target: "y"})
	check := func(what string) {
		t.Helper()
		_, err := b.Columns(t.Context(), ds, 0)
		if ml.CodeOf(err) != ml.CodeUnprocessed || !strings.Contains(err.Error(), b.file(ds.ID)+" "+what) {
			t.Errorf("got %v", err)
		}
	}
	if err := os.Truncate(b.file(ds.ID), 60); err != nil {
		t.Fatal(err)
	}
	check("is damaged")
	if err := os.Remove(b.file(ds.ID)); err != nil {
		t.Fatal(err)
	}
	check("is missing")
}
