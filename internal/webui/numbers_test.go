package webui

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// A form is read as its page writes numbers, and never as another number.
func TestReadNumber(t *testing.T) {
	t.Parallel()
	languages := words(t)
	unclear, wrong := -1.0, -2.0
	for text, want := range map[string][2]float64{ // in English and in French
		"5,100": {5100, 5.1}, "1,234,567.8": {1234567.8, 1234567.8}, "2,5": {2.5, 2.5}, " -0,125": {-0.125, -0.125}, "5.100": {5.1, 5.1}, "1e3": {1000, 1000},
		"2\u00a0473": {2473, 2473}, "2 100,50": {2100.5, 2100.5}, "2\u202f100.50": {2100.5, 2100.5}, "1\u2009234 567": {1234567, 1234567}, "1,5e2": {150, 150},
		"1234,567": {unclear, 1234.567}, "2 100,500": {unclear, 2100.5},
		"21 00": {wrong, wrong}, "1 234 56": {wrong, wrong}, "1,23,456": {wrong, wrong}, "1.234,5": {wrong, wrong}, "1.234.567": {wrong, wrong},
		"": {wrong, wrong}, ",": {wrong, wrong}, "inf": {wrong, wrong}, "NaN": {wrong, wrong}, "0x1p3": {wrong, wrong}, "1e999": {wrong, wrong},
	} {
		for i, code := range []string{"en", "fr"} {
			got, err := languages[code].readNumber(text)
			switch {
			case errors.Is(err, errUnclear):
				got = unclear
			case err != nil:
				got = wrong
			}
			if got != want[i] {
				t.Errorf("%s: %q is read as %v, want %v", code, text, got, want[i])
			}
		}
	}
}

// What the page writes can be typed into its form, and a wrong field is where the cursor is.
func TestPredictFormReadsThePagesNumbers(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	v.post("/predict", url.Values{"f.age": {"5,100"}, "f.dose": {"2"}}).wants(t, http.StatusOK)
	r := v.request(http.MethodPost, "/predict", url.Values{"f.age": {"2\u00a0100,50"}, "f.dose": {"2"}})
	r.AddCookie(french)
	v.send(r).wants(t, http.StatusOK)
	for i, want := range []float64{5100, 2100.5} {
		if got := f.features[i]["age"]; got != want {
			t.Errorf("the API is asked for %v, want %v", got, want)
		}
	}
	page := v.post("/predict", url.Values{"f.age": {"1"}, "f.dose": {"1234,567"}})
	page.wants(t, http.StatusUnprocessableEntity, `aria-invalid="true" aria-describedby="wrong-dose" autofocus>`, "can be read in two ways. Write thousands without a separator")
	if strings.Count(page.body, "autofocus") != 1 {
		t.Error("two fields want the cursor")
	}
}

// The cells of a paste tell what its commas are for; where none does, none is guessed.
func TestReadRowsByTheirOwnMarks(t *testing.T) {
	t.Parallel()
	l := words(t)["fr"]
	for text, want := range map[string]float64{
		"5,100;2,5": 5.1, "5,100;1.5": 5100, "5,100;1,234.5": 5100, "5,100;1,234,567": 5100, "5.100;3": 5.1, "2 100,50;1": 2100.5, "2\u00a0100;1": 2100, "\"1,234.5\",2": 1234.5,
		"a;b\n1;2,5\n": 1, "\u22122\u00a0100,50;1e\u22123": -2100.5,
	} {
		rows, err := l.readRows(text, []string{"a", "b"})
		if err != nil || rows[0][0] != want {
			t.Errorf("%q: %v, %v, want %v", text, rows, err, want)
		}
	}
	l = words(t)["en"]
	for text, want := range map[string]string{
		"5,100;2":              "Line 1: a is 5,100, which can be read in two ways.",
		"b;a\n1;2\n3;5,100":    "Line 3: a is 5,100, which",
		"2,5;1\n3;5.100":       "Line 2: b is 5.100, which",
		"1,234.5;1\n2,5;5,100": "Line 2: b is 5,100, which",
		"5,100,2":              "Line 1 needs 2 numbers and has 3",
		"a,b\n5,100,2":         "Line 2 needs 2 numbers and has 3",
		"PK\x03\x04...":        "is a spreadsheet (.xlsx, .ods)",
		"\xff\xfea\x00":        "is UTF-16 text: save it as UTF-8",
		"\x1f\x8b\x08":         "is compressed",
	} {
		if _, err := l.readRows(text, []string{"a", "b"}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
