package webui

import (
	"cmp"
	"context"
	"html/template"
	"math"
	"net/http"
	"slices"

	"iacontinu/internal/api"
	"iacontinu/internal/chart"
)

// mostReasons bounds the features whose part in an answer is shown: the greatest.
const mostReasons = 15

// reasons are why the model answered as it did: what each feature adds for class 1, or takes away.
func (v *visit) reasons(d *predictData, e *api.Explanation) template.HTML {
	bars := []chart.Bar{{Name: v.must("predict.intercept"), Value: e.Intercept, Text: v.signed(e.Intercept)}}
	parts := slices.Clone(e.Contributions)
	slices.SortStableFunc(parts, func(a, b api.Contribution) int {
		return cmp.Compare(math.Abs(b.Contribution), math.Abs(a.Contribution))
	})
	for _, c := range parts[:min(len(parts), mostReasons)] {
		bars = append(bars, chart.Bar{Name: c.Feature, Value: c.Contribution, Text: v.signed(c.Contribution)})
	}
	return chart.Bars{
		ID: "reasons", Title: v.must("predict.reasons"), Bars: bars,
		Summary: v.must("predict.reasons_summary", d.Class(1), d.Class(0), v.signed(e.LogOdds)),
	}.HTML()
}

// signed writes what is added or taken away.
func (l *language) signed(x float64) string {
	if x > 0 {
		return "+" + l.significant(x)
	}
	return l.significant(x)
}

// loadModel asks for what the model that serves knows of its features. A version that was removed meanwhile
// has none.
func (d *predictData) loadModel(ctx context.Context, v *visit) error {
	if d.Model.ModelVersion == nil {
		return nil
	}
	detail, err := v.client.Model(ctx, *d.Model.ModelVersion)
	if p := api.AsProblem(err); p != nil && p.Status == http.StatusNotFound {
		return nil
	}
	if err != nil {
		return err
	}
	d.Detail, d.Known = detail, map[string]api.ModelFeature{}
	for _, f := range detail.Details {
		d.Known[f.Name] = f
	}
	return nil
}

// boundary draws the latest predictions of a model of two features, and the line on which it can't decide.
func (d *predictData) boundary(v *visit) template.HTML {
	features := d.Detail.Details
	if len(features) != 2 || d.Detail.Intercept == nil {
		return ""
	}
	l := chart.Line{
		ID: "boundary", Title: v.must("predict.boundary"), Height: 320, X: v.value, Y: v.value, TickX: v.significant, TickY: v.significant,
		Labels: chart.Labels{X: features[0].Name, Figures: v.must("chart.figures"), Empty: v.must("predict.no_recent")},
	}
	low, high := [2]float64{math.Inf(1), math.Inf(1)}, [2]float64{math.Inf(-1), math.Inf(-1)}
	least, most := low, high // how far the picture goes
	reach := func(axis int, x float64) { low[axis], high[axis] = min(low[axis], x), max(high[axis], x) }
	for axis, f := range features {
		least[axis], most[axis] = -math.MaxFloat64, math.MaxFloat64
		if f.Min != nil && f.Max != nil {
			reach(axis, *f.Min)
			reach(axis, *f.Max)
			width := cmp.Or(*f.Max-*f.Min, 1)
			least[axis], most[axis] = *f.Min-width, *f.Max+width
		}
	}
	l.Series = []chart.Series{{Name: d.Model.Target + " = " + d.Class(0), Dots: true}, {Name: d.Model.Target + " = " + d.Class(1), Dots: true}}
	for _, p := range d.latest {
		row := d.Row(p)
		if len(row) != 2 || p.Prediction < 0 || p.Prediction > 1 {
			continue
		}
		if row[0] < least[0] || row[0] > most[0] || row[1] < least[1] || row[1] > most[1] {
			d.Outside++ // one slip of a pen would press all others together
			continue
		}
		reach(0, row[0])
		reach(1, row[1])
		s := &l.Series[p.Prediction]
		s.Points = append(s.Points, chart.Point{X: row[0], Y: row[1]})
	}
	if low[0] > high[0] || low[1] > high[1] {
		return ""
	}
	l.From, l.To, l.Low, l.High = &low[0], &high[0], &low[1], &high[1]
	edge := chart.Series{Name: v.must("predict.edge"), Points: crossing(features[0].Coefficient, features[1].Coefficient, *d.Detail.Intercept, low, high)}
	l.Series = append(l.Series, edge)
	l.Summary = v.must("predict.boundary_summary", len(l.Series[0].Points), len(l.Series[1].Points), features[0].Name, features[1].Name)
	return l.HTML()
}

// crossing is where a*x + b*y + c = 0 meets the sides of a box, from left to right; nothing if it passes by.
func crossing(a, b, c float64, low, high [2]float64) []chart.Point {
	var out []chart.Point
	add := func(x, y float64) {
		if x >= low[0] && x <= high[0] && y >= low[1] && y <= high[1] {
			out = append(out, chart.Point{X: x, Y: y})
		}
	}
	for _, end := range []func(int) float64{func(i int) float64 { return low[i] }, func(i int) float64 { return high[i] }} {
		if b != 0 {
			add(end(0), -(a*end(0)+c)/b)
		}
		if a != 0 {
			add(-(b*end(1)+c)/a, end(1))
		}
	}
	if len(out) < 2 {
		return nil
	}
	slices.SortFunc(out, func(p, q chart.Point) int { return cmp.Or(cmp.Compare(p.X, q.X), cmp.Compare(p.Y, q.Y)) })
	return []chart.Point{out[0], out[len(out)-1]}
}
