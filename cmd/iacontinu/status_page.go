package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	dto "github.com/prometheus/client_model/go"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// diskTarget is where a disk begins to worry, in percent: before the alert, which waits for 95.
const diskTarget = 90.0

// worries are what a person should look at, in words.
func (s state) worries() []string {
	var out []string
	for _, name := range slices.Sorted(maps.Keys(s.health.Checks)) {
		if c := s.health.Checks[name]; c.Status == api.CheckWarn || c.Status == api.CheckDown {
			out = append(out, fmt.Sprintf("%s: %s", name, cmp.Or(c.Detail, c.Status)))
		}
	}
	for _, v := range s.services {
		if _, told := s.health.Checks[v.Name]; !told && v.Status == api.CheckDown {
			out = append(out, fmt.Sprintf("%s: %s", v.Name, cmp.Or(v.Detail, v.Status)))
		}
	}
	for _, f := range s.overview.Facts {
		if text := words(f); text != "" && f.Level != api.LevelOK {
			out = append(out, text)
		}
	}
	for _, k := range s.kpis.KPIs {
		// A busy processor comes and goes: the alert waits for ten minutes of it.
		if k.Met != nil && !*k.Met && k.Value != nil && k.ID != "cpu" {
			bound := "at least"
			if k.Most {
				bound = "at most"
			}
			out = append(out, fmt.Sprintf("%s is %.4g %s, and should be %s %g", figureName(k.ID), *k.Value, k.Unit, bound, k.Target))
		}
	}
	if used := s.host().disk; used > diskTarget {
		out = append(out, fmt.Sprintf("the disk is used to %.0f %%, over %.0f %%", used, diskTarget))
	}
	return out
}

// words tells of a fact; nothing of those that the parts and the figures tell of.
func words(f api.Fact) string {
	switch f.Code {
	case "training_failed":
		return fmt.Sprintf("the last retraining failed: iacontinu job %v says why", f.Values["job"])
	case "retrain_failed":
		return "drift was found, and retraining failed"
	case "drift":
		return fmt.Sprintf("drift goes on: %v", done(fmt.Sprint(f.Values["action"])))
	case "new_data_needed":
		return "the data changed, and retraining on what there is does not help: import newer data"
	case "health_check_failed":
		return "the last check could not be done"
	case "jobs_wait":
		return fmt.Sprintf("jobs of the queue %v wait for over a minute: %v of them", f.Values["queue"], f.Values["waiting"])
	}
	return ""
}

// figureName is a figure of the specification in words.
func figureName(id string) string {
	names := map[string]string{
		"latency": "the time of a prediction", "errors": "the share of errors", "training": "the time of a training",
		"confidence": "the average confidence", "memory": "the memory used",
	}
	return cmp.Or(names[id], "the "+id)
}

// print writes the page.
func (s state) print(w io.Writer, worries []string) error {
	tw := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	if len(worries) == 0 {
		fmt.Fprintf(tw, "All is well: IA Continu %s at %s\n", s.health.Version, s.at.UTC().Format("2006-01-02 15:04:05 UTC"))
	} else {
		fmt.Fprintf(tw, "Needs a look: IA Continu %s at %s\n", s.health.Version, s.at.UTC().Format("2006-01-02 15:04:05 UTC"))
		for _, text := range worries {
			fmt.Fprintf(tw, "  ! %s\n", text)
		}
	}
	for _, section := range []struct {
		name  string
		lines []string
	}{
		{"Parts", s.parts()},
		{"Model", s.modelLines()},
		{"Checks", s.checkLines()},
		{"Retrainings", s.trainingLines()},
		{"Requests", s.requestLines()},
		{"Host", s.hostLines()},
	} {
		fmt.Fprintln(tw)
		for i, line := range section.lines {
			if i > 0 {
				section.name = ""
			}
			fmt.Fprintf(tw, "%-11s\t%s\n", section.name, line)
		}
	}
	return tw.Flush()
}

// The lines of the sections; a tab ends a cell.

func (s state) parts() (lines []string) {
	for _, name := range slices.Sorted(maps.Keys(s.health.Checks)) {
		c := s.health.Checks[name]
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s", name, c.Status, c.Detail))
	}
	for _, v := range s.services {
		if _, told := s.health.Checks[v.Name]; told || v.Status == "off" || v.Name == "api" {
			continue
		}
		detail := v.Detail
		if v.LatencyMS != nil {
			detail = fmt.Sprintf("answers in %.3g ms", *v.LatencyMS)
		}
		lines = append(lines, fmt.Sprintf("%s\t%s\t%s", v.Name, v.Status, detail))
	}
	return lines
}

func (s state) modelLines() []string {
	m := s.model
	if m.ModelVersion == nil {
		return []string{"none serves yet"}
	}
	lines := []string{fmt.Sprintf("%s, trained on %d rows of %d features", *m.ModelVersion, m.TrainingSamples, len(m.Features))}
	if m.CreatedAt != nil {
		lines[0] += fmt.Sprintf(" %s ago (%s)", s.ago(*m.CreatedAt), m.Reason)
	}
	if m.Accuracy != nil {
		text := fmt.Sprintf("accuracy %.3f", *m.Accuracy)
		if i := m.AccuracyInterval; len(i) == 2 {
			text += fmt.Sprintf(" (95 %%: %.3f to %.3f)", i[0], i[1])
		}
		lines = append(lines, text)
	}
	if f := m.Forecast; f != nil && f.AccuracyTrend != nil && f.AccuracyTrend.StepsToCross != nil {
		lines = append(lines, fmt.Sprintf("by its trend it is under %.2f in %.0f versions", f.AccuracyTrend.Limit, math.Ceil(*f.AccuracyTrend.StepsToCross)))
	}
	return lines
}

// checkLines shows the latest checks as a strip, the newest on the right.
func (s state) checkLines() []string {
	if len(s.checks.DriftDetections) == 0 {
		return []string{"none yet"}
	}
	var strip strings.Builder
	for _, d := range slices.Backward(s.checks.DriftDetections) {
		strip.WriteByte(mark(d))
	}
	last := s.checks.DriftDetections[0]
	verdict := "no drift"
	if last.Drift {
		verdict = "drift"
	}
	lines := []string{
		strip.String() + "   (. well, d drift, r retrained, ! failed)",
		fmt.Sprintf("the last %s ago: %s (%s: %.3g against %.3g), then %s", s.ago(last.CreatedAt), verdict, last.DetectionMethod,
			last.TriggerValue, last.Threshold, done(last.ActionTaken)),
	}
	for _, f := range last.Details.Scores {
		if f.Drift {
			lines = append(lines, fmt.Sprintf("%s has moved: KS %.3f, p %.2g, PSI %.3f", f.Feature, f.KS, f.PValue, f.PSI))
		}
	}
	return lines
}

func mark(d api.DriftDetection) byte {
	switch ml.CheckAction(d.ActionTaken) {
	case ml.ActionRetrainFailed, ml.ActionHealthCheckFailed:
		return '!'
	case ml.ActionRetrained:
		return 'r'
	}
	if d.Drift {
		return 'd'
	}
	return '.'
}

func (s state) trainingLines() (lines []string) {
	for _, t := range s.trainings.Trainings {
		before := "none"
		if t.AccuracyBefore != nil {
			before = fmt.Sprintf("%.3f", *t.AccuracyBefore)
		}
		lines = append(lines, fmt.Sprintf("%s ago\t%s\t%s -> %.3f\t%.2f s\t%s\t%s", s.ago(t.CreatedAt), t.Verdict,
			before, t.AccuracyAfter, t.TrainingDurationSeconds, t.TriggerReason, t.ModelVersion))
	}
	if lines == nil {
		return []string{"none yet"}
	}
	return lines
}

func (s state) requestLines() []string {
	r, since := s.requests(), time.Unix(int64(s.total("process_start_time_seconds", nil)), 0)
	lines := []string{fmt.Sprintf("%.0f in %s, %s failed here", r.all, s.ago(since), percent(r.failed/max(r.all, 1)))}
	if r.predicted > 0 {
		lines = append(lines, fmt.Sprintf("%.0f to /predict, half of them within %s, 99 %% within %s", r.predicted, r.half, r.slow99))
	}
	return append(lines, fmt.Sprintf("in a day %.0f predictions are on record, of %.0f users",
		s.total("iacontinu_business_predictions_day", nil), s.total("iacontinu_business_active_users_day", nil)))
}

func (s state) hostLines() []string {
	h := s.host()
	return []string{fmt.Sprintf("processor %.0f %%, memory %.0f %%, disk %.0f %%", h.cpu, h.memory, h.disk)}
}

// ago is how long it was, in the unit that a person would take.
func (s state) ago(at time.Time) string {
	d := s.at.Sub(at)
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", max(d, 0).Seconds())
	case d < 2*time.Hour:
		return fmt.Sprintf("%.0f min", d.Minutes())
	case d < 48*time.Hour:
		return fmt.Sprintf("%.0f h", d.Hours())
	}
	return fmt.Sprintf("%.0f days", d.Hours()/24)
}

// done is what a check did, in words.
func done(action string) string {
	if ml.CheckAction(action) == ml.ActionNone {
		return "nothing to do"
	}
	return strings.ReplaceAll(action, "_", " ")
}

func percent(share float64) string { return fmt.Sprintf("%.2f %%", 100*share) }

// requests sums up what the API answered since it began.
type requests struct {
	all, failed, predicted float64
	half, slow99           time.Duration // the bounds that half and 99 % of /predict keep
}

func (s state) requests() requests {
	label := func(m *dto.Metric, name string) string {
		for _, l := range m.GetLabel() {
			if l.GetName() == name {
				return l.GetValue()
			}
		}
		return ""
	}
	r := requests{
		all:    s.total("api_requests_total", nil),
		failed: s.total("api_requests_total", func(m *dto.Metric) bool { return strings.HasPrefix(label(m, "status_code"), "5") }),
	}
	for _, m := range s.metrics["api_request_duration_seconds"].GetMetric() {
		if h := m.GetHistogram(); label(m, "endpoint") == api.PathPredict {
			r.predicted = float64(h.GetSampleCount())
			r.half, r.slow99 = bound(h, 0.5), bound(h, 0.99)
		}
	}
	return r
}

// bound is the least bucket's bound that the share q of the observations keep.
func bound(h *dto.Histogram, q float64) time.Duration {
	for _, b := range h.GetBucket() {
		if float64(b.GetCumulativeCount()) >= q*float64(h.GetSampleCount()) {
			return time.Duration(b.GetUpperBound() * float64(time.Second))
		}
	}
	return time.Duration(math.MaxInt64)
}

// host is how much of the machine is used, in percent.
type host struct{ cpu, memory, disk float64 }

func (s state) host() host {
	used := func(name string) float64 {
		in := func(state string) func(*dto.Metric) bool {
			return func(m *dto.Metric) bool { return m.GetLabel()[0].GetValue() == state }
		}
		return 100 * s.total(name, in("used")) / max(s.total(name, in("total")), 1)
	}
	return host{cpu: s.total("system_cpu_usage_percent", nil), memory: used("system_memory_usage_bytes"), disk: used("system_disk_usage_bytes")}
}

// total sums the metric over all label values that are wanted, nil for all.
func (s state) total(name string, wanted func(*dto.Metric) bool) (sum float64) {
	for _, m := range s.metrics[name].GetMetric() {
		if wanted == nil || wanted(m) {
			sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
		}
	}
	return sum
}
