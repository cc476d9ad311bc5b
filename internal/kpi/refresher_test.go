package kpi

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/prometheus/common/expfmt"

	"iacontinu/internal/ml"
)

func figures() ml.Figures {
	took := 1500 * time.Millisecond
	return ml.Figures{
		Predictions: 7, ActiveUsers: 2, DriftToBetter: &took,
		Retrains: map[string]int64{"activated": 3, "failed": 1},
		Users:    map[ml.Role]int64{ml.RoleAdmin: 1, ml.RoleUser: 4},
		Datasets: map[ml.DatasetSource]ml.DatasetFigures{
			ml.SourceGenerated: {Count: 5, Latest: ml.Dataset{Samples: 100, ClassCounts: [2]int{60, 40}}},
		},
	}
}

const told = `
# TYPE iacontinu_business_active_users_day gauge
iacontinu_business_active_users_day 2
# TYPE iacontinu_business_drift_to_better_model_seconds gauge
iacontinu_business_drift_to_better_model_seconds 1.5
# TYPE iacontinu_business_predictions_day gauge
iacontinu_business_predictions_day 7
# TYPE iacontinu_business_refreshed_timestamp_seconds gauge
iacontinu_business_refreshed_timestamp_seconds 1.0000005e+06
# TYPE iacontinu_business_retrains_day gauge
iacontinu_business_retrains_day{verdict="activated"} 3
iacontinu_business_retrains_day{verdict="failed"} 1
iacontinu_business_retrains_day{verdict="rejected"} 0
# TYPE iacontinu_business_users gauge
iacontinu_business_users{role="admin"} 1
iacontinu_business_users{role="user"} 4
# TYPE iacontinu_dataset_class_rows gauge
iacontinu_dataset_class_rows{class="0",source="generated"} 60
iacontinu_dataset_class_rows{class="0",source="imported"} 0
iacontinu_dataset_class_rows{class="1",source="generated"} 40
iacontinu_dataset_class_rows{class="1",source="imported"} 0
# TYPE iacontinu_dataset_rows gauge
iacontinu_dataset_rows{source="generated"} 100
iacontinu_dataset_rows{source="imported"} 0
# TYPE iacontinu_datasets gauge
iacontinu_datasets{source="generated"} 5
iacontinu_datasets{source="imported"} 0
`

// scrape is what a scrape tells, without the help.
func scrape(t *testing.T, reg *prometheus.Registry) string {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var text, out strings.Builder
	for _, f := range families {
		if _, err := expfmt.MetricFamilyToText(&text, f); err != nil {
			t.Fatal(err)
		}
	}
	out.WriteString("\n")
	for line := range strings.Lines(text.String()) {
		if !strings.HasPrefix(line, "# HELP") {
			out.WriteString(line)
		}
	}
	return out.String()
}

func TestFiguresAreReadInTheBackground(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	now := time.UnixMilli(1_000_000_500)
	read := make(chan time.Time)
	answer := make(chan error)
	r, err := New(Options{
		Read: func(_ context.Context, since time.Time) (ml.Figures, error) {
			read <- since
			return figures(), <-answer
		},
		Interval: time.Millisecond, Registerer: reg, Clock: func() time.Time { return now },
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- r.Run(ctx) }()
	if since := <-read; !since.Equal(now.Add(-24 * time.Hour)) {
		t.Errorf("read since %v, want a day before %v", since, now)
	}
	if text := scrape(t, reg); text != "\n" {
		t.Errorf("told before anything was read: %s", text)
	}
	answer <- nil
	<-read // the second reading: the first is told
	if text := scrape(t, reg); text != told {
		t.Errorf("told %s\nwant %s", text, told)
	}
	now = now.Add(time.Hour)
	answer <- errors.New("database is locked")
	<-read
	if text := scrape(t, reg); text != told {
		t.Errorf("after a reading that failed %s\nwant the old figures with their old time", text)
	}
	answer <- nil
	cancel()
	for {
		select {
		case <-read:
			answer <- nil
		case err := <-done:
			if err != nil {
				t.Error(err)
			}
			return
		}
	}
}

// A better version that is gone leaves no time behind, nor what is not known at all a zero.
func TestWhatIsNotKnownIsAbsent(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	m, err := newMetrics(reg)
	if err != nil {
		t.Fatal(err)
	}
	m.set(figures(), time.Now())
	m.set(ml.Figures{}, time.Now())
	if n, err := testutil.GatherAndCount(reg, "iacontinu_business_drift_to_better_model_seconds"); n != 0 || err != nil {
		t.Errorf("%d times from drift to a better version, %v; want none", n, err)
	}
}
