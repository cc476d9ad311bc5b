package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver that counts the rows

	"iacontinu/bench/harness"
)

// Keys of the servers under comparison.
const (
	ours     = "up"
	apart    = "apart"
	down     = "down"
	fastapi  = "fastapi"
	fastapi2 = "fastapi2"
	bare     = "bare"
)

// subject is a server under comparison.
type subject struct {
	key, name string
	start     func(ctx context.Context, dir string) (*harness.Server, error)
	// database holds its prediction_logs; nil if it keeps none.
	database func(dir string) string
}

func newSubjects(ctx context.Context, o options, dir string) ([]subject, error) {
	bareBinary := filepath.Join(dir, "bare")
	build := exec.CommandContext(ctx, "go", "build", "-o", bareBinary, "./bench/bare")
	build.Dir = o.root
	if out, err := build.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("build the bare handler: %w: %s", err, out)
	}
	if _, err := os.Stat(o.python); err != nil {
		return nil, fmt.Errorf("no Python environment (make bench-venv makes it): %w", err)
	}
	python := func(workers int) func(context.Context, string) (*harness.Server, error) {
		return func(ctx context.Context, dir string) (*harness.Server, error) {
			return startFastAPI(ctx, o, dir, workers)
		}
	}
	startBare := func(ctx context.Context, dir string) (*harness.Server, error) {
		port, err := harness.FreePort(ctx)
		if err != nil {
			return nil, err
		}
		return harness.StartService(ctx, harness.Command{
			Args: []string{bareBinary, "-addr", "127.0.0.1:" + strconv.Itoa(port)},
			Dir:  dir, Log: filepath.Join(dir, "bare.out"),
		}, port)
	}
	up := func(ctx context.Context, dir string) (*harness.Server, error) {
		return harness.StartUp(ctx, o.bin, dir)
	}
	// Servers that are set and not there: nothing listens on port 9.
	away := func(ctx context.Context, dir string) (*harness.Server, error) {
		return harness.StartUp(ctx, o.bin, dir, "MLFLOW_TRACKING_URI=http://127.0.0.1:9", "PREFECT_API_URL=http://127.0.0.1:9/api")
	}
	processes := func(ctx context.Context, dir string) (*harness.Server, error) {
		return harness.StartApart(ctx, o.bin, dir)
	}
	return []subject{
		{ours, "iacontinu up", up, harness.Database},
		{fastapi, "FastAPI, 1 process", python(1), pythonDatabase},
		{bare, "bare net/http", startBare, nil},
		{apart, "api, worker, flow apart", processes, harness.Database},
		{down, "up, MLflow and Prefect away", away, harness.Database},
		{fastapi2, "FastAPI, 2 processes", python(2), pythonDatabase},
	}, nil
}

func pythonDatabase(dir string) string { return filepath.Join(dir, "predictions.db") }

func startFastAPI(ctx context.Context, o options, dir string, workers int) (*harness.Server, error) {
	port, err := harness.FreePort(ctx)
	if err != nil {
		return nil, err
	}
	return harness.StartService(ctx, harness.Command{
		Args: []string{
			o.python, "-m", "uvicorn", "app:app", "--app-dir", filepath.Join(o.root, "bench", "fastapi"),
			"--host", "127.0.0.1", "--port", strconv.Itoa(port), "--workers", strconv.Itoa(workers),
			"--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning",
		},
		Env: []string{
			"JWT_SECRET_KEY=a-secret-for-the-comparison-only-0123456789", "DATABASE=" + pythonDatabase(dir),
			"OMP_NUM_THREADS=1", // one row at a time gains nothing by threads
		},
		Dir: dir, Log: filepath.Join(dir, "fastapi.out"),
	}, port)
}

// round is what one start of one server gave.
type round struct {
	ready time.Duration
	load  map[int]harness.Result
	cpu   map[int]time.Duration // processor time of the server under that load
	rss   int64                 // after the load
	lost  int64                 // acknowledged predictions without a row
}

func measure(ctx context.Context, o options, s subject, dir string) (r round, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return r, err
	}
	srv, err := s.start(ctx, dir)
	if err != nil {
		return r, err
	}
	stopped := false
	defer func() {
		if !stopped {
			err = errors.Join(err, srv.Stop())
		}
	}()
	r.ready = srv.Ready
	target := harness.Target{URL: srv.Base + "/predict", Body: body}
	if s.key != bare {
		if target.Token, err = harness.Login(ctx, srv.Base); err != nil {
			return r, err
		}
	}
	acknowledged, err := load(ctx, o, srv, target, &r)
	if err != nil {
		return r, err
	}
	if r.rss, err = harness.RSS(srv.PIDs()...); err != nil {
		return r, err
	}
	stopped = true
	if err := srv.Stop(); err != nil {
		return r, err
	}
	if s.database != nil {
		rows, err := countRows(ctx, s.database(dir))
		if err != nil {
			return r, err
		}
		r.lost = max(0, acknowledged-rows)
	}
	return r, os.RemoveAll(dir)
}

// load drives the server at each number of connections, after a warm-up, and returns how many
// predictions it acknowledged.
func load(ctx context.Context, o options, srv *harness.Server, t harness.Target, r *round) (int64, error) {
	r.load, r.cpu = map[int]harness.Result{}, map[int]time.Duration{}
	warm, err := harness.Wrk(ctx, t, connections[len(connections)-1], time.Second)
	if err != nil {
		return 0, err
	}
	acknowledged := warm.Requests - warm.StatusErrors
	for _, c := range connections {
		before, err := harness.CPU(srv.PIDs()...)
		if err != nil {
			return 0, err
		}
		res, err := harness.Wrk(ctx, t, c, time.Duration(o.seconds)*time.Second)
		if err != nil {
			return 0, err
		}
		after, err := harness.CPU(srv.PIDs()...)
		if err != nil {
			return 0, err
		}
		r.load[c], r.cpu[c] = res, after-before
		acknowledged += res.Requests - res.StatusErrors
	}
	return acknowledged, nil
}

func countRows(ctx context.Context, path string) (int64, error) {
	db, err := sql.Open("sqlite3", "file:"+path)
	if err != nil {
		return 0, err
	}
	defer db.Close()
	var n int64
	err = db.QueryRowContext(ctx, "SELECT count(*) FROM prediction_logs").Scan(&n)
	return n, err
}

// idleTime is how long the platform is left alone before its memory is read.
const idleTime = 5 * time.Second

// idle is what the platform costs while nobody asks it anything.
type idle struct {
	firstReady, nextReady time.Duration // start to ready: an empty folder, one that holds a model
	rss                   int64
	cpu                   time.Duration // processor time while it was left alone, before rss was read
}

func measureIdle(ctx context.Context, o options, dir string) (r idle, err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return r, err
	}
	first, err := harness.StartUp(ctx, o.bin, dir)
	if err != nil {
		return r, err
	}
	r.firstReady = first.Ready
	if err := first.Stop(); err != nil {
		return r, err
	}
	var nexts []float64
	for range 3 {
		srv, err := harness.StartUp(ctx, o.bin, dir)
		if err != nil {
			return r, err
		}
		nexts = append(nexts, srv.Ready.Seconds())
		if err := srv.Stop(); err != nil {
			return r, err
		}
	}
	r.nextReady = time.Duration(harness.Median(nexts) * float64(time.Second))
	srv, err := harness.StartUp(ctx, o.bin, dir)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	err = observeIdle(ctx, srv, &r)
	return r, err
}

func observeIdle(ctx context.Context, srv *harness.Server, r *idle) error {
	before, err := harness.CPU(srv.PIDs()...)
	if err != nil {
		return err
	}
	select {
	case <-time.After(idleTime):
	case <-ctx.Done():
		return ctx.Err()
	}
	after, err := harness.CPU(srv.PIDs()...)
	if err != nil {
		return err
	}
	r.cpu = after - before
	r.rss, err = harness.RSS(srv.PIDs()...)
	return err
}
