// Command training compares logreg.Fit with every solver of scikit-learn that has the same
// objective, at the same tolerance on the same data, with one BLAS thread and with one a processor.
// Both fit in turns in one run, and the least time of each counts. All must come to the same
// optimum. (scikit-learn's liblinear penalises the intercept, an objective of its own; sag and saga
// take a hundred times as long.)
//
//	go run ./bench/training -python .venv/bin/python
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/signal"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"iacontinu/internal/logreg"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "training:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	python := flag.String("python", "python3", "a Python that has scikit-learn")
	script := flag.String("script", "bench/training/train_sklearn.py", "the Python side")
	sizes := flag.String("sizes", "1000000x2,200000x20", "rows x columns, more than one with commas between")
	rounds := flag.Int("rounds", 5, "how often each way of scikit-learn's fits, and ours before it")
	flag.Parse()
	for _, size := range strings.Split(*sizes, ",") {
		rows, columns, ok := strings.Cut(size, "x")
		n, errRows := strconv.Atoi(rows)
		k, errColumns := strconv.Atoi(columns)
		if err := errors.Join(errRows, errColumns); err != nil || !ok || n < 2 || k < 1 {
			return fmt.Errorf("-sizes: %q is not rows x columns", size)
		}
		if err := compare(ctx, newData(n, k), *python, *script, *rounds); err != nil {
			return err
		}
	}
	return nil
}

// data are n rows in k standard normal columns, with labels by the side of a plane with logistic
// noise. The plane of two columns is that of the generated datasets.
type data struct {
	x [][]float64
	y []uint8
}

func newData(n, k int) data {
	rng := rand.New(rand.NewPCG(1, uint64(k)))
	plane := []float64{0.5, 0.3}
	for len(plane) < k {
		plane = append(plane, rng.NormFloat64())
	}
	d := data{x: make([][]float64, k), y: make([]uint8, n)}
	for j := range d.x {
		d.x[j] = make([]float64, n)
	}
	for i := range n {
		u := rng.Float64()
		side := 0.5 * math.Log(u/(1-u))
		for j := range d.x {
			d.x[j][i] = rng.NormFloat64()
			side += plane[j] * d.x[j][i]
		}
		if side > 0 {
			d.y[i] = 1
		}
	}
	return d
}

// objective is what both minimise, by its definition.
func (d data) objective(coef []float64, intercept float64) float64 {
	var loss, squares float64
	for i, label := range d.y {
		score := intercept
		for j, c := range coef {
			score += c * d.x[j][i]
		}
		if label == 1 {
			score = -score
		}
		loss += max(score, 0) + math.Log1p(math.Exp(-math.Abs(score)))
	}
	for _, c := range coef {
		squares += c * c
	}
	return loss + squares/2
}

// best is the fastest fit of one way of fitting.
type best struct {
	name       string
	fastest    time.Duration
	iterations int
	objective  float64
	remark     string
}

func newBest() *best { return &best{fastest: math.MaxInt64} }

func (b *best) take(took time.Duration) { b.fastest = min(b.fastest, took) }

// sameOptimum is how far apart, relatively, two objectives at an optimum may be.
const sameOptimum = 1e-10

func compare(ctx context.Context, d data, python, script string, rounds int) (err error) {
	sk, err := startSklearn(ctx, python, script, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, sk.stop()) }()

	ours := newBest()
	theirs := make([]*best, len(ways()))
	for i := range theirs {
		theirs[i] = newBest()
	}
	for range rounds {
		for i, way := range ways() {
			// Ours before each of theirs: so the fastest of ours and the fastest of all of theirs
			// are drawn from equally many.
			if err := fitOurs(ctx, d, ours); err != nil {
				return err
			}
			if err := sk.fit(way, d, theirs[i]); err != nil {
				return fmt.Errorf("scikit-learn's %s: %w", way.solver, err)
			}
		}
	}
	return report(d, ours, theirs)
}

func fitOurs(ctx context.Context, d data, b *best) error {
	runtime.GC() // what the last fit left is not this one's
	start := time.Now()
	m, fit, err := logreg.Fit(ctx, d.x, d.y, nil, logreg.Options{C: 1, Tol: 1e-8})
	b.take(time.Since(start))
	if err != nil {
		return err
	}
	if !fit.Converged {
		return fmt.Errorf("ours did not converge: %s", fit.Note)
	}
	b.name, b.iterations = "ours, "+fit.Solver, fit.Iterations
	b.objective = d.objective(m.Coef, m.Intercept)
	return nil
}

// report prints the table and fails if ours is not at the optimum.
func report(d data, ours *best, theirs []*best) error {
	fastest, lowest := theirs[0], theirs[0]
	for _, b := range theirs {
		if b.fastest < fastest.fastest {
			fastest = b
		}
		if b.objective < lowest.objective {
			lowest = b
		}
	}
	fmt.Printf("%d x %d\n", len(d.y), len(d.x))
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "\tms\titerations\tobjective above the lowest\ttimes ours\t")
	for _, b := range append([]*best{ours}, theirs...) {
		fmt.Fprintf(w, "%s\t%.1f\t%d\t%.1e\t%.1f\t%s\n", b.name, b.fastest.Seconds()*1e3, b.iterations,
			b.objective/min(lowest.objective, ours.objective)-1, b.fastest.Seconds()/ours.fastest.Seconds(), b.remark)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("training %dx%d: %.1f times faster than scikit-learn's fastest (%s)\n\n",
		len(d.y), len(d.x), fastest.fastest.Seconds()/ours.fastest.Seconds(), fastest.name)
	if ours.objective > lowest.objective*(1+sameOptimum) {
		return fmt.Errorf("the optimum differs: %v, scikit-learn has %v", ours.objective, lowest.objective)
	}
	return nil
}
