package tabular

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// table is a file read whole, its target in words.
type table struct {
	Names    []string
	Features [][]float64
	Target   []string
	Bad      []RowError
	BadCount int
}

// readAll reads text in blocks of the given size.
func readAll(text string, o CSVOptions) (table, error) {
	return readFrom(strings.NewReader(text), o)
}

func readFrom(r io.Reader, o CSVOptions) (table, error) {
	if o.Target == "" {
		o.Target = "y"
	}
	c, err := OpenCSV(r, o)
	if err != nil {
		return table{}, err
	}
	t := table{Names: c.Features(), Features: make([][]float64, len(c.Features()))}
	var codes []uint8
	report, err := c.Read(context.Background(), func(rows Rows) error {
		for j, f := range rows.Features {
			t.Features[j] = append(t.Features[j], f...)
		}
		codes = append(codes, rows.Target...)
		return nil
	})
	for _, code := range codes {
		t.Target = append(t.Target, report.Classes[code])
	}
	if report.Rows != len(codes) && err == nil {
		return t, fmt.Errorf("the report counts %d rows of %d", report.Rows, len(codes))
	}
	t.Bad, t.BadCount = report.Bad, report.BadCount
	return t, err
}

func TestReadCSV(t *testing.T) {
	t.Parallel()
	want := table{Names: []string{"a", "b"}, Features: [][]float64{{1, -3}, {2.5, 4e3}}, Target: []string{"yes", "no"}}
	for name, text := range map[string]string{
		"plain":            "a,b,y\n1,2.5,yes\n-3,4e3,no\n",
		"no last line end": "a,b,y\n1,2.5,yes\n-3,4e3,no",
		"CRLF":             "a,b,y\r\n1,2.5,yes\r\n-3,4e3,no\r\n",
		"CR at the end":    "a,b,y\r\n1,2.5,yes\r\n-3,4e3,no\r",
		"byte order mark":  "\xEF\xBB\xBFa,b,y\n1,2.5,yes\n-3,4e3,no\n",
		"semicolons":       "a;b;y\n1;2.5;yes\n-3;4e3;no\n",
		"tabs":             "a\tb\ty\n1\t2.5\tyes\n-3\t4e3\tno\n",
		"spaces":           " a , b, y \n 1 ,\t2.5, yes \n -3, 4e3 ,no \t\n",
		"quotes":           "\"a\",\"b\",\"y\"\n\"1\",\"2.5\" , \"yes\"\n\"-3\",\"4e3\",\"no\"\n",
		"quotes, CRLF":     "\"a\",\"b\",\"y\"\r\n\"1\",\"2.5\",\"yes\"\r\n\"-3\",\"4e3\",\"no\"\r\n",
		"empty lines":      "\n\r\na,b,y\n\n1,2.5,yes\n\r\n   \n-3,4e3,no\n\n\n",
		"target first":     "y,a,b\nyes,1,2.5\nno,-3,4e3\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readAll(text, CSVOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestReadCSVQuotedText(t *testing.T) {
	t.Parallel()
	text := "\"the \"\"a\"\"\",note,y\n1,\"x\ny\r\nz, \"\"w\"\"\",\"one\ntwo\"\n2,,three\n3,oops\n"
	got, err := readAll(text, CSVOptions{Ignore: []string{"note"}, SkipBad: true})
	if err != nil {
		t.Fatal(err)
	}
	want := table{
		Names: []string{`the "a"`}, Features: [][]float64{{1, 2}}, Target: []string{"one two", "three"},
		Bad: []RowError{{Line: 7, Reason: "2 fields instead of 3"}}, BadCount: 1,
	}
	if d := cmp.Diff(want, got, words); d != "" {
		t.Error(d)
	}
}

func TestReadCSVBadRows(t *testing.T) {
	t.Parallel()
	const good = "a,b,y\n1,2,no\n3,4,yes\n"
	for row, want := range map[string]RowError{
		"abc,2,no":            {Column: "a", Reason: `not a number: "abc"`},
		"1,,no":               {Column: "b", Reason: "empty"},
		"1, ,no":              {Column: "b", Reason: "empty"},
		"NaN,2,no":            {Column: "a", Reason: `NaN and infinities are not allowed: "NaN"`},
		"1,-inf,no":           {Column: "b", Reason: `NaN and infinities are not allowed: "-inf"`},
		"1,Infinity,no":       {Column: "b", Reason: `NaN and infinities are not allowed: "Infinity"`},
		"0x10,2,no":           {Column: "a", Reason: `not a number: "0x10"`},
		"0x1p9999,2,no":       {Column: "a", Reason: `not a number: "0x1p9999"`},
		"1_000,2,no":          {Column: "a", Reason: `not a number: "1_000"`},
		"1e400,2,no":          {Column: "a", Reason: `out of the range of a 64-bit number: "1e400"`},
		"-1e400,2,no":         {Column: "a", Reason: `out of the range of a 64-bit number: "-1e400"`},
		`"1,5",2,no`:          {Column: "a", Reason: `a decimal comma, write a point or say --decimal , (decimal=, over HTTP): "1,5"`},
		"1,2":                 {Reason: "2 fields instead of 3"},
		"1,2,no,":             {Reason: "4 fields instead of 3; the row ends in a separator and the header does not: leave it out of the rows"},
		"1,2,no,x":            {Reason: "4 fields instead of 3"},
		`"1,234",2,no`:        {Column: "a", Reason: `a decimal comma (then say --decimal , or decimal=,) or a thousands separator (then leave it out): "1,234"`},
		`"-1,234,567.8",2,no`: {Column: "a", Reason: `a thousands separator, write the number without: "-1,234,567.8"`},
		"1'234,2,no":          {Column: "a", Reason: `a thousands separator, write the number without: "1'234"`},
		"1\u202f23,2,no":      {Column: "a", Reason: `not a number: "1\u202f23"`},
		"1,2,":                {Column: "y", Reason: "empty"},
		`1,2,""`:              {Column: "y", Reason: "empty"},
		"1,2,maybe":           {Column: "y", Reason: `a third value "maybe", after "no" (line 2) and "yes" (line 3): a target has two`},
		`1,2 "x",no`:          {Column: "b", Reason: "a quote inside a field that is not in quotes"},
		`1,"2"3,no`:           {Column: "b", Reason: "text after the closing quote"},
		"1,2,\xff":            {Column: "y", Reason: `not UTF-8: "ÿ"`},
		"1 2,2,no":            {Column: "a", Reason: `not a number: "1 2"`},
		"1,2\x00,no":          {Column: "b", Reason: `not a number: "2\x00"`},
		"\u00a01,2,no":        {Column: "a", Reason: `not a number: "\u00a01"`},
		"１,2,no":              {Column: "a", Reason: `not a number: "１"`},
		"1,2,no\n\"9\"9,2":    {Column: "a", Reason: "text after the closing quote"},
	} {
		t.Run(row, func(t *testing.T) {
			t.Parallel()
			want.Line = 4 + strings.Count(row, "\n")
			_, err := readAll(good+row+"\n5,6,no\n", CSVOptions{})
			var got RowError
			if !errors.As(err, &got) {
				t.Fatalf("got %v, want a RowError", err)
			}
			if d := cmp.Diff(want, got, words); d != "" || got.Code == "" {
				t.Error(got.Code, d)
			}
			table, err := readAll(good+row+"\n5,6,no\n", CSVOptions{SkipBad: true})
			if err != nil {
				t.Fatal(err)
			}
			if table.BadCount != 1 || len(table.Bad) != 1 || !cmp.Equal(table.Bad[0], want, words) {
				t.Errorf("skipped %d: %v", table.BadCount, table.Bad)
			}
			if n := len(table.Target); table.Features[0][n-1] != 5 {
				t.Errorf("the row behind the bad one is missing: %v", table.Features)
			}
		})
	}
}

// words leaves out what a reason is in other languages.
var words = cmpopts.IgnoreFields(RowError{}, "Code", "Values")

func TestReadCSVDecimalCommas(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, text string
		decimal    byte
		ignore     []string
		want       []float64 // of the first feature
		err        string
	}{
		{name: "semicolons", text: "a;b;y\n1;2;no\n-1,5;2e-3;yes\n1,234;7;no\n", want: []float64{1, -1.5, 1.234}},
		{name: "tabs", text: "a\tb\ty\n0,125\t2\tno\n,5\t2\tyes\n", want: []float64{0.125, 0.5}},
		{name: "groups", text: "a;y\n1 210,50;no\n-12\u00a0345\u00a0678;yes\n1\u202f234,125;no\n\"2\u2009000\";yes\n", want: []float64{1210.5, -12345678, 1234.125, 2000}},
		{name: "groups and points", text: "a,y\n1 210.50,no\n2,yes\n", want: []float64{1210.5, 2}},
		{name: "groups that are none", text: "a;y\n1 210,50;no\n1 21 0;yes\n", err: `line 3, column "a": not a number: "1 21 0"`},
		{name: "many digits", text: "a;y\n0,1234567890123456789012;no\n12345678901234567890,5;yes\n", want: []float64{0.1234567890123456789012, 12345678901234567890.5}},
		{name: "in the target and an ignored column", ignore: []string{"note"}, text: "a;note;y\n1.5;a,b;x,y\n2;1,5;z\n", want: []float64{1.5, 2}},
		{name: "said, quoted", text: "a,y\n\"1,234\",no\n2,yes\n", decimal: ',', want: []float64{1.234, 2}},
		{name: "said, open", text: "a;y\n1,234;no\n2;yes\n", decimal: ',', want: []float64{1.234, 2}},
		{name: "open", text: "a;y\n1,234;no\n2;yes\n", err: "or a thousands separator"},
		{name: "both", text: "a;y\n1,5;no\n2.5;yes\n", err: `line 2, column "a": a decimal comma, write a point`},
		{name: "said to be a point", text: "a;y\n1,5;no\n2;yes\n", decimal: '.', err: "a decimal comma"},
		{name: "a point among commas", text: "a;y\n1,5;no\n2.5;yes\n", decimal: ',', err: `line 3, column "a": a decimal point among decimal commas (then write a comma; if all numbers have points, do not say --decimal , or`},
		{name: "a point that may be either", text: "a;y\n1,5;no\n1.234;yes\n", decimal: ',', err: `line 3, column "a": a thousands separator (then leave it out) or a decimal point among decimal commas (then write a comma;`},
		{name: "thousands", text: "a;y\n1,5;no\n1.234,5;yes\n", err: `line 3, column "a": a thousands separator`},
		{name: "out of range", text: "a;y\n1,5;no\n1,5e999;yes\n", err: "out of the range"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			for _, careful := range []bool{false, true} {
				got, err := readAll(c.text, CSVOptions{Ignore: c.ignore, Decimal: c.decimal, careful: careful})
				if c.err != "" {
					if err == nil || !strings.Contains(err.Error(), c.err) {
						t.Errorf("got %v, want %s", err, c.err)
					}
					continue
				}
				if err != nil {
					t.Fatal(err)
				}
				if d := cmp.Diff(c.want, got.Features[0]); d != "" {
					t.Error(d)
				}
			}
		})
	}
}

// TestReadCSVOfASpreadsheet: empty rows are no rows, and what is wrapped in a cell is one line.
func TestReadCSVOfASpreadsheet(t *testing.T) {
	t.Parallel()
	text := "\"the\r\n  first\";b\t\x1b[31m\u202e;y\r\n1;2;\"very\ngood\"\r\n;;\r\n\"\"; ;\r\n3;4;bad\r\n5;6;very  good\r\n;;;;\r\n"
	for _, careful := range []bool{false, true} {
		got, err := readAll(text, CSVOptions{careful: careful})
		if err != nil {
			t.Fatal(err)
		}
		want := table{
			Names: []string{"the first", "b [31m"}, Features: [][]float64{{1, 3, 5}, {2, 4, 6}},
			Target: []string{"very good", "bad", "very good"},
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Error(d)
		}
	}
	if _, err := readAll("a,\"the\ny\"\n1,0\n2,1\n", CSVOptions{Target: "the\ny"}); err != nil {
		t.Errorf("the target by its name in the file: %v", err)
	}
}

func TestReadCSVLeavesColumnsOut(t *testing.T) {
	t.Parallel()
	const text = "\"Name, first\",id,\"the\n day\",a,b,unnamed6,y\nx,7,mon,1,,,no\ny,8,tue,2,,,yes\n"
	for _, ignore := range [][]string{
		{"Name, first", "id, the day,b ,unnamed6,"}, {"id", "Name, first", "the\nday", "b", "unnamed6"},
	} {
		got, err := readAll(text, CSVOptions{Ignore: ignore})
		if err != nil || !slices.Equal(got.Names, []string{"a"}) || len(got.Target) != 2 {
			t.Errorf("without %q: %+v, %v", ignore, got, err)
		}
	}
}

// longNames is the start of a header of so many columns.
func longNames(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%0250d_,", i)
	}
	return b.String()
}

func TestReadCSVFileErrors(t *testing.T) {
	t.Parallel()
	many := strings.Repeat("c,", 60)
	for _, c := range []struct {
		name, text, want string
		options          CSVOptions
	}{
		{name: "empty", text: "", want: "the file is empty"},
		{name: "only lines", text: "\n\r\n\n", want: "the file is empty"},
		{name: "no rows", text: "a,y\n", want: "a header and no rows"},
		{name: "no rows, no line end", text: "a,y", want: "a header and no rows"},
		{name: "duplicate", text: "a,b,a,y\n", want: `columns 1 and 3 have the same name: "a"`},
		{name: "nameless", text: "a,,y\n", want: "column 2 has no name; delete it from the file (maybe each line ends in a separator), or name it unnamed2 in the header and leave it out by --ignore unnamed2 ("},
		{name: "index", text: ",a,y\n", want: "column 1 has no name; if it holds row numbers"},
		{name: "missing target", text: "a,b,c\n", want: `there is no column "y"; the columns are "a", "b", "c"`},
		{name: "bars", text: "a|b|y\n1|2|no\n", want: "separated by commas, semicolons or tabs"},
		{name: "no header", text: "\n1,2,1\n4,5,6\n", want: "line 2 has numbers only, but the first line must be a header"},
		{name: "a number as name", text: "1,y\n", want: "a header and no rows"},
		{name: "no header, a number as target", text: "5.1,-3e2,0\n4.9,3,1\n", want: "line 1 has numbers only", options: CSVOptions{Target: "0"}},
		{name: "no header, decimal commas", text: "5,1;nan;0;\n", want: "line 1 has numbers only"},
		{name: "no header, a word as target", text: "5.1,3,no\n4.9,3,yes\n", want: "if the first line is a row of data, add a header"},
		{name: "missing ignored", text: "a,b,y\n", want: `there is no column "z"`, options: CSVOptions{Ignore: []string{"z"}}},
		{name: "ignored target", text: "a,b,y\n", want: `the target "y" can't be left out`, options: CSVOptions{Ignore: []string{"y"}}},
		{name: "only the target", text: "y\n1\n", want: "no column beside the target"},
		{name: "all ignored", text: "a,y\n1,1\n", want: `no column beside the target "y" that could be a feature; left out are "a"`, options: CSVOptions{Ignore: []string{"a"}}},
		{name: "one class", text: "a,y\n1,no\n2,no\n", want: `the target "y" is always "no"`},
		{name: "not UTF-8", text: "a,\xe2ge\x9c,y\n", want: `name of column 2 is not UTF-8: "âgeœ"; save the file`},
		{name: "UTF-16", text: "\xff\xfea\x00,\x00y\x00", want: "UTF-16"},
		{name: "spreadsheet", text: "PK\x03\x04\x14\x00", want: "export it as CSV"},
		{name: "gzip", text: "\x1f\x8b\x08\x00", want: "unpack it to CSV first"},
		{name: "long name", text: strings.Repeat("x", 300) + ",y\n", want: "longer than 256 bytes"},
		{name: "too many columns", text: many + "y\n", want: "61 columns, at most 10", options: CSVOptions{MaxColumns: 10}},
		{name: "long names", text: longNames(300) + "y\n", want: "longer than 65536 bytes together"},
		{name: "long names, some left out", text: longNames(300) + "y\n", want: "a header and no rows", options: CSVOptions{Ignore: strings.Split(longNames(60), ",")}},
		{name: "header quote", text: "a\"b,y\n", want: "a quote in the wrong place"},
		{name: "open header", text: "\"a,y\n1,2\n", want: "never closed"},
		{name: "text column", text: "id,a,y\nx1,1,no\nx2,2,yes\n", want: `line 2, column "id": not a number: "x1"; columns that are no features are left out by --ignore id (`},
		{name: "text columns", text: "the id,a,\"the\n day\",y\nx1,1,2026-01-02,no\n", want: `left out by --ignore 'the id,the day' (`},
		{name: "text columns with commas", text: "\"Name, first\",a,b,\"it's\",y\nx1,1,q,w,no\n", want: `left out by --ignore 'Name, first' --ignore 'b,it'\''s' (`},
		{name: "empty feature", text: "a,b,y\n,1,no\n", want: `line 2, column "a": empty`},
		{name: "only bad rows", text: "id,y\nx1,no\nx2,yes\n", want: `none of the 2 rows is good; the first: line 2, column "id"`, options: CSVOptions{SkipBad: true}},
		{name: "open quote", text: "a,b,y\n1,2,no\n1,\"2\n,yes\n3,4,yes\n", want: "the quotes that open on line 3 are never closed", options: CSVOptions{SkipBad: true, Ignore: []string{"b"}}},
		{name: "long row", text: "a,y\n1,no\n" + strings.Repeat("1", 5000) + ",yes\n", want: "the row on line 3 is longer than 1000 bytes", options: CSVOptions{MaxRecord: 1000, blockSize: 64}},
		{name: "long open quote", text: "a,b,y\n1,2,no\n2,\"" + strings.Repeat("1\n", 5000), want: "the row on line 3 is longer than 1000 bytes", options: CSVOptions{MaxRecord: 1000, blockSize: 64}},
		{name: "long header", text: strings.Repeat("x", 5000), want: "the header on line 1 is longer than 64 bytes", options: CSVOptions{blockSize: 64}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			_, err := readAll(c.text, c.options)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
			var said interface{ Remarks() []Remark }
			var file *FileError
			switch {
			case errors.As(err, &said) && len(said.Remarks()) == 2:
			case errors.As(err, &file) && len(file.Remarks) > 0 && file.Remarks[0].Code != "":
			default:
				t.Errorf("%v is told in English alone", err)
			}
		})
	}
}

func TestReadCSVOptionsAreChecked(t *testing.T) {
	t.Parallel()
	for field, o := range map[string]CSVOptions{
		"Target":     {},
		"KeepBad":    {Target: "y", KeepBad: -1},
		"Decimal":    {Target: "y", Decimal: ';'},
		"MaxRecord":  {Target: "y", MaxRecord: -1},
		"MaxColumns": {Target: "y", MaxColumns: 1},
		"Parsers":    {Target: "y", Parsers: -1},
	} {
		if _, err := OpenCSV(strings.NewReader("a,y\n"), o); err == nil || !strings.Contains(err.Error(), field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// lines writes n rows a,b,y with the number of the line in a; change may replace a row.
func lines(n int, change map[int]string) string {
	var b strings.Builder
	b.WriteString("a,b,y\n")
	for line := 2; line <= n+1; line++ {
		if row, ok := change[line]; ok {
			b.WriteString(row + "\n")
			continue
		}
		fmt.Fprintf(&b, "%d,%d.5,c%d\n", line, line, line/7%2)
	}
	return b.String()
}

func TestReadCSVNamesTheLine(t *testing.T) {
	t.Parallel()
	bad := map[int]string{70_000: "70000,abc,c1", 90_000: "oops"}
	for _, size := range []int{0, 1000, 64 << 10} {
		_, err := readAll(lines(100_000, bad), CSVOptions{blockSize: size})
		if want := (RowError{Line: 70_000, Column: "b", Reason: `not a number: "abc"`}); err == nil || err.Error() != want.Error() {
			t.Errorf("block size %d: got %v, want %v", size, err, want)
		}
	}
}

func TestReadCSVReportsTheFirstBadRows(t *testing.T) {
	t.Parallel()
	bad := map[int]string{}
	for line := 1000; line < 1300; line++ {
		bad[line] = "x,1,c0"
	}
	got, err := readAll(lines(20_000, bad), CSVOptions{SkipBad: true, blockSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if got.BadCount != 300 || len(got.Bad) != 100 || len(got.Target) != 19_700 {
		t.Fatalf("%d bad, %d of them kept, %d good", got.BadCount, len(got.Bad), len(got.Target))
	}
	for i, b := range got.Bad {
		if b.Line != 1000+i {
			t.Fatalf("bad row %d is on line %d", i, b.Line)
		}
	}
}

// The second class comes late, and third values lie on both sides of it: which rows are bad must
// not depend on how the file is cut into blocks.
func TestReadCSVClassesAcrossBlocks(t *testing.T) {
	t.Parallel()
	change := map[int]string{}
	for line := 2; line < 10_002; line++ {
		change[line] = fmt.Sprintf("%d,1,same", line)
	}
	change[5000] = "x,1,never" // a bad row gives no class
	change[7000] = "1,1,other"
	change[7001] = "1,1,third"
	change[7002] = "1,1,fourth"
	change[9000] = "1,1,third"
	text := lines(10_000, change)
	want, err := readAll(text, CSVOptions{SkipBad: true, Parsers: 1, blockSize: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	if want.BadCount != 4 || want.Bad[1].Reason != `a third value "third", after "same" (line 2) and "other" (line 7000): a target has two` {
		t.Fatalf("%v", want.Bad)
	}
	for _, size := range []int{20, 100, 1000, 50_000} {
		got, err := readAll(text, CSVOptions{SkipBad: true, Parsers: 3, blockSize: size})
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("block size %d: %s", size, d)
		}
	}
}

func TestReadCSVEndsWithTheReader(t *testing.T) {
	t.Parallel()
	broken := errors.New("the line is cut")
	r := io.MultiReader(strings.NewReader(lines(50_000, nil)), iotest.ErrReader(broken))
	if _, err := readFrom(r, CSVOptions{blockSize: 4096}); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := readFrom(iotest.OneByteReader(strings.NewReader(lines(500, nil))), CSVOptions{blockSize: 100}); err != nil {
		t.Errorf("byte by byte: %v", err)
	}
}

func TestReadCSVEndsWithTheContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c, err := OpenCSV(strings.NewReader(lines(50_000, nil)), CSVOptions{Target: "y", blockSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	_, err = c.Read(ctx, func(Rows) error { calls++; cancel(); return nil })
	if !errors.Is(err, context.Canceled) || calls != 1 {
		t.Errorf("%v after %d calls", err, calls)
	}
	c, err = OpenCSV(strings.NewReader(lines(50_000, nil)), CSVOptions{Target: "y", blockSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	stop := errors.New("enough")
	if _, err := c.Read(t.Context(), func(Rows) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("got %v", err)
	}
}

func BenchmarkReadCSV(b *testing.B) {
	var text strings.Builder
	text.WriteString("f0,f1,f2,f3,f4,f5,f6,f7,f8,f9,y\n")
	rng := rand.New(rand.NewPCG(1, 1))
	for range 50_000 {
		for range 10 {
			text.WriteString(strconv.FormatFloat(rng.NormFloat64(), 'g', -1, 64) + ",")
		}
		text.WriteString([]string{"no\n", "yes\n"}[rng.IntN(2)])
	}
	b.SetBytes(int64(text.Len()))
	for b.Loop() {
		c, err := OpenCSV(strings.NewReader(text.String()), CSVOptions{Target: "y"})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := c.Read(b.Context(), func(Rows) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

// TestReadCSVCutOff: a stream that breaks off is no whole file, even where what came of it would be
// one; a form without its end breaks off so.
func TestReadCSVCutOff(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"a,y\n1,0\n2,1\n", "a,y\n1,0\n2,1"} {
		for _, broken := range []error{io.ErrUnexpectedEOF, fmt.Errorf("multipart: %w", io.EOF)} {
			_, err := readFrom(io.MultiReader(strings.NewReader(text), iotest.ErrReader(broken)), CSVOptions{})
			if !errors.Is(err, broken) {
				t.Errorf("%q and then %v: error %v, want that", text, broken, err)
			}
		}
	}
}
