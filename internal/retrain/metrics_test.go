package retrain

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/ml"
)

func TestRetrainingsAreCountedByHowTheyEnded(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(ml.GeneratedSchema(), sample(400, 1, plane))
	reg := prometheus.NewRegistry()
	r := w.retrainer(t, func(o *Options) { o.Registerer = reg })
	if err := r.Run(t.Context(), 1, testCreated(), ml.RetrainArgs{}, nil); err != nil {
		t.Fatal(err)
	}
	rec := flowrun.NewRecorder(flowrun.Run{}, func() time.Time { return w.now })
	err := r.Run(t.Context(), 2, testCreated(), ml.RetrainArgs{DatasetID: 99}, rec)
	if err := r.Failed(t.Context(), 2, testCreated(), ml.RetrainArgs{}, rec, err); err != nil {
		t.Fatal(err)
	}
	for verdict, want := range map[string]string{"activated": " 1", "failed": " 1", "rejected": " 0"} {
		line := `iacontinu_retrain_duration_seconds_count{verdict="` + verdict + `"}` + want
		if text := scrape(t, reg, "iacontinu_retrain_duration_seconds"); !strings.Contains(text, line+"\n") {
			t.Errorf("no line %s in\n%s", line, text)
		}
	}
}

// scrape is what a scrape tells of a metric.
func scrape(t *testing.T, reg *prometheus.Registry, name string) string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, f := range families {
		if f.GetName() != name {
			continue
		}
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	return text.String()
}

func TestMetricsRecallWhatOtherWorkersDid(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	reg := prometheus.NewRegistry()
	recap, failure := ml.RetrainRecap{RejectedInARow: 3, Last: map[string]time.Time{"rejected": time.Unix(1000, 0), "failed": time.Unix(500, 5e8)}}, error(nil)
	r := w.retrainer(t, func(o *Options) {
		o.Registerer = reg
		o.Recap = func(context.Context) (ml.RetrainRecap, error) { return recap, failure }
	})
	want := `
# HELP iacontinu_retrain_last_timestamp_seconds When a retraining last ended so, the same in every worker: take the maximum. Absent if none did.
# TYPE iacontinu_retrain_last_timestamp_seconds gauge
iacontinu_retrain_last_timestamp_seconds{verdict="failed"} 500.5
iacontinu_retrain_last_timestamp_seconds{verdict="rejected"} 1000
# HELP iacontinu_retrain_rejected_in_a_row Candidates rejected since one was activated, the same in every worker: take the maximum.
# TYPE iacontinu_retrain_rejected_in_a_row gauge
iacontinu_retrain_rejected_in_a_row 3
`
	told := []string{"iacontinu_retrain_last_timestamp_seconds", "iacontinu_retrain_rejected_in_a_row"}
	r.Recall(t.Context())
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), told...); err != nil {
		t.Error(err)
	}
	recap, failure = ml.RetrainRecap{}, errors.New("database is locked")
	r.Recall(t.Context())
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), told...); err != nil {
		t.Errorf("what is known is gone after a reading that failed: %v", err)
	}
}
