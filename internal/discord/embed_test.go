package discord

import (
	"encoding/json"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"iacontinu/internal/discord/discordtest"
	"iacontinu/internal/ml"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestGoldenMessage(t *testing.T) {
	t.Parallel()
	got, err := json.MarshalIndent(newMessage(event()), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	const file = "testdata/message.json"
	if *update {
		if err := os.WriteFile(file, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("message differs from %s (-want +got):\n%s", file, diff)
	}
}

// Whatever an event holds, Discord takes the message.
func TestAnyEventIsAccepted(t *testing.T) {
	t.Parallel()
	// Long texts, characters of two units, blanks and invalid bytes are what breaks limits.
	text := rapid.Custom(func(t *rapid.T) string {
		piece := rapid.SampledFrom([]string{"a", " ", "é", "😀", "\xff", "\n", "\u200b", ""}).Draw(t, "piece")
		return strings.Repeat(piece, rapid.IntRange(0, 7000).Draw(t, "times")) + rapid.String().Draw(t, "rest")
	})
	rapid.Check(t, func(t *rapid.T) {
		e := ml.Event{
			Topic:    ml.EventTopic(text.Draw(t, "topic")),
			Severity: rapid.SampledFrom([]ml.Severity{"", ml.SeverityDrift, ml.SeverityFailure, "nonsense"}).Draw(t, "severity"),
			Title:    text.Draw(t, "title"),
			Text:     text.Draw(t, "text"),
			At:       time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "at"), 0),
		}
		for range rapid.IntRange(0, 30).Draw(t, "fields") {
			e.Fields = append(e.Fields, ml.EventField{Name: text.Draw(t, "name"), Value: text.Draw(t, "value")})
		}
		body, err := json.Marshal(newMessage(e))
		if err != nil {
			t.Fatal(err)
		}
		if problems := discordtest.Validate(body); len(problems) > 0 {
			t.Fatalf("refused: %+v", problems)
		}
	})
}

func TestTruncateKeepsAsMuchAsFits(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringOfN(rapid.RuneFrom([]rune("aé😀…")), 0, 40, -1).Draw(t, "s")
		limit := rapid.IntRange(1, 60).Draw(t, "limit")
		got := truncate(s, limit)
		if units(s) <= limit {
			if got != s {
				t.Fatalf("truncate(%q, %d) = %q, want it whole", s, limit, got)
			}
			return
		}
		kept, cut := strings.CutSuffix(got, ellipsis)
		if !cut || !strings.HasPrefix(s, kept) {
			t.Fatalf("truncate(%q, %d) = %q, want a beginning of it and an ellipsis", s, limit, got)
		}
		if n := units(got); n > limit || n < limit-1 { // one less where a pair does not fit
			t.Fatalf("truncate(%q, %d) = %q of %d units", s, limit, got, n)
		}
	})
}

func TestTitleAndFooterOutlastALongText(t *testing.T) {
	t.Parallel()
	e := event()
	e.Text = strings.Repeat("x", 5000)
	e.Fields = nil
	for range 25 {
		e.Fields = append(e.Fields, ml.EventField{Name: "n", Value: strings.Repeat("v", 2000)})
	}
	m := newMessage(e).Embeds[0]
	if m.Title != e.Title || m.Footer.Text != e.Footer {
		t.Errorf("title %q footer %q, want both whole", m.Title, m.Footer.Text)
	}
	if n := units(m.Description); n != maxDescription {
		t.Errorf("text of %d units, want %d", n, maxDescription)
	}
	if len(m.Fields) == 0 || units(m.Fields[0].Value) != maxFieldValue {
		t.Errorf("fields %d, want the first one of full length", len(m.Fields))
	}
}

func TestColors(t *testing.T) {
	t.Parallel()
	for severity, want := range map[ml.Severity]int{
		ml.SeveritySuccess: 5814783, ml.SeverityFailure: 15158332, ml.SeverityWarning: 16776960,
		ml.SeverityInfo: 3447003, ml.SeverityDrift: 16753920, "": 3447003,
	} {
		if got := color(severity); got != want {
			t.Errorf("%q: %d, want %d", severity, got, want)
		}
	}
}
