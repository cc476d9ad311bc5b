package service

import (
	"context"
	"math"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/kpi"
	"iacontinu/internal/ml"
)

// kpis sets the figures of the specification against their targets. model is the version that serves.
func (p *Platform) kpis(model serving, window *kpi.Window) func(context.Context) (api.KPIs, error) {
	return func(ctx context.Context) (api.KPIs, error) {
		now, r := time.Now().UTC(), window.Recent()
		accuracy, training := math.NaN(), math.NaN()
		if v, ok := model.Current(); ok {
			accuracy = v.Accuracy
		}
		trained, _, err := p.Store.TrainingHistory(ctx, 1)
		if err != nil {
			return api.KPIs{}, err
		}
		if len(trained) > 0 {
			training = trained[0].Duration.Seconds()
		}
		available, err := p.available(ctx, now)
		if err != nil {
			return api.KPIs{}, err
		}
		out := api.KPIs{Timestamp: now, WindowSeconds: r.Window.Seconds(), KPIs: []api.KPI{
			atMost("latency", r.Latency*1000, float64(latencyTarget.Milliseconds()), "ms"),
			atLeast("throughput", r.Requests, 1000, "requests/min"),
			atLeast("availability", available*100, 99.9, "%"),
			atMost("errors", r.Errors*100, 0.1, "%"),
			atLeast("accuracy", accuracy*100, 90, "%"),
			atMost("training", training, 30, "s"),
			atLeast("confidence", r.Confidence*100, 80, "%"),
			atMost("cpu", r.CPU*100, 70, "%"),
			atMost("memory", r.Memory*100, 80, "%"),
		}}
		if t := &out.KPIs[1]; t.Met != nil && !*t.Met { // so few were asked, which says nothing of what can be
			t.Met = nil
		}
		few(&out.KPIs[3], r.Failed)
		few(&out.KPIs[0], r.Slower(latencyTarget.Seconds()))
		return out, nil
	}
}

const latencyTarget = 100 * time.Millisecond

// few takes back that a target is missed where fewer than five are to blame, as the alerts do: one failed request
// of twenty is no trend.
func few(k *api.KPI, toBlame float64) {
	if k.Met != nil && !*k.Met && toBlame < 5 {
		k.Met = nil
	}
}

// available is the share of the checks of the last day that found the API well, NaN if there were none.
func (p *Platform) available(ctx context.Context, now time.Time) (float64, error) {
	const most = 3000 // a day of checks every 30 s
	checks, _, err := p.Store.Checks(ctx, now.AddDate(0, 0, -1), now, most)
	if err != nil {
		return 0, err
	}
	well := 0
	for _, c := range checks {
		if c.Action != ml.ActionHealthCheckFailed {
			well++
		}
	}
	return float64(well) / float64(len(checks)), nil
}

func atLeast(id string, value, target float64, unit string) api.KPI {
	return judged(api.KPI{ID: id, Target: target, Unit: unit}, value, value >= target)
}

func atMost(id string, value, target float64, unit string) api.KPI {
	return judged(api.KPI{ID: id, Target: target, Unit: unit, Most: true}, value, value <= target)
}

func judged(k api.KPI, value float64, met bool) api.KPI {
	if !math.IsNaN(value) && !math.IsInf(value, 0) {
		k.Value, k.Met = &value, &met
	}
	return k
}
