package tabular

import (
	"encoding/csv"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// reference reads text with encoding/csv; ok is false if that has a word against it, or if the text
// has spaces that it takes off in front of a field and we do not: all of Unicode's, and a lone \r.
func reference(text string, delim byte) (records [][]string, ok bool) {
	r := csv.NewReader(strings.NewReader(text))
	r.Comma, r.FieldsPerRecord, r.TrimLeadingSpace = rune(delim), -1, true
	records, err := r.ReadAll()
	for _, record := range records {
		for j, f := range record {
			record[j] = strings.Trim(f, " \t")
		}
	}
	strange := func(r rune) bool { return unicode.IsSpace(r) && !strings.ContainsRune(" \t\n", r) }
	return records, err == nil && !strings.ContainsFunc(strings.ReplaceAll(text, "\r\n", "\n"), strange)
}

// agrees reads text in every way there is, and holds the results to each other and to encoding/csv.
func agrees(t rapid.TB, text string) {
	t.Helper()
	o := CSVOptions{SkipBad: true, careful: true, KeepBad: 1000}
	want, wantErr := readAll(text, o)
	for _, size := range []int{7, 64, 1000} {
		if !strings.HasPrefix(text, "a,y\n") {
			size = 4000 // the header must be in the first block
		}
		o.blockSize, o.careful = size, false
		got, err := readAll(text, o)
		if fmt.Sprint(err) != fmt.Sprint(wantErr) {
			t.Fatalf("block size %d: error %v, want %v\n%q", size, err, wantErr, text)
		}
		if d := cmp.Diff(want, got); wantErr == nil && d != "" {
			t.Fatalf("block size %d:\n%s\n%q", size, d, text)
		}
	}
	records, ok := reference(text, ',')
	if wantErr != nil || !ok || len(want.Names) != 1 || !strings.HasPrefix(text, "a,y\n") {
		return
	}
	var features []float64
	var target []string
	classes := map[string]bool{}
	for _, record := range records[1:] {
		if len(record) == 2 {
			record[1] = oneLine(record[1])
		}
		if len(record) != 2 || record[1] == "" || strings.ContainsAny(record[0], "xX_nNiI") {
			continue
		}
		v, err := strconv.ParseFloat(record[0], 64)
		if err != nil || !classes[record[1]] && len(classes) == 2 {
			continue
		}
		classes[record[1]] = true
		features, target = append(features, v), append(target, record[1])
	}
	if d := cmp.Diff(table{Features: [][]float64{features}, Target: target}, table{Features: want.Features, Target: want.Target}); d != "" {
		t.Fatalf("encoding/csv says otherwise:\n%s\n%q", d, text)
	}
}

func TestReadCSVAgreesWithEncodingCSV(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		pieces := rapid.SliceOfN(rapid.SampledFrom([]string{
			"1", "2.5", "-3e7", "x", "nan", "yes", "no", "maybe", ",", ",", ",", "\n", "\n", "\n", "\r\n", "\r",
			`"`, `""`, " ", "\t", ";", "0.12345678901234567", "é", "\x00", "1,yes\n", "2,no\n", "\"3\",\"n\no\"\n",
		}), 0, 60).Draw(t, "pieces")
		agrees(t, "a,y\n"+strings.Join(pieces, ""))
	})
}

func FuzzCSV(f *testing.F) {
	for _, s := range []string{
		"1,yes\n2,no\n", "1,yes\r\n\r\n\"2\",\"n\"\"o\"\r\n", "\"1\"x,yes\n2,\"no\n\"\n", " 1 ,yes\n2,a\"b\n3,\"", "\r\r\n,,\n",
	} {
		f.Add("a,y\n" + s)
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) < 4000 {
			agrees(t, text)
		}
	})
}
