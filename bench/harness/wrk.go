package harness

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"
)

//go:embed predict.lua
var script string

// Target is a POST route under load.
type Target struct {
	URL   string
	Token string // sent as a bearer token if not empty
	Body  string
}

// Result is what wrk saw in one run; latencies are in microseconds.
type Result struct {
	Requests     int64   `json:"requests"`
	Microseconds int64   `json:"microseconds"`
	P50          float64 `json:"p50"`
	P99          float64 `json:"p99"`
	Max          float64 `json:"max"`
	StatusErrors int64   `json:"status_errors"`
	SocketErrors int64   `json:"socket_errors"`
}

// Throughput is answers a second, those below status 400 only.
func (r Result) Throughput() float64 {
	return float64(r.Requests-r.StatusErrors) / (float64(r.Microseconds) / 1e6)
}

// Errors counts answers of 400 or above and failures of the connection.
func (r Result) Errors() int64 { return r.StatusErrors + r.SocketErrors }

// Wrk drives a target in a closed loop over keep-alive connections from one thread: on a small
// machine a generator with more of them takes the processor from the server.
func Wrk(ctx context.Context, t Target, connections int, d time.Duration) (Result, error) {
	f, err := os.CreateTemp("", "predict-*.lua")
	if err != nil {
		return Result{}, err
	}
	defer os.Remove(f.Name())
	if _, err := f.WriteString(script); err != nil {
		return Result{}, err
	}
	if err := f.Close(); err != nil {
		return Result{}, err
	}
	seconds := strconv.Itoa(max(1, int(d.Seconds()))) + "s"
	cmd := exec.CommandContext(ctx, "wrk", "-t1", "-c"+strconv.Itoa(connections), "-d"+seconds,
		"--timeout", "10s", "-s", f.Name(), t.URL)
	cmd.Env = append(cmd.Environ(), "BODY="+t.Body, "TOKEN="+t.Token)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return Result{}, fmt.Errorf("wrk: %w: %s", err, out)
	}
	var r Result
	line := out[bytes.LastIndexByte(bytes.TrimSpace(out), '\n')+1:]
	if err := json.Unmarshal(line, &r); err != nil {
		return Result{}, fmt.Errorf("wrk: %w in %s", err, out)
	}
	return r, nil
}
