package logreg_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"iacontinu/internal/logreg"
)

// Hours of study and whether the exam was passed.
var (
	hours  = []float64{0.5, 0.75, 1, 1.25, 1.5, 1.75, 1.75, 2, 2.25, 2.5, 2.75, 3, 3.25, 3.5, 4, 4.25, 4.5, 4.75, 5, 5.5}
	passed = []uint8{0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 1, 1, 1, 1, 1}
)

func ExampleFit() {
	m, report, err := logreg.Fit(context.Background(), [][]float64{hours}, passed, nil, logreg.Options{})
	if err != nil {
		log.Fatal(err)
	}
	label, confidence := m.Predict([]float64{4})
	fmt.Printf("converged: %t\n", report.Converged)
	fmt.Printf("log odds: %.4f + %.4f per hour\n", m.Intercept, m.Coef[0])
	fmt.Printf("4 hours: class %d with probability %.2f\n", label, confidence)
	// Output:
	// converged: true
	// log odds: -3.1395 + 1.1486 per hour
	// 4 hours: class 1 with probability 0.81
}

func ExampleEvaluate() {
	m, _, err := logreg.Fit(context.Background(), [][]float64{hours}, passed, nil, logreg.Options{})
	if err != nil {
		log.Fatal(err)
	}
	p := make([]float64, len(hours))
	m.Probabilities([][]float64{hours}, p)
	metrics, err := logreg.Evaluate(p, passed, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("accuracy %.2f (95%%: %.2f to %.2f), ROC AUC %.3f\n",
		metrics.Accuracy, metrics.AccuracyLow, metrics.AccuracyHigh, *metrics.ROCAUC)
	fmt.Println("confusion", metrics.Confusion)
	// Output:
	// accuracy 0.80 (95%: 0.58 to 0.92), ROC AUC 0.895
	// confusion [[8 2] [2 8]]
}

func ExampleArtifact_Save() {
	models, err := os.MkdirTemp("", "models-")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(models)

	dir := filepath.Join(models, "v1")
	a := logreg.Artifact{
		Version: "v1", Features: []string{"hours"}, Target: "passed", Classes: [2]string{"no", "yes"},
		Model:     logreg.Model{Coef: []float64{1.15}, Intercept: -3.14},
		Reference: [][]float64{hours},
	}
	if _, err := a.Save(dir); err != nil {
		log.Fatal(err)
	}
	loaded, err := logreg.LoadArtifact(dir)
	if err != nil {
		log.Fatal(err)
	}
	label, _ := loaded.Model.Predict([]float64{4})
	fmt.Println(loaded.Target, loaded.Classes[label])
	// Output: passed yes
}
