package mlflow

import (
	"encoding/json"
	"fmt"

	"iacontinu/internal/logreg"
)

// files are the files of a run: its figures, the check that triggered it and the pictures.
func (d *delivery) files() []maker {
	var out []maker
	quality := d.quality()
	if quality != nil {
		out = append(out, jsonFile("metrics.json", quality), d.picture("plots/confusion.png", func() (*drawing, error) {
			return confusionPlot(quality.Confusion, d.told.Version.Schema.Classes)
		}))
		if len(quality.Calibration) > 0 {
			out = append(out, d.picture("plots/calibration.png", func() (*drawing, error) { return calibrationPlot(quality.Calibration) }))
		}
		if quality.ROC != nil && quality.ROCAUC != nil {
			out = append(out, d.picture("plots/roc.png", func() (*drawing, error) { return rocPlot(quality.ROC, *quality.ROCAUC) }))
		}
	}
	if a := d.artifact; a != nil {
		out = append(out, jsonFile("coefficients.json", coefficients(a)), d.picture("plots/coefficients.png", func() (*drawing, error) {
			return coefficientPlot(a.Features, a.Model.Coef)
		}))
	}
	if t := d.told.Args.Trigger; t != nil {
		out = append(out, jsonFile("drift_report.json", t.Report))
	}
	return out
}

func jsonFile(name string, v any) maker {
	return func() (file, error) {
		text, err := json.MarshalIndent(v, "", "  ")
		if err != nil {
			return file{}, fmt.Errorf("write %s: %w", name, err)
		}
		return file{name, "application/json", append(text, '\n')}, nil
	}
}

func (d *delivery) picture(name string, draw func() (*drawing, error)) maker {
	return func() (file, error) {
		content, err := d.tracker.render(draw)
		if err != nil {
			return file{}, fmt.Errorf("draw %s: %w", name, err)
		}
		return file{name, "image/png", content}, nil
	}
}

// weights are a model's coefficients by name.
type weights struct {
	Intercept    float64  `json:"intercept"`
	Coefficients []weight `json:"coefficients"`
}

type weight struct {
	Feature     string  `json:"feature"`
	Coefficient float64 `json:"coefficient"`
}

func coefficients(a *logreg.Artifact) weights {
	out := weights{Intercept: a.Model.Intercept}
	for j, name := range a.Features {
		out.Coefficients = append(out.Coefficients, weight{name, a.Model.Coef[j]})
	}
	return out
}
