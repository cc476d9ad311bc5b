package datasets

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/ml"
)

const flowers = "length;width;note;kind\n1;2;x;tulip\n3;4;;rose\n5;6;\"a;\nb\";tulip\n"

func TestImport(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ds, report := mustImport(t, b, flowers, ImportSpec{Name: "flowers.csv", Target: "kind", Ignore: []string{"note"}})
	want := ml.Dataset{
		ID: 1, Samples: 3, Hour: 12, CreatedAt: noon, State: ml.DatasetReady, Source: ml.SourceImported, Name: "flowers.csv",
		Schema:      ml.Schema{Features: []string{"length", "width"}, Target: "kind", Classes: [2]string{"rose", "tulip"}},
		ClassCounts: [2]int{1, 2}, Builder: "worker-1-ab", Fingerprint: ds.Fingerprint,
	}
	if d := cmp.Diff(want, ds); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(want, b.catalogue.datasets[1]); d != "" {
		t.Error("the catalogue:", d)
	}
	if d := cmp.Diff(ImportReport{Rows: 3}, report); d != "" {
		t.Error(d)
	}
	cols := ml.Columns{Features: [][]float64{{1, 3, 5}, {2, 4, 6}}, Target: []uint8{1, 0, 1}}
	if d := cmp.Diff(cols, mustRead(t, b, ds, 0)); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(cols.Slice(1, 3), mustRead(t, b, ds, 2)); d != "" {
		t.Error(d)
	}
	if len(b.catalogue.samples) != 0 {
		t.Error("imported rows lie in the database")
	}
}

// A spreadsheet wraps long headers, writes decimal commas, and has empty rows at its end.
func TestImportOfASpreadsheet(t *testing.T) {
	t.Parallel()
	text := "\"stem\nlength\";\"the\nkind\"\r\n1,5;tulip\r\n2,25;rose\r\n;\r\n"
	b := setup(t)
	ds, report := mustImport(t, b, text, ImportSpec{Target: "the kind"})
	want := ml.Schema{Features: []string{"stem length"}, Target: "the kind", Classes: [2]string{"rose", "tulip"}}
	if d := cmp.Diff(want, ds.Schema); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff(ImportReport{Rows: 2, DecimalCommas: true}, report); d != "" {
		t.Error(d)
	}
	if d := cmp.Diff([][]float64{{1.5, 2.25}}, mustRead(t, b, ds, 0).Features); d != "" {
		t.Error(d)
	}
	_, said, err := b.Import(t.Context(), strings.NewReader(text), ImportSpec{Target: "the\nkind", Decimal: '.'})
	var coded *ml.Error
	if !errors.As(err, &coded) || said.DecimalCommas || coded.Fields[0].Location != `line 4, column "stem length"` {
		t.Errorf("with points: %v", err)
	}
}

func TestImportKeepsTheKnownMapping(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id, err := b.catalogue.BeginDataset(t.Context(), ml.Dataset{
		Schema: ml.Schema{Features: []string{"a"}, Target: "y", Classes: [2]string{"yes", "no"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.catalogue.FinishDataset(t.Context(), b.catalogue.datasets[id]); err != nil {
		t.Fatal(err)
	}
	ds, _ := mustImport(t, b, "a,y\n1,no\n2,yes\n3,no\n", ImportSpec{Target: "y"})
	if want := [2]string{"yes", "no"}; ds.Schema.Classes != want || ds.ClassCounts != [2]int{1, 2} {
		t.Errorf("%v with %v rows", ds.Schema.Classes, ds.ClassCounts)
	}
	if got := mustRead(t, b, ds, 0).Target; !slices.Equal(got, []uint8{1, 0, 1}) {
		t.Errorf("the labels are %v", got)
	}
	ds, _ = mustImport(t, b, "a,z\n1,no\n2,yes\n", ImportSpec{Target: "z"})
	if want := [2]string{"no", "yes"}; ds.Schema.Classes != want {
		t.Errorf("another table: %v", ds.Schema.Classes)
	}
}

func TestImportTellsACopy(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, c := range []struct {
		name, text string
		copyOf     int64
	}{
		{"first", "a,y\n1,no\n2,yes\n", 0},
		{"the same, written in another way", "y;note;a\nno;x;1,0\nyes;;2,0\n", 1},
		{"a third time", "a,y\n1,no\n2,yes\n", 1},
		{"a row more", "a,y\n1,no\n2,yes\n2,yes\n", 0},
		{"another label", "a,y\n1,yes\n2,no\n", 0},
		{"another column", "b,y\n1,no\n2,yes\n", 0},
	} {
		spec := ImportSpec{Target: "y"}
		if strings.Contains(c.text, "note") {
			spec.Ignore = []string{"note"}
		}
		if ds, report := mustImport(t, b, c.text, spec); report.CopyOf != c.copyOf {
			t.Errorf("%s: dataset %d is told to be a copy of %d, want %d", c.name, ds.ID, report.CopyOf, c.copyOf)
		}
	}
}

// manyLines is a file of n rows with a bad one on each of the lines named.
func manyLines(n int, bad ...int) string {
	var s strings.Builder
	s.WriteString("a,b,y\n")
	for line := 2; line <= n+1; line++ {
		if slices.Contains(bad, line) {
			s.WriteString("1,abc,no\n")
			continue
		}
		fmt.Fprintf(&s, "%d,0.5,%s\n", line, []string{"no", "yes"}[line%2])
	}
	return s.String()
}

// What is wrong with a file is told by codes, for whoever words it in another language.
func TestImportTellsByCodes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for text, want := range map[string][]ml.Remark{
		"a,y\n1,no\nabc,yes\n": {{Code: "file.bad_value", Values: map[string]any{"line": 3, "column": `"a"`}}, {Code: "row.not_a_number", Values: map[string]any{"value": `"abc"`}}},
		"a,y\n1,no\n2\n":       {{Code: "file.bad_row", Values: map[string]any{"line": 3}}, {Code: "row.fields", Values: map[string]any{"fields": 1, "want": 2}}},
		"\xff\xfea\x00":        {{Code: "file.utf16"}},
		"\xe2ge,y\n":           {{Code: "file.name_not_utf8", Values: map[string]any{"column": 1, "name": `"âge"`}}},
	} {
		_, _, err := b.Import(t.Context(), strings.NewReader(text), ImportSpec{Target: "y"})
		var coded *ml.Error
		if !errors.As(err, &coded) {
			t.Fatalf("%q: %v", text, err)
		}
		if diff := cmp.Diff(want, coded.Remarks); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
}

func TestImportRefusesABadRow(t *testing.T) {
	t.Parallel()
	b := setup(t)
	_, _, err := b.Import(t.Context(), strings.NewReader(manyLines(100_000, 70_000)), ImportSpec{Target: "y"})
	var coded *ml.Error
	if !errors.As(err, &coded) || coded.Code != ml.CodeInvalid {
		t.Fatalf("got %v", err)
	}
	want := []ml.FieldError{{Location: `line 70000, column "b"`, Message: `not a number: "abc"`}}
	if d := cmp.Diff(want, coded.Fields); d != "" {
		t.Error(d)
	}
	b.mustBeEmpty(t)
}

func TestImportRefusesNamesThatAreNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for name, fits := range map[string]bool{
		"": true, "flowers 2026, été.csv": true, strings.Repeat("x", 200): true, strings.Repeat("x", 201): false,
		"a\x00": false, "a\tb": false, "\x1b[31mred": false, "\u0085": false, "a\u200bb": false, "\xff": false, " a": false, "a ": false, " ": false,
	} {
		_, _, err := b.Import(t.Context(), strings.NewReader("a,y\n1,no\n2,yes\n"), ImportSpec{Name: name, Target: "y"})
		if (err == nil) != fits {
			t.Errorf("name %q: %v", name, err)
		}
		var coded *ml.Error
		if err != nil && (!errors.As(err, &coded) || coded.Code != ml.CodeInvalid || coded.Fields[0].Location != "name") {
			t.Errorf("name %q: %v, want an error that names the field", name, err)
		}
	}
}

func TestImportSkipsBadRows(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ds, report := mustImport(t, b, manyLines(100_000, 70_000, 80_000), ImportSpec{Target: "y", SkipBad: true})
	if ds.Samples != 99_998 || report.Rows != 100_000 || report.BadCount != 2 {
		t.Errorf("%d rows are kept, the report says %+v", ds.Samples, report)
	}
	if len(report.Bad) != 2 || report.Bad[0].Line != 70_000 || report.Bad[1].Line != 80_000 {
		t.Errorf("%v", report.Bad)
	}
	if n := mustRead(t, b, ds, 0).Len(); n != 99_998 {
		t.Errorf("%d rows are read", n)
	}
	if n := testutil.ToFloat64(b.metrics.badRows); n != 2 {
		t.Errorf("%v bad rows are counted", n)
	}
}

func TestImportLeavesNothingAfterAnError(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	good := manyLines(20_000)
	for name, c := range map[string]struct {
		reader io.Reader
		spec   ImportSpec
		fail   string
		code   ml.Code
		cause  error
	}{
		"no target":  {spec: ImportSpec{}, code: ml.CodeInvalid},
		"header":     {reader: strings.NewReader("a,b\n"), code: ml.CodeInvalid},
		"one class":  {reader: strings.NewReader("a,y\n1,no\n"), code: ml.CodeInvalid},
		"open quote": {reader: strings.NewReader(good + "\"1"), spec: ImportSpec{SkipBad: true}, code: ml.CodeInvalid},
		"connection": {reader: io.MultiReader(strings.NewReader(good), iotest.ErrReader(broken)), cause: broken},
		"disk":       {reader: io.MultiReader(strings.NewReader(good), iotest.ErrReader(syscall.ENOSPC)), code: ml.CodeStorageFull},
		"copy":       {reader: strings.NewReader(good), fail: "find copy", cause: broken},
		"begin":      {reader: strings.NewReader(good), fail: "begin", cause: broken},
		"finish":     {reader: strings.NewReader(good), fail: "finish", cause: broken},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.catalogue.before = failing(c.fail, 1, broken)
			if c.reader != nil {
				c.spec.Target = "y"
			}
			_, _, err := b.Import(t.Context(), c.reader, c.spec)
			if err == nil || ml.CodeOf(err) != c.code || c.cause != nil && !errors.Is(err, c.cause) {
				t.Errorf("got %v", err)
			}
			b.mustBeEmpty(t)
		})
	}
}
