package apiserver

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	b := setup(t)
	value := 0.02
	drift := ml.Happening{At: testNow, Kind: ml.HappenedDrift, ID: 9, Version: "v1", Value: &value, Detail: "retrained"}
	b.happened = []ml.Happening{
		drift,
		{At: testNow.Add(-time.Hour), Kind: ml.HappenedSwap, ID: 3, Version: "v1"},
		{At: testNow.Add(-25 * time.Hour), Kind: ml.HappenedImport, ID: 4, Detail: "old.csv"},
	}
	c := b.client(t, "user")
	got, err := c.Events(t.Context(), api.During{}, 1)
	want := api.EventList{
		Events: []api.Event{{At: testNow, Kind: "drift", ID: 9, ModelVersion: "v1", Value: &value, Detail: "retrained"}},
		From:   testNow.Add(-24 * time.Hour), To: testNow, More: true,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v, the newest of a day (-want +got):\n%s", err, diff)
	}
	got, err = c.Events(t.Context(), api.During{From: testNow.Add(-30 * time.Hour)}, 0, "import", "swap")
	if err != nil || len(got.Events) != 2 || got.Events[0].Kind != "swap" || got.Events[1].Detail != "old.csv" || got.More {
		t.Errorf("imports and swaps of 30 hours: %+v, %v", got, err)
	}
	if got, err = c.Events(t.Context(), api.During{To: testNow.AddDate(-1, 0, 0)}, 0); err != nil || got.Events == nil {
		t.Errorf("a time without events: %+v, %v", got, err)
	}
	for _, query := range []string{"?from=2026-11-24T00:00:00Z", "?kind=birthday", "?limit=1001", "?limit=0", "?from=yesterday"} {
		problem(t, b.send(t, "GET", "/events"+query, "user", ""), 422)
	}
}
