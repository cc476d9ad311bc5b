package mlflow

import (
	"bytes"
	"image/color"
	"image/png"
	"math"
	"strings"
	"testing"

	"iacontinu/internal/logreg"
)

// pictures draws all of a version.
func pictures(a *logreg.Artifact) (out [][]byte, err error) {
	m := a.Metrics
	for _, draw := range []func() (*drawing, error){
		func() (*drawing, error) { return confusionPlot(m.Confusion, a.Classes) },
		func() (*drawing, error) { return rocPlot(m.ROC, *m.ROCAUC) },
		func() (*drawing, error) { return calibrationPlot(m.Calibration) },
		func() (*drawing, error) { return coefficientPlot(a.Features, a.Model.Coef) },
	} {
		content, err := render(draw)
		if err != nil {
			return nil, err
		}
		out = append(out, content)
	}
	return out, nil
}

func TestPlots(t *testing.T) {
	t.Parallel()
	w := newWorld()
	for _, k := range []int{1, 30} {
		a := w.artifacts[w.retraining(1, k).Version.Name]
		list, err := pictures(a)
		if err != nil {
			t.Fatal(err)
		}
		for i, content := range list {
			image, err := png.Decode(bytes.NewReader(content))
			if err != nil {
				t.Fatal(err)
			}
			if size := image.Bounds().Size(); size.X != 768 || size.Y != 576 {
				t.Errorf("k %d, picture %d is %v", k, i, size)
			}
			colours := make(map[color.Color]bool)
			for x := range 768 {
				for y := range 576 {
					colours[image.At(x, y)] = true
				}
			}
			if len(colours) < 10 || len(content) > 80<<10 {
				t.Errorf("k %d, picture %d has %d colours and %d bytes", k, i, len(colours), len(content))
			}
		}
	}
}

// A version may have been judged on rows of which no class was predicted, or not at all.
func TestPlotsOfNothing(t *testing.T) {
	t.Parallel()
	none := &logreg.Artifact{Features: []string{"a"}, Model: logreg.Model{Coef: []float64{0}}, Metrics: logreg.Metrics{
		Calibration: []logreg.CalibrationBin{{High: 1}}, ROC: &logreg.ROCCurve{FPR: []float64{0, 1}, TPR: []float64{0, 1}}, ROCAUC: new(float64),
	}}
	if _, err := pictures(none); err != nil {
		t.Error(err)
	}
}

// What no axis can show is an error that names the axis, and no picture.
func TestPlotOfInfinity(t *testing.T) {
	t.Parallel()
	for _, coef := range []float64{math.Inf(1), math.NaN()} {
		_, err := render(func() (*drawing, error) { return coefficientPlot([]string{"a"}, []float64{coef}) })
		if err == nil || !strings.Contains(err.Error(), "log odds") {
			t.Errorf("%v: %v", coef, err)
		}
	}
}

func BenchmarkPlots(b *testing.B) {
	w := newWorld()
	a := w.artifacts[w.retraining(1, 30).Version.Name]
	for b.Loop() {
		if _, err := pictures(a); err != nil {
			b.Fatal(err)
		}
	}
}
