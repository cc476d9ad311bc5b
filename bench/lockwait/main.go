// Lockwait measures how long jobs wait for SQLite's write lock while another process commits
// predictions back to back into the same file, and what each remedy costs the predictions:
//
//	none       SQLite's busy wait alone
//	pause      the predictor leaves 1 ms between two commits
//	turnstile  processes write in the order in which they came (what the store does)
//	ownfile    the prediction log has a database file of its own
//
// It runs itself twice more for each mode: a predictor, and a worker with River jobs and small
// write transactions. The figures are the basis of docs/adr/0001.
//
//	go run ./bench/lockwait -seconds 15
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

const (
	modeNone      = "none"
	modePause     = "pause"
	modeTurnstile = "turnstile"
	modeOwnFile   = "ownfile"
)

type config struct {
	role    string
	mode    string
	dir     string
	seconds int
	rows    int // of one commit of the predictor
}

func (c config) jobsFile() string { return filepath.Join(c.dir, "jobs.db") }

func (c config) predictionsFile() string {
	if c.mode == modeOwnFile {
		return filepath.Join(c.dir, "predictions.db")
	}
	return c.jobsFile()
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "lockwait:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	var c config
	var modes string
	flag.StringVar(&modes, "modes", "none,pause,turnstile,ownfile", "modes to measure")
	flag.IntVar(&c.seconds, "seconds", 15, "duration of each")
	flag.IntVar(&c.rows, "rows", 64, "predictions a commit")
	flag.StringVar(&c.dir, "dir", "", "folder for the files, a temporary one if empty")
	flag.StringVar(&c.role, "role", "", "for the program itself: predictor or worker")
	flag.StringVar(&c.mode, "mode", "", "for the program itself")
	flag.Parse()
	switch c.role {
	case "predictor":
		return predict(ctx, c)
	case "worker":
		return work(ctx, c)
	}
	fmt.Printf("%-10s %10s %8s | %s | %s\n", "mode", "rows/s", "errors", header("tx"), header("job"))
	for _, c.mode = range strings.Split(modes, ",") {
		if err := measure(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// header names the columns of one kind of work: done, waiting at the end, failed, and its delays.
func header(kind string) string {
	return fmt.Sprintf("%-4s %6s %6s %5s %8s %8s %8s", kind, "done", "undone", "fail", "p50 ms", "p99 ms", "max ms")
}

// report is what a child prints.
type report struct {
	Rows, Errors int
	Tx, Jobs     delays
}

type delays struct {
	Done, Undone, Failed int
	P50, P99, Max        float64 // milliseconds
}

func (d delays) String() string {
	return fmt.Sprintf("%-4s %6d %6d %5d %8.1f %8.1f %8.1f", "", d.Done, d.Undone, d.Failed, d.P50, d.P99, d.Max)
}

// measure runs both children in one mode and prints a line.
func measure(ctx context.Context, c config) error {
	dir, err := os.MkdirTemp(c.dir, "lockwait-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	c.dir = dir
	// The first opens migrate; what is measured comes after.
	if err := prepare(ctx, c); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(c.seconds+30)*time.Second)
	defer cancel()
	type answer struct {
		report
		err error
	}
	answers := make(chan answer, 2)
	for _, role := range []string{"predictor", "worker"} {
		go func() {
			r, err := child(ctx, c, role)
			answers <- answer{r, err}
		}()
	}
	a, b := <-answers, <-answers
	if err := errors.Join(a.err, b.err); err != nil {
		return err
	}
	if a.Rows == 0 {
		a, b = b, a
	}
	fmt.Printf("%-10s %10d %8d | %s | %s\n", c.mode, a.Rows/c.seconds, a.Errors+b.Errors, b.Tx, b.Jobs)
	return nil
}

func child(ctx context.Context, c config, role string) (r report, err error) {
	cmd := exec.CommandContext(ctx, os.Args[0], "-role", role, "-mode", c.mode, "-dir", c.dir,
		"-seconds", strconv.Itoa(c.seconds), "-rows", strconv.Itoa(c.rows))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return r, fmt.Errorf("%s: %w", role, err)
	}
	if err := json.Unmarshal(out, &r); err != nil {
		return r, fmt.Errorf("%s: %w", role, err)
	}
	return r, nil
}
