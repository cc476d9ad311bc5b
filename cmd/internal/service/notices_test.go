package service

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/discord/discordtest"
	"iacontinu/internal/ml"
	"iacontinu/internal/wording"
)

// values for every sentence there is.
var anything = map[string]any{
	"value": 0.25, "threshold": 0.5, "n": 2, "feature": "âge", "rows": 12345, "want": 200, "error": "connection refused", "ago": 15, "cooldown": 3600,
	"target": "cible", "version": "v2", "candidate": "v2", "champion": "v1", "actor": "ann", "count": 2, "features": "âge, dose", "first": "non", "second": "oui",
	"who": "ann", "accuracy": 0.95, "champion_accuracy": 0.94, "majority": 0.5, "noise": 0.01, "ks": 0.1, "psi": 0.2, "job": 7, "class": "oui", "dataset": 3, "times": 21,
	"least": 8, "most": 128, "name": "ann", "left": 5, "limit": 8192,
}

// Every notice, sentence and figure is written in the language that is set, as Discord takes it.
func TestNoticesAreToldInTheLanguageOfTheSetting(t *testing.T) {
	t.Parallel()
	for language, footer := range map[string]string{"en": "IA Continu · retrain", "fr": "IA Continu · entraînement"} {
		discord := discordtest.NewServer(t, discordtest.Options{})
		w, err := NewWorker(t.Context(), openPlatform(t, t.TempDir()), WorkerSettings{DiscordURL: discord.WebhookURL, NotifyCooldown: -1, NotifyLanguage: language}, Tracking{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		said := events(wording.In(language).Keys())
		for i, e := range said {
			e.Topic, e.State, e.At = ml.EventRetrain, fmt.Sprint(i), time.Now()
			if wait, err := w.notifier.Deliver(t.Context(), e); err != nil || wait > 0 {
				t.Fatalf("%s: %v, %v", e.Says[0].Code, wait, err)
			}
		}
		told := discord.Payloads()
		if len(told) != len(said) {
			t.Fatalf("%d told, of %d", len(told), len(said))
		}
		for i, p := range told {
			var m struct {
				Embeds []struct {
					Title, Description string
					Fields             []struct{ Name, Value string }
					Footer             struct{ Text string }
				}
			}
			if err := json.Unmarshal(p.Body, &m); err != nil {
				t.Fatal(err)
			}
			got := m.Embeds[0]
			title, _ := wording.In(language).Sentence(said[i].Says[0].Said())
			text, ok := wording.Text(wording.In(language), said[i].Says[1:])
			if got.Title != title || got.Description != text || !ok || got.Footer.Text != footer || len(got.Fields) != len(said[i].Figures) {
				t.Errorf("%s: told %+v", said[i].Says[1].Code, got)
			}
		}
	}
}

// events have each notice once at the least, each sentence with one of them, and all figures.
func events(keys []string) (out []ml.Event) {
	var titles, sentences, figures []ml.Remark
	for _, key := range keys {
		code := strings.TrimSuffix(strings.TrimSuffix(key, ".one"), ".other")
		r := ml.Remark{Code: code, Values: anything}
		switch group, _, _ := strings.Cut(code, "."); group {
		case "notice":
			titles = append(titles, r)
		case "drift", "check", "health", "retrain", "gate", "serving", "test", "error":
			sentences = append(sentences, r)
		case "figure":
			if !strings.HasSuffix(code, ".value") {
				figures = append(figures, r)
			}
		}
	}
	sentences = slices.CompactFunc(sentences, func(a, b ml.Remark) bool { return a.Code == b.Code })
	for i, s := range sentences {
		out = append(out, ml.Event{Says: []ml.Remark{titles[i%len(titles)], s}, Figures: figures})
	}
	return out
}
