package mlflow

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
)

// scenario tells a server of all that can happen to a model: a retraining that fails, one that is let in,
// one that is not, others of other features, a rollback; and looks at what is there afterwards. The
// server has to know nothing of it before.
func scenario(t *testing.T, tracker *Tracker, w *world) []ml.TrackedRun {
	t.Helper()
	first := w.retraining(2, 2)
	one := first.Version.Name
	challenger := w.rejected(3, 2, one)
	narrow, wide := w.retraining(4, 1), w.retraining(5, 30)
	narrow.Aliases.Previous = one
	wide.Aliases.Previous = narrow.Version.Name
	told := []ml.TrackedRun{w.failed(1, ""), first, challenger, narrow, wide}
	ids := make(map[string]bool)
	for _, r := range told {
		p := new(page)
		made, err := tracker.Track(t.Context(), r, nil, p.save)
		if err != nil {
			t.Fatal(err)
		}
		again, err := tracker.Track(t.Context(), r, p.notes, p.save)
		if err != nil || again != made || ids[made.ID] {
			t.Errorf("%s: the run is %s, then %s (%v)", runName(r), made, again, err)
		}
		ids[made.ID] = true
		notANumber(t, tracker.client, made.ID)
	}
	experiments(t, tracker.client)
	back := ml.Aliases{Champion: one, Previous: wide.Version.Name}
	if err := tracker.SetAliases(t.Context(), back); err != nil {
		t.Fatal(err)
	}
	kept := []ml.Version{{Name: "unknown there"}, *wide.Version, *narrow.Version, *challenger.Version}
	got, err := tracker.Reconcile(t.Context(), kept, ml.Aliases{Champion: one, Challenger: challenger.Version.Name})
	if err != nil {
		t.Fatal(err)
	}
	want := Differences{
		Missing: []ml.Version{{Name: "unknown there"}}, Foreign: []string{one},
		Aliases: []AliasDifference{{"challenger", challenger.Version.Name, ""}, {"previous", "", wide.Version.Name}},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	return told
}

// notANumber logs what JSON has no notation for, and reads it again.
func notANumber(t *testing.T, c *Client, id string) {
	t.Helper()
	values := map[string]float64{"odd_nan": math.NaN(), "odd_up": math.Inf(1), "odd_down": math.Inf(-1), "odd_small": 5e-324, "odd_third": -1.0 / 3}
	b := batch{Run: id}
	for _, key := range []string{"odd_nan", "odd_up", "odd_down", "odd_small", "odd_third"} {
		b.Metrics = append(b.Metrics, metric{Key: key, Value: number(values[key]), Timestamp: millis(noon())})
	}
	if err := c.logBatch(t.Context(), b); err != nil {
		t.Fatal(err)
	}
	r, err := c.getRun(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, m := range r.Data.Metrics {
		want, odd := values[m.Key]
		if !odd {
			continue
		}
		found++
		if got := float64(m.Value); got != want && !(math.IsNaN(got) && math.IsNaN(want)) {
			t.Errorf("%s came back as %v, want %v", m.Key, got, want)
		}
	}
	if found != len(values) {
		t.Errorf("%d of %d odd metrics came back", found, len(values))
	}
}

// experiments are made once, restored if somebody deleted them, and get their tag if somebody else made them.
func experiments(t *testing.T, c *Client) {
	t.Helper()
	const name = "made by hand"
	if err := c.post(t.Context(), "experiments/create", map[string]string{"name": name}, nil); err != nil {
		t.Fatal(err)
	}
	id, err := c.experiment(t.Context(), name)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.post(t.Context(), "experiments/delete", map[string]string{"experiment_id": id}, nil); err != nil {
		t.Fatal(err)
	}
	if again, err := c.experiment(t.Context(), name); err != nil || again != id {
		t.Errorf("the experiment is %s, then %s (%v)", id, again, err)
	}
	e, err := c.findExperiment(t.Context(), name)
	if err != nil || e.Stage != "active" || len(e.Tags) != 1 || e.Tags[0] != (pair{tagKind, kindValue}) {
		t.Errorf("%+v, %v", e, err)
	}
	if _, err := c.createExperiment(t.Context(), name); !hasCode(err, codeExists) {
		t.Errorf("made twice: %v", err)
	}
}
