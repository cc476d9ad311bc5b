package monitor

import (
	"context"
	"fmt"
	"strings"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/ml"
)

// show ends the record of the check with what people read of it: the verdict in words, and the scores.
func (c *check) show(ctx context.Context) {
	if c.rec == nil {
		return
	}
	r := c.report
	c.rec.Show(flowrun.Artifact{
		Key: "check-report", Kind: flowrun.Markdown, Step: stepDetect, Description: "What the check found and did",
	}, c.markdown())
	if len(r.Details.Scores) > 0 {
		c.rec.Show(flowrun.Artifact{
			Key: "feature-scores", Kind: flowrun.Table, Step: stepDetect,
			Description: fmt.Sprintf("The latest %d predictions against the data that %s was trained on", r.Details.Rows, r.ModelVersion),
		}, scoreTable(r.Details.Scores))
	}
	for _, err := range c.errs {
		c.rec.Log("", flowrun.Error, "%v", err)
	}
	state := flowrun.Completed
	switch {
	case ctx.Err() != nil:
		state = flowrun.Cancelled
	case r.Action == ml.ActionHealthCheckFailed || r.Action == ml.ActionRetrainFailed:
		state = flowrun.Failed
	}
	c.rec.End(state, c.sentence())
}

// sentence is the outcome in one sentence.
func (c *check) sentence() string {
	r := c.report
	switch r.Action {
	case ml.ActionHealthCheckFailed, ml.ActionRetrainFailed:
		return c.joined(c.notes)
	case ml.ActionRetrained:
		return fmt.Sprintf("%s was trained and serves", r.Details.NewVersion)
	case ml.ActionRetrainRejected:
		return fmt.Sprintf("%s was trained and rejected, %s goes on", r.Details.NewVersion, r.ModelVersion)
	case ml.ActionRetrainStarted:
		return fmt.Sprintf("retraining %d goes on", r.Details.JobID)
	case ml.ActionCooldown, ml.ActionNewDataNeeded:
		return "drift, and no retraining"
	}
	return "no drift"
}

// markdown is the check as a page.
func (c *check) markdown() string {
	r := c.report
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", capital(c.sentence()))
	fmt.Fprintf(&b, "| | |\n|---|---|\n| Model version | %s |\n| Detector | %s |\n", orDash(r.ModelVersion), r.Method)
	if r.Action != ml.ActionHealthCheckFailed {
		name := "Random number"
		if r.Method == Statistical {
			name = "Smallest corrected p-value"
		}
		if r.Method != Statistical || len(r.Details.Scores) > 0 { // else there is no p-value
			fmt.Fprintf(&b, "| %s | %.4g (drift below %.4g) |\n", name, r.TriggerValue, r.Threshold)
		}
		fmt.Fprintf(&b, "| Drift | %v |\n", r.Drift)
	}
	fmt.Fprintf(&b, "| Action | %s |\n| Predictions scored | %d |\n| Seconds | %.2f |\n", r.Action, r.Details.Rows, r.Details.Duration)
	if t := r.Details.AccuracyTrend; t != nil {
		fmt.Fprintf(&b, "| Accuracy's trend | %+.4f a version, R² %.2f over %d versions%s |\n", t.Slope, t.R2, t.N, crossing(*t, "versions"))
	}
	if len(c.notes) > 0 {
		b.WriteString("\n")
		for _, note := range c.notes {
			fmt.Fprintf(&b, "- %s\n", strings.ReplaceAll(c.joined([]ml.Remark{note}), "\n", " "))
		}
	}
	return b.String()
}

// crossing says when a trend reaches its limit.
func crossing(t ml.Trend, unit string) string {
	if t.StepsToCross == nil {
		return ""
	}
	return fmt.Sprintf(", reaches %.4g in %.0f %s", t.Limit, *t.StepsToCross, unit)
}

// scoreTable are the scores as rows of a table.
func scoreTable(scores []ml.FeatureScore) []map[string]any {
	rows := make([]map[string]any, len(scores))
	for i, s := range scores {
		rows[i] = map[string]any{"feature": s.Feature, "ks": s.KS, "p_value": s.PValue, "psi": s.PSI, "drift": s.Drift}
	}
	return rows
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
