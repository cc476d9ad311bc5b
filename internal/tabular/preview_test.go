package tabular

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPreview(t *testing.T) {
	t.Parallel()
	got, err := NewPreview([]byte("id;size;colour;bought;note\n1;2,5;red;yes;\n2;3,5;blue;no;\n3;x;green;yes;\n4;1;red\n5;4;white;no;\n6;7;yel"), false)
	if err != nil {
		t.Fatal(err)
	}
	want := Preview{
		Delimiter: ';', Decimal: ',', Target: "bought", Read: 5,
		Columns: []PreviewColumn{
			{Name: "id", Kind: KindNumber},
			{Name: "size", Kind: KindNumber},
			{Name: "colour", Kind: KindText},
			{Name: "bought", Kind: KindText, Values: []string{"yes", "no"}},
			{Name: "note", Kind: KindEmpty, Empty: 4},
		},
		Rows: [][]string{{"1", "2,5", "red", "yes", ""}, {"2", "3,5", "blue", "no", ""}, {"3", "x", "green", "yes", ""}, {"5", "4", "white", "no", ""}},
		Problems: []RowError{
			{Line: 4, Column: "size", Reason: `"x" is not a number`}, {Line: 5, Reason: "3 fields instead of 5"},
		},
	}
	if diff := cmp.Diff(want, got, words); diff != "" {
		t.Errorf("preview (-want +got):\n%s", diff)
	}
	if got, err = NewPreview([]byte("a,b\n1,2\n3,4"), true); err != nil || got.Read != 2 {
		t.Errorf("the last line of a whole file: %+v, %v", got, err)
	}
}

// Spaces between groups of digits leave a column one of numbers.
func TestPreviewOfGroupedNumbers(t *testing.T) {
	t.Parallel()
	got, err := NewPreview([]byte("price;bought\n1 210,50;yes\n2\u00a0300,25;no\n1\u202f000;no\n"), true)
	if err != nil || got.Decimal != ',' || got.Columns[0].Kind != KindNumber || len(got.Problems) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A preview and the import agree on what is no row: a spreadsheet's empty ones, of however many cells.
func TestPreviewLeavesOutEmptyRows(t *testing.T) {
	t.Parallel()
	const text = "a;y\n1;yes\n;\n2;no\n ; \n\"\";\n;;;\n\n"
	got, err := NewPreview([]byte(text), true)
	if err != nil || got.Read != 2 || len(got.Problems) > 0 || len(got.Rows) != 2 || got.Columns[0].Empty > 0 {
		t.Errorf("%+v, %v", got, err)
	}
	if read, err := readAll(text, CSVOptions{}); err != nil || len(read.Target) != got.Read {
		t.Errorf("the import reads %+v, %v", read, err)
	}
}

// Word processors and typesetters write minus as a sign of its own.
func TestTypographicMinus(t *testing.T) {
	t.Parallel()
	const text = "a;b;y\n\u22121,5;\u22121\u00a0200;no\n2,5;1e\u22123;yes\n"
	got, err := NewPreview([]byte(text), true)
	if err != nil || got.Decimal != ',' || got.Columns[0].Kind != KindNumber || len(got.Problems) > 0 {
		t.Errorf("preview: %+v, %v", got, err)
	}
	read, err := readAll(text, CSVOptions{})
	if diff := cmp.Diff([][]float64{{-1.5, 2.5}, {-1200, 0.001}}, read.Features); diff != "" || err != nil {
		t.Errorf("%v, %s", err, diff)
	}
	if _, err := readAll("a,y\n2\u22123,no\n", CSVOptions{}); err == nil || !strings.Contains(err.Error(), "not a number: \"2\u22123\"") {
		t.Errorf("two numbers: %v", err)
	}
}

// Excel is told the separator by a first line, which it does not show.
func TestSeparatorLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]byte{
		"sep=;\r\na,b;y\n1,5;no\nx;no\n2;yes\n": ';', "\ufeffSep=,\na;b,y\n1,no\nx,no\n2,yes\n": ',', "sep=\t\nsome name\ty\n1\tno\nx\tno\n2\tyes\n": '\t',
	} {
		got, err := NewPreview([]byte(text), true)
		if err != nil || got.Delimiter != want || len(got.Columns) != 2 || got.Read != 3 {
			t.Errorf("%q: %+v, %v", text, got, err)
		}
		if read, err := readAll(text, CSVOptions{SkipBad: true}); err != nil || len(read.Target) != 2 || len(read.Bad) != 1 || read.Bad[0].Line != 4 {
			t.Errorf("%q: %+v, %v", text, read, err)
		}
	}
	if got, err := NewPreview([]byte("sep=,y\n1,no\n"), true); err != nil || got.Columns[0].Name != "sep=" {
		t.Errorf("a column of such a name: %+v, %v", got, err)
	}
	if _, err := NewPreview([]byte("sep=;\n"), true); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("nothing but that line: %v", err)
	}
}

func TestPreviewGuessesTheTarget(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"a,b,c\n1,0,5\n2,1,6\n3,1,7\n":        "b", // two values
		"a,Target,c\n1,0,0\n2,1,1\n3,1,0\n":   "Target",
		"sex,a,c\nm,0,0\nf,1,1\nm,1,0\n":      "sex", // can't be a feature
		"a,b\n0,1\n1,0\n0,0\n":                "b",
		"a,b\n0,1\n1,2\n2,3\n3,4\n4,5\n":      "",
		"a;b\n1;oui\n2;non\n3;oui\n4;\"non\"": "b",
	} {
		if got, err := NewPreview([]byte(text), true); err != nil || got.Target != want {
			t.Errorf("%q: %q, %v; want %q", text, got.Target, err, want)
		}
	}
}

func TestPreviewOfNoTable(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                   "is empty",
		"PK\x03\x04sheet":    "spreadsheet",
		"1,2\n3,4\n":         "must be a header",
		"a,a\n1,2\n":         "the same name",
		"only\n1\n2\n":       "one column",
		"a,b\"c\n1,2,3\n":    "quote",
		"\xff\xfea\x00,\x00": "UTF-16",
	} {
		_, err := NewPreview([]byte(text), false)
		var e *FileError
		if !errors.As(err, &e) || !strings.Contains(e.Reason, want) {
			t.Errorf("%q: %v, want a FileError with %q", text, err, want)
		}
	}
}
