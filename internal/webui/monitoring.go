package webui

import (
	"context"
	"math"

	"iacontinu/internal/api"
)

// monitoringData is what the page of services and figures shows.
type monitoringData struct {
	Services []api.Service
	KPIs     []kpi
	Seconds  int64 // that the figures are of, if it is less than two minutes
	Minutes  int64
	Missed   int
	Down     int
}

// kpi is a figure of the specification as it is read.
type kpi struct {
	ID            string
	Value, Target string
	Tone          string // good, bad, or none if nothing can be told
}

func loadMonitoring(ctx context.Context, v *visit) (any, error) {
	var d monitoringData
	var services api.ServiceList
	var figures api.KPIs
	if err := together(ctx, ask(&services, v.client.Services), ask(&figures, v.client.KPIs)); err != nil {
		return nil, err
	}
	d.Services, d.Seconds = services.Services, int64(math.Ceil(figures.WindowSeconds))
	if d.Seconds >= 120 {
		d.Seconds, d.Minutes = 0, d.Seconds/60
	}
	for _, s := range d.Services {
		if s.Status == api.CheckDown {
			d.Down++
		}
	}
	for _, f := range figures.KPIs {
		k := kpi{ID: f.ID, Value: "–", Target: v.must("monitoring.least", v.withUnit(f.Target, f.Unit)), Tone: "none"}
		if f.Most {
			k.Target = v.must("monitoring.most", v.withUnit(f.Target, f.Unit))
		}
		if f.Value != nil {
			k.Value = v.withUnit(*f.Value, f.Unit)
		}
		if f.Met != nil {
			k.Tone = "good"
			if !*f.Met {
				k.Tone = "bad"
				d.Missed++
			}
		}
		d.KPIs = append(d.KPIs, k)
	}
	return d, nil
}

// withUnit writes a figure with its unit.
func (v *visit) withUnit(x float64, unit string) string {
	if unit == "%" {
		return v.share(x / 100)
	}
	return v.significant(x) + "\u00a0" + v.or("unit."+unit, unit)
}
