package logreg

import (
	"compress/gzip"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// referenceCase is one fit by scikit-learn; see testdata/make_reference.py.
type referenceCase struct {
	Data      string
	C         float64
	Weighted  bool
	Balanced  bool
	Objective float64
	Coef      []float64
	Intercept float64
	Metrics   struct {
		Accuracy, Precision, Recall, F1, Brier float64
		LogLoss                                float64 `json:"log_loss"`
		ROCAUC                                 float64 `json:"roc_auc"`
		ROCAUCOfRounded                        float64 `json:"roc_auc_of_rounded"`
		Confusion                              [2][2]int
		Calibration                            [][2]float64
	}
}

func (c referenceCase) String() string {
	return fmt.Sprintf("%s/C=%v/weighted=%v/balanced=%v", c.Data, c.C, c.Weighted, c.Balanced)
}

// dataset is a file of testdata.
type dataset struct {
	x [][]float64
	w []float64
	y []uint8
}

func (c referenceCase) weights(d dataset) []float64 {
	if c.Weighted {
		return d.w
	}
	return nil
}

func references(t *testing.T) ([]referenceCase, map[string]dataset) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "reference.json"))
	if err != nil {
		t.Fatal(err)
	}
	var file struct{ Cases []referenceCase }
	if err := json.Unmarshal(text, &file); err != nil {
		t.Fatal(err)
	}
	data := make(map[string]dataset)
	for _, c := range file.Cases {
		if _, ok := data[c.Data]; !ok {
			data[c.Data] = readDataset(t, c.Data)
		}
	}
	return file.Cases, data
}

func readDataset(t *testing.T, name string) dataset {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".csv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unzipped, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(unzipped).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	k := len(rows[0]) - 2
	d := dataset{x: make([][]float64, k)}
	for _, row := range rows[1:] {
		values := make([]float64, len(row))
		for j, text := range row {
			if values[j], err = strconv.ParseFloat(text, 64); err != nil {
				t.Fatal(err)
			}
		}
		for j := range d.x {
			d.x[j] = append(d.x[j], values[j])
		}
		d.w = append(d.w, values[k])
		d.y = append(d.y, uint8(values[k+1]))
	}
	return d
}

func relativeError(got, want float64) float64 {
	if got == want {
		return 0
	}
	return math.Abs(got-want) / math.Abs(want)
}

func TestFitAgreesWithScikitLearn(t *testing.T) {
	t.Parallel()
	cases, data := references(t)
	for _, solver := range []Options{
		{Solver: SolverNewton},
		// What a gradient of 1e-8 leaves open where columns are nearly collinear, as in
		// breast_cancer, only a method that knows the curvature can tell.
		{Solver: SolverLBFGS, Tol: 1e-13, MaxIter: 50_000},
	} {
		for _, c := range cases {
			t.Run(solver.Solver+"/"+c.String(), func(t *testing.T) {
				t.Parallel()
				d := data[c.Data]
				o := solver
				o.C, o.Balanced = c.C, c.Balanced
				m, report, err := Fit(t.Context(), d.x, d.y, c.weights(d), o)
				if err != nil {
					t.Fatal(err)
				}
				if !report.Converged || report.Separable || report.Note != "" {
					t.Errorf("report %+v", report)
				}
				if report.Iterations > 600 {
					t.Errorf("took %d iterations", report.Iterations)
				}
				for j, want := range append(c.Coef, c.Intercept) {
					if e := relativeError(append(m.Coef, m.Intercept)[j], want); !(e <= 1e-6) {
						t.Errorf("coefficient %d differs from %v by %.2g of it", j, want, e)
					}
				}
				if e := relativeError(report.Objective, c.Objective); !(e <= 1e-12) {
					t.Errorf("objective %v, want %v", report.Objective, c.Objective)
				}
			})
		}
	}
}

func TestMetricsAgreeWithScikitLearn(t *testing.T) {
	t.Parallel()
	cases, data := references(t)
	for _, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			d := data[c.Data]
			m := Model{Coef: c.Coef, Intercept: c.Intercept}
			p := make([]float64, len(d.y))
			m.Probabilities(d.x, p)
			got, err := Evaluate(p, d.y, c.weights(d))
			if err != nil {
				t.Fatal(err)
			}
			rounded := make([]float64, len(p))
			for i, v := range p {
				rounded[i] = math.RoundToEven(v*100) / 100
			}
			ofRounded, err := Evaluate(rounded, d.y, c.weights(d))
			if err != nil {
				t.Fatal(err)
			}
			want := c.Metrics
			for name, pair := range map[string][2]float64{
				"accuracy":          {got.Accuracy, want.Accuracy},
				"precision":         {got.Precision, want.Precision},
				"recall":            {got.Recall, want.Recall},
				"F1":                {got.F1, want.F1},
				"log loss":          {got.LogLoss, want.LogLoss},
				"Brier":             {got.Brier, want.Brier},
				"ROC AUC":           {*got.ROCAUC, want.ROCAUC},
				"ROC AUC with ties": {*ofRounded.ROCAUC, want.ROCAUCOfRounded},
			} {
				if e := relativeError(pair[0], pair[1]); !(e <= 1e-11) {
					t.Errorf("%s is %v, want %v", name, pair[0], pair[1])
				}
			}
			if got.Confusion != want.Confusion || got.N != len(d.y) {
				t.Errorf("confusion %v of %d, want %v of %d", got.Confusion, got.N, want.Confusion, len(d.y))
			}
			if c.Weighted {
				return // scikit-learn's calibration_curve knows no weights
			}
			var bins [][2]float64
			for _, b := range got.Calibration {
				if b.Count > 0 {
					bins = append(bins, [2]float64{b.MeanPredicted, b.FractionPositive})
				}
			}
			if len(bins) != len(want.Calibration) {
				t.Fatalf("%d bins with rows, want %d", len(bins), len(want.Calibration))
			}
			for b := range bins {
				for i := range bins[b] {
					if !(math.Abs(bins[b][i]-want.Calibration[b][i]) <= 1e-11) {
						t.Errorf("bin %d is %v, want %v", b, bins[b], want.Calibration[b])
					}
				}
			}
		})
	}
}
