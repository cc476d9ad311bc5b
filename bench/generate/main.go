// Command generate compares drawing, storing and keeping the columns of a generated dataset with
// Python's sqlite3 storing as many rows that are ready in memory, by executemany in one transaction,
// into the same table of the same kind of database. Both run in turns, each in a process of its own.
//
//	go run ./bench/generate -python python3
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"iacontinu/internal/datasets"
	"iacontinu/internal/store"
)

func main() {
	rows := flag.Int("rows", 1_000_000, "rows to store")
	rounds := flag.Int("rounds", 5, "how often each runs")
	python := flag.String("python", "python3", "a Python 3")
	dir := flag.String("dir", "", "generate into a store in this folder and print the time (used by the command itself)")
	flag.Parse()
	ctx := context.Background()
	run := func() error { return compare(ctx, *rows, *rounds, *python) }
	if *dir != "" {
		run = func() error { return generate(ctx, *dir, *rows) }
	}
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// result is what a child process prints, in seconds.
type result struct {
	Generate float64 `json:"generate"`
	// Read is the time to read the columns back.
	Read float64 `json:"read"`
}

const python = `
import json, random, sqlite3, sys, time
count = int(sys.argv[2])
rows = [(1, random.gauss(0, 1), random.gauss(0, 1), i % 2) for i in range(count)]
db = sqlite3.connect(sys.argv[1])
db.execute("PRAGMA journal_mode = WAL")
db.execute("PRAGMA synchronous = NORMAL")
start = time.perf_counter()
with db:
    db.executemany("INSERT INTO dataset_samples (generation_id, feature1, feature2, target) VALUES (?, ?, ?, ?)", rows)
stored = time.perf_counter()
again = db.execute("SELECT feature1, feature2, target FROM dataset_samples").fetchall()
assert len(again) == count
print(json.dumps({"generate": stored - start, "read": time.perf_counter() - stored}))
`

func compare(ctx context.Context, rows, rounds int, interpreter string) (err error) {
	dir, err := os.MkdirTemp("", "generate")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	var ours, theirs []result
	for i := range rounds {
		folder := filepath.Join(dir, fmt.Sprint(i))
		a, rss, err := measure(ctx, os.Args[0], "-dir", filepath.Join(folder, "ours"), "-rows", fmt.Sprint(rows))
		if err != nil {
			return err
		}
		db := filepath.Join(folder, "theirs", "data.db")
		if err := migrate(ctx, db); err != nil {
			return err
		}
		b, _, err := measure(ctx, interpreter, "-c", python, db, fmt.Sprint(rows))
		if err != nil {
			return err
		}
		ours, theirs = append(ours, a), append(theirs, b)
		fmt.Printf("%d rows: generate %.3f s, read %.3f s (%.0f MB)   sqlite3 executemany %.3f s, read %.3f s   ratios %.2f, %.1f\n",
			rows, a.Generate, a.Read, rss, b.Generate, b.Read, b.Generate/a.Generate, b.Read/a.Read)
		if err := os.RemoveAll(folder); err != nil {
			return err
		}
	}
	fmt.Printf("medians: generate is %.2f times as fast as executemany, reading the columns %.1f times as fast as reading the rows\n",
		median(theirs, result.generate)/median(ours, result.generate), median(theirs, result.read)/median(ours, result.read))
	return nil
}

func (r result) generate() float64 { return r.Generate }
func (r result) read() float64     { return r.Read }

func median(all []result, what func(result) float64) float64 {
	values := make([]float64, len(all))
	for i, r := range all {
		values[i] = what(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// measure runs a child to its end; rss is its peak memory in MB.
func measure(ctx context.Context, name string, args ...string) (r result, rss float64, err error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, 0, fmt.Errorf("%s: %w", name, err)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, 0, fmt.Errorf("%s prints %q: %w", name, out, err)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return r, 0, errors.New("the system does not tell what a process has used")
	}
	return r, float64(usage.Maxrss) / 1e3, nil
}

func open(ctx context.Context, db string) (*store.Store, error) {
	return store.Open(ctx, store.Options{Path: db, Logger: slog.New(slog.DiscardHandler)})
}

// migrate makes an empty database.
func migrate(ctx context.Context, db string) error {
	s, err := open(ctx, db)
	if err != nil {
		return err
	}
	return s.Close()
}

func generate(ctx context.Context, dir string, rows int) (err error) {
	s, err := open(ctx, filepath.Join(dir, "data.db"))
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
	ds, err := d.Generate(ctx, datasets.GenerateSpec{Samples: rows, Seed: 1}, nil)
	if err != nil {
		return err
	}
	stored := time.Now()
	cols, err := d.Columns(ctx, ds, 0)
	if err != nil {
		return err
	}
	if cols.Len() != rows {
		return fmt.Errorf("%d rows of %d are read", cols.Len(), rows)
	}
	return json.NewEncoder(os.Stdout).Encode(result{
		Generate: stored.Sub(start).Seconds(), Read: time.Since(stored).Seconds(),
	})
}
