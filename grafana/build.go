package grafana

import (
	"cmp"
	"strings"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/variants"
	"github.com/grafana/grafana-foundation-sdk/go/common"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/heatmap"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/statetimeline"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
	"github.com/grafana/grafana-foundation-sdk/go/units"
)

// tag is on every dashboard, and begins its uid.
const tag = "ia-continu"

// document is a dashboard with what the type of the SDK lacks.
type document struct {
	dashboard.Dashboard
	Annotations annotations `json:"annotations"`
}

func (b board) build() (document, error) {
	out := dashboard.NewDashboardBuilder(b.title).
		Uid(tag+"-"+b.slug).
		Description(b.about).
		Tags([]string{tag}).
		Time(cmp.Or(b.from, "now-1h"), "now").
		Refresh("30s").
		Timezone(common.TimeZoneBrowser).
		Tooltip(dashboard.DashboardCursorSyncCrosshair).
		Readonly().
		Variables(b.variables()).
		Links(links())
	id := uint32(0)
	for _, r := range b.rows {
		id++
		out.WithRow(dashboard.NewRowBuilder(r.title).Id(id))
		for _, p := range r.panels {
			id++
			out.WithPanel(numbered{p, id})
		}
	}
	d, err := out.Build()
	return document{Dashboard: d, Annotations: b.annotations()}, err
}

// numbered is a panel with its id, so that links to it stay good.
type numbered struct {
	panel
	id uint32
}

// Build implements cog.Builder: the look by the builder of its kind, and what all kinds have in common.
func (p numbered) Build() (dashboard.Panel, error) {
	out, err := p.look().Build()
	if err != nil {
		return dashboard.Panel{}, err
	}
	width, height := cmp.Or(p.w, 8), uint32(8)
	if p.kind == figure || p.kind == named {
		width, height = cmp.Or(p.w, 4), 4
	}
	out.Id, out.Title, out.Description = &p.id, &p.title, &p.about
	out.GridPos = &dashboard.GridPos{W: width, H: height}
	out.Datasource = prometheusSource()
	for i, q := range p.queries {
		target, err := p.target(string(rune('A'+i)), q)
		if err != nil {
			return dashboard.Panel{}, err
		}
		out.Targets = append(out.Targets, target)
	}
	p.fill(&out)
	return out, nil
}

// look is what makes the kind.
func (p panel) look() cog.Builder[dashboard.Panel] {
	now := common.NewReduceDataOptionsBuilder().Calcs([]string{"lastNotNull"})
	switch p.kind {
	case figure, named:
		text := common.BigValueTextModeAuto
		if p.kind == named {
			text = common.BigValueTextModeName
		}
		return stat.NewPanelBuilder().ReduceOptions(now).TextMode(text).GraphMode(common.BigValueGraphModeNone)
	case heat:
		return heatmap.NewPanelBuilder().Calculate(false).
			YAxis(heatmap.NewYAxisConfigBuilder().Unit(p.unit)).
			Color(heatmap.NewHeatmapColorOptionsBuilder().Mode(heatmap.HeatmapColorModeScheme).Scheme("Blues").Steps(64))
	case timeline:
		return statetimeline.NewPanelBuilder().MergeValues(true).ShowValue(common.VisibilityModeAuto).FillOpacity(80)
	case listing:
		return table.NewPanelBuilder().
			WithTransformation(dashboard.DataTransformerConfig{
				Id: "organize", Options: map[string]any{"excludeByName": map[string]bool{"Time": true, "Value": true}},
			})
	default:
		return p.graph()
	}
}

func (p panel) graph() cog.Builder[dashboard.Panel] {
	out := timeseries.NewPanelBuilder().
		LineWidth(1).FillOpacity(10).ShowPoints(common.VisibilityModeNever).
		Tooltip(common.NewVizTooltipOptionsBuilder().Mode(common.TooltipDisplayModeMulti).Sort(common.SortOrderDescending)).
		Legend(common.NewVizLegendOptionsBuilder().
			DisplayMode(common.LegendDisplayModeTable).Placement(common.LegendPlacementBottom).ShowLegend(true).
			Calcs([]string{"lastNotNull", "max"}))
	if p.goal != nil {
		out.ThresholdsStyle(common.NewGraphThresholdsStyleConfigBuilder().Mode(common.GraphThresholdsStyleModeDashed))
	}
	if p.stacked {
		out.FillOpacity(40).Stacking(common.NewStackingConfigBuilder().Mode(common.StackingModeNormal).Group("A"))
	}
	if p.logarithmic {
		out.ScaleDistribution(common.NewScaleDistributionConfigBuilder().Type(common.ScaleDistributionLog).Log(10))
	} else {
		out.Min(0)
	}
	return out
}

// fill sets what every kind shows alike: unit, colours, meanings.
func (p panel) fill(out *dashboard.Panel) {
	if out.FieldConfig == nil {
		out.FieldConfig = dashboard.NewFieldConfigSource()
	}
	d := &out.FieldConfig.Defaults
	d.Unit = &p.unit
	if p.kind == heat { // the unit is that of its axis; what it counts has none
		short := units.Short
		d.Unit = &short
	}
	if p.decimals > 0 {
		d.Decimals = &p.decimals
	}
	if p.top > 0 {
		d.Max = &p.top
	}
	if p.absent != "" {
		d.NoValue = &p.absent
	}
	colors := dashboard.FieldColorModeIdPaletteClassic
	if p.kind == figure || p.kind == named || p.kind == timeline {
		colors = dashboard.FieldColorModeIdThresholds
	}
	d.Color = &dashboard.FieldColor{Mode: colors}
	d.Thresholds = &dashboard.ThresholdsConfig{Mode: dashboard.ThresholdsModeAbsolute, Steps: thresholds(p.goal)}
	for _, s := range p.states {
		d.Mappings = append(d.Mappings, dashboard.ValueMapping{ValueMap: &dashboard.ValueMap{
			Type:    dashboard.MappingTypeValueToText,
			Options: map[string]dashboard.ValueMappingResult{s.value: {Text: &s.text, Color: &s.color}},
		}})
	}
}

// thresholds are the steps as Grafana has them: the first holds from minus infinity on.
func thresholds(goal []step) []dashboard.Threshold {
	if goal == nil {
		goal = []step{{0, "text"}}
	}
	var out []dashboard.Threshold
	for i, s := range goal {
		t := dashboard.Threshold{Color: s.color}
		if i > 0 {
			t.Value = &s.from
		}
		out = append(out, t)
	}
	return out
}

func (p panel) target(id string, q query) (variants.Dataquery, error) {
	out := prometheus.NewDataqueryBuilder().
		RefId(id).
		Datasource(*prometheusSource()).
		Expr(expand(q.expr)).
		LegendFormat(q.legend)
	switch p.kind {
	case figure, named:
		out.Instant()
	case listing:
		out.Instant().Format(prometheus.PromQueryFormatTable)
	case heat:
		out.Range().Format(prometheus.PromQueryFormatHeatmap)
	default:
		// Only a histogram has exemplars, which lead to traces.
		out.Range().Exemplar(strings.HasPrefix(q.expr, "histogram_quantile("))
	}
	return out.Build()
}

// expand puts the variables into the selectors.
func expand(expr string) string {
	for _, s := range []struct{ short, long string }{
		{"here", `instance=~"$instance"`}, {"version", `model_version=~"$model_version"`}, {"feature", `feature=~"$feature"`},
	} {
		for _, before := range []string{"{", ","} {
			for _, after := range []string{"}", ","} {
				expr = strings.ReplaceAll(expr, before+s.short+after, before+s.long+after)
			}
		}
	}
	return expr
}
