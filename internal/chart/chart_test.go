package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestTicks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		low, high float64
		want      []float64
	}{
		{0, 1, []float64{0, 0.5, 1}},
		{0.9, 1, []float64{0.9, 0.95, 1}},
		{-3, 7, []float64{0, 5}},
		{0, 4, []float64{0, 1, 2, 3, 4}},
		{2, 2, []float64{2}},
	} {
		if diff := cmp.Diff(test.want, Ticks(test.low, test.high, 4), cmpopts.EquateApprox(0, 1e-9)); diff != "" {
			t.Errorf("%v to %v: %s", test.low, test.high, diff)
		}
	}
}

// An axis begins and ends with a tick.
func TestRounded(t *testing.T) {
	t.Parallel()
	for _, test := range []scale{{0.99, 0.9975}, {0, 0.69}, {-3, 7}, {0.5, 0.5}, {99, 101.3}, {0, 1}} {
		s := test.rounded(4)
		ticks := Ticks(s.low, s.high, 4)
		if s.low > test.low+1e-9 || s.high < test.high-1e-9 {
			t.Errorf("%v became %v", test, s)
		}
		if got := []float64{ticks[0], ticks[len(ticks)-1]}; !cmp.Equal(got, []float64{s.low, s.high}, cmpopts.EquateApprox(0, 1e-9)) {
			t.Errorf("%v: ticks %v on %v", test, ticks, s)
		}
	}
}

func TestTimeTicksAreRound(t *testing.T) {
	t.Parallel()
	want := []float64{3600, 7200, 10800}
	if diff := cmp.Diff(want, TimeTicks(1800, 12600, 4, time.UTC)); diff != "" {
		t.Error(diff)
	}
	for _, span := range []float64{1, 59, 86400, 86400 * 400, 86400 * 4000} {
		if n := len(TimeTicks(0, span, 5, time.UTC)); n < 1 || n > 6 {
			t.Errorf("%v seconds: %d ticks", span, n)
		}
	}
}

// Days begin where the zone's do, also after its clocks changed: on 25 October 2026 at 01:00 UTC in Paris.
func TestTimeTicksAreRoundInTheirZone(t *testing.T) {
	t.Parallel()
	paris, err := time.LoadLocation("Europe/Paris")
	if err != nil {
		t.Fatal(err)
	}
	at := func(moment string) float64 {
		parsed, err := time.Parse(time.RFC3339, moment)
		if err != nil {
			t.Fatal(err)
		}
		return float64(parsed.Unix())
	}
	for name, tt := range map[string]struct {
		low, high string
		want      []string
	}{
		"days":              {"2026-10-23T22:00:00Z", "2026-10-27T12:00:00Z", []string{"2026-10-23T22:00:00Z", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z", "2026-10-26T23:00:00Z"}},
		"an hour left out":  {"2026-03-28T23:30:00Z", "2026-03-29T03:30:00Z", []string{"2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z", "2026-03-29T03:00:00Z"}},
		"six hours by them": {"2026-11-25T03:00:00Z", "2026-11-26T06:00:00Z", []string{"2026-11-25T05:00:00Z", "2026-11-25T11:00:00Z", "2026-11-25T17:00:00Z", "2026-11-25T23:00:00Z", "2026-11-26T05:00:00Z"}},
	} {
		var got []string
		for _, tick := range TimeTicks(at(tt.low), at(tt.high), 5, paris) {
			got = append(got, time.Unix(int64(tick), 0).UTC().Format(time.RFC3339))
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// elements are those of a chart in their order; it fails for one that is not well formed.
func elements(t *testing.T, html string) (out []xml.StartElement) {
	t.Helper()
	d := xml.NewDecoder(strings.NewReader(html))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatalf("not well formed: %v\n%s", err, html)
		}
		if e, ok := token.(xml.StartElement); ok {
			out = append(out, e)
		}
	}
}

// drawn counts what a chart draws, by name and class, and fails for what would break a strict policy.
func drawn(t *testing.T, html string) map[string]int {
	t.Helper()
	out := map[string]int{}
	for _, e := range elements(t, html) {
		key := e.Name.Local
		for _, a := range e.Attr {
			switch a.Name.Local {
			case "style", "onclick", "onload":
				t.Errorf("<%s> has %s", e.Name.Local, a.Name.Local)
			case "class":
				key += "." + strings.Join(strings.Fields(a.Value), ".")
			}
			if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
				t.Errorf("<%s %s=%q>", e.Name.Local, a.Name.Local, a.Value)
			}
		}
		out[key]++
	}
	return out
}

func TestLineDrawsWhatItIsGiven(t *testing.T) {
	t.Parallel()
	zero := 0.0
	html := string(Line{
		ID: "c", Title: "Score <of> f1", Summary: "It rises.", Low: &zero, Time: true,
		Series: []Series{{Name: "f1", Points: []Point{{100, 0.1}, {200, 0.4}}}, {Name: "f2", Points: []Point{{200, 0.2}}}},
		Limits: []Limit{{"limit", 0.3}},
		Marks:  []Mark{{150, "swap", "v2"}, {900, "swap", "out of sight"}},
		Labels: Labels{X: "time", Figures: "figures"},
	}.HTML())
	got := drawn(t, html)
	for key, want := range map[string]int{
		"line.limit": 1, "g.mark.swap": 1, "polyline.line.series-1": 1, "circle.dot.series-1": 2, "circle.dot.series-2": 1,
		"rect.tip": 2, "tr": 3,
	} {
		if got[key] != want {
			t.Errorf("%s: %d, want %d\n%s", key, got[key], want, html)
		}
	}
	for _, want := range []string{"Score &lt;of&gt; f1. It rises.", `data-from="100"`, `data-to="200"`, "200\nf1: 0.4\nf2: 0.2"} {
		if !strings.Contains(html, want) {
			t.Errorf("no %q in %s", want, html)
		}
	}
}

func TestLineOfOddNumbers(t *testing.T) {
	t.Parallel()
	for name, points := range map[string][]Point{
		"one point": {{5, 0.5}}, "flat": {{1, 0}, {2, 0}}, "not a number": {{1, 1}, {2, 3}, {3, 2}}, "huge": {{1, 1e300}, {2, -1e300}},
	} {
		html := string(Line{Title: name, Series: []Series{{Name: "s", Points: points}}}.HTML())
		if n := drawn(t, html)["svg.plot"]; n != 1 {
			t.Errorf("%s: %d plots", name, n)
		}
	}
	html := string(Line{Title: "none", Labels: Labels{Empty: "Nothing yet."}}.HTML())
	if got := drawn(t, html); got["svg.plot"] != 0 || !strings.Contains(html, "Nothing yet.") {
		t.Errorf("a chart without points: %s", html)
	}
}

// A long series stays small.
func TestLineIsBounded(t *testing.T) {
	t.Parallel()
	var points []Point
	for i := range 5000 {
		points = append(points, Point{float64(i), math.Sin(float64(i))})
	}
	got := drawn(t, string(Line{Title: "long", Series: []Series{{Name: "s", Points: points}}}.HTML()))
	if got["rect.tip"] > mostTips || got["circle.dot.series-1"] > 0 {
		t.Errorf("%d tips, %d dots", got["rect.tip"], got["circle.dot.series-1"])
	}
}

func TestBarsToBothSides(t *testing.T) {
	t.Parallel()
	html := string(Bars{Title: "b", Bars: []Bar{{"a", 2, "+2"}, {"b", -1, "-1"}}}.HTML())
	drawn(t, html)
	for _, want := range []string{`class="bar up" x="50.00%" width="50.00%"`, `class="bar down" x="25.00%" width="25.00%"`} {
		if !strings.Contains(html, want) {
			t.Errorf("no %s in %s", want, html)
		}
	}
	if html := string(Bars{Title: "b", Bars: []Bar{{"a", 1, "1"}}, Most: 4}.HTML()); !strings.Contains(html, `x="0.00%" width="25.00%"`) {
		t.Errorf("of one side: %s", html)
	}
}

func TestStripSaysEachCell(t *testing.T) {
	t.Parallel()
	html := string(Strip{Title: "checks", Summary: "2 checks", Cells: []Cell{{"good", "", "fine"}, {"bad", "!", "drift & more"}}}.HTML())
	got := drawn(t, html)
	if got["g.cell.good"] != 1 || got["g.cell.bad"] != 1 || !strings.Contains(html, "drift &amp; more") {
		t.Error(html)
	}
	if html := string(Strip{Title: "checks", Empty: "None yet."}.HTML()); !strings.Contains(html, "None yet.") {
		t.Error(html)
	}
}
