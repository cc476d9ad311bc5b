package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"iacontinu/internal/api"
)

// figures are what a process of the API tells of itself.
type figures map[string]*dto.MetricFamily

func figuresOf(ctx context.Context, client *api.Client) (figures, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	text, err := client.Metrics(ctx)
	if err != nil {
		return nil, err
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	all, err := parser.TextToMetricFamilies(strings.NewReader(text))
	if err != nil {
		return nil, fmt.Errorf("its metrics can't be read: %w", err)
	}
	return all, nil
}

// process tells it from any other: when it started, to a hundredth of a second, and of which build it is.
func (f figures) process() string {
	var id []string
	for _, m := range f["process_start_time_seconds"].GetMetric() {
		id = append(id, fmt.Sprint(m.GetGauge().GetValue()))
	}
	for _, m := range f["app_info"].GetMetric() {
		id = append(id, label(m, "version"))
	}
	return strings.Join(id, " ")
}

// answers are how many requests it answered, and how many of them with an error of its own. Those of who watches it
// are left out.
func (f figures) answers() (all, failed float64) {
	for _, m := range f["api_requests_total"].GetMetric() {
		switch label(m, "endpoint") {
		case api.PathMetrics, api.PathHealth, api.PathReady:
			continue
		}
		all += m.GetCounter().GetValue()
		if strings.HasPrefix(label(m, "status_code"), "5") {
			failed += m.GetCounter().GetValue()
		}
	}
	return all, failed
}

func label(m *dto.Metric, name string) string {
	for _, l := range m.GetLabel() {
		if l.GetName() == name {
			return l.GetValue()
		}
	}
	return ""
}

// running is how many requests it answers, beside the one that asks.
func (f figures) running() (int, error) {
	m := f["api_active_requests"].GetMetric()
	if len(m) == 0 {
		return 0, errors.New("it does not tell api_active_requests")
	}
	return max(int(m[0].GetGauge().GetValue())-1, 0), nil
}
