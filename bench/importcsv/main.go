// Command importcsv compares an import of a CSV file, from the first byte read to a dataset that is
// ready and on the disk, with pandas.read_csv of the same file, which only has it in memory then.
// Both run in turns, each in a process of its own.
//
//	go run ./bench/importcsv -python .venv/bin/python
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"iacontinu/internal/datasets"
	"iacontinu/internal/store"
)

func main() {
	rows := flag.Int("rows", 1_000_000, "rows of the file")
	columns := flag.Int("columns", 10, "features of the file")
	rounds := flag.Int("rounds", 7, "how often each runs")
	python := flag.String("python", "python3", "a Python that has pandas")
	file := flag.String("import", "", "import this file and print the time (used by the command itself)")
	flag.Parse()
	ctx := context.Background()
	run := func() error { return compare(ctx, *rows, *columns, *rounds, *python) }
	if *file != "" {
		run = func() error { return importFile(ctx, *file) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "importcsv:", err)
		os.Exit(1)
	}
}

// result is what a child process prints.
type result struct {
	Seconds float64 `json:"seconds"`
	Rows    int     `json:"rows"`
}

// measured is a result with what the system says of the process.
type measured struct {
	result
	process float64 // seconds from start to end
	cpu     float64 // seconds
	rss     float64 // MB at most
}

const pandas = `
import json, sys, time
import pandas
start = time.perf_counter()
table = pandas.read_csv(sys.argv[1])
print(json.dumps({"seconds": time.perf_counter() - start, "rows": len(table)}))
`

func compare(ctx context.Context, rows, columns, rounds int, python string) (err error) {
	dir, err := os.MkdirTemp("", "importcsv")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	file := filepath.Join(dir, "table.csv")
	if err := write(file, rows, columns); err != nil {
		return err
	}
	info, err := os.Stat(file)
	if err != nil {
		return err
	}
	size := float64(columns+1) * 8 * float64(rows) / 1e6
	fmt.Printf("%d rows of %d features and a target: %.0f MB of text, %.0f MB of columns\n", rows, columns, float64(info.Size())/1e6, size)
	var ours, theirs []measured
	for range rounds {
		a, err := measure(ctx, rows, os.Args[0], "-import", file)
		if err != nil {
			return err
		}
		b, err := measure(ctx, rows, python, "-c", pandas, file)
		if err != nil {
			return err
		}
		ours, theirs = append(ours, a), append(theirs, b)
		fmt.Printf("import %.3f s (cpu %.2f, %3.0f MB)   pandas.read_csv %.3f s (cpu %.2f with its start, %3.0f MB)   ratio %.2f\n",
			a.Seconds, a.cpu, a.rss, b.Seconds, b.cpu, b.rss, b.Seconds/a.Seconds)
	}
	of := func(what func(measured) float64) float64 { return median(theirs, what) / median(ours, what) }
	fmt.Printf("medians: import is %.2f times as fast as read_csv alone, %.2f times as whole processes; peak memory %.2f of the columns (pandas %.2f)\n",
		of(func(m measured) float64 { return m.Seconds }), of(func(m measured) float64 { return m.process }),
		highest(ours)/size, highest(theirs)/size)
	return nil
}

func write(file string, rows, columns int) (err error) {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	for j := range columns {
		fmt.Fprintf(w, "feature%d,", j+1)
	}
	fmt.Fprintln(w, "target")
	rng := rand.New(rand.NewPCG(1, 1))
	var line []byte
	for range rows {
		line = line[:0]
		for range columns {
			line = append(strconv.AppendFloat(line, rng.NormFloat64(), 'g', -1, 64), ',')
		}
		line = append(line, []string{"no\n", "yes\n"}[rng.IntN(2)]...)
		if _, err := w.Write(line); err != nil {
			return errors.Join(err, f.Close())
		}
	}
	return errors.Join(w.Flush(), f.Close())
}

// measure runs a child to its end.
func measure(ctx context.Context, rows int, name string, args ...string) (m measured, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	start := time.Now()
	out, err := cmd.Output()
	m.process = time.Since(start).Seconds()
	if err != nil {
		return m, fmt.Errorf("%s: %w", name, err)
	}
	if err := json.Unmarshal(out, &m.result); err != nil {
		return m, fmt.Errorf("%s prints %q: %w", name, out, err)
	}
	if m.Rows != rows {
		return m, fmt.Errorf("%s has read %d rows of %d", name, m.Rows, rows)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return m, errors.New("the system does not tell what a process has used")
	}
	m.cpu = float64(usage.Utime.Nano()+usage.Stime.Nano()) / 1e9
	m.rss = float64(usage.Maxrss) / 1e3
	return m, nil
}

func median(all []measured, what func(measured) float64) float64 {
	values := make([]float64, len(all))
	for i, m := range all {
		values[i] = what(m)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

func highest(all []measured) float64 {
	return slices.MaxFunc(all, func(a, b measured) int { return int(a.rss - b.rss) }).rss
}

// importFile imports into a new store beside the file.
func importFile(ctx context.Context, file string) (err error) {
	dir, err := os.MkdirTemp(filepath.Dir(file), "data")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	s, err := store.Open(ctx, store.Options{Path: filepath.Join(dir, "data.db"), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	d, err := datasets.New(datasets.Options{
		Catalogue: s, Dir: filepath.Join(dir, "datasets"), Builder: "bench",
		Alive: func(string) (bool, error) { return true, nil },
	})
	if err != nil {
		return err
	}
	start := time.Now()
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	ds, _, err := d.Import(ctx, f, datasets.ImportSpec{Name: filepath.Base(file), Target: "target"})
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(result{Seconds: time.Since(start).Seconds(), Rows: ds.Samples})
}
