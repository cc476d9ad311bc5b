// Command tracing measures what tracing costs POST /predict: the same program with tracing off, with one
// trace in a hundred recorded, and with all, and if -before names its binaries a build from before there was
// tracing. All run at once and are asked in turn for a second each, many times over, so that a slow moment
// of the machine hits all; what is compared is the processor time of a prediction.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"syscall"
	"time"

	"iacontinu/bench/harness"
)

const (
	connections = 64
	burst       = time.Second
	body        = `{"features":[0.1,-0.2]}`
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "tracing:", err)
		stop()
		os.Exit(1)
	}
}

// subject is a server with what its bursts gave.
type subject struct {
	name, bin string
	env       []string
	server    *harness.Server
	target    harness.Target
	cpu       []float64 // microseconds a prediction
	rate      []float64 // predictions a second
}

func run(ctx context.Context) (err error) {
	root, err := harness.Root()
	if err != nil {
		return err
	}
	rounds := flag.Int("rounds", 20, "bursts of each server")
	bin := flag.String("bin", filepath.Join(root, "bin"), "folder of the platform's binaries")
	before := flag.String("before", "", "folder of binaries from before there was tracing")
	flag.Parse()
	collector := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // whoever ends it is not listened to any more
	}))
	defer collector.Close()
	endpoint := "OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL
	ratio := "OTEL_TRACES_SAMPLER=parentbased_traceidratio"
	subjects := []*subject{
		{name: "off", bin: *bin},
		{name: "1 %", bin: *bin, env: []string{endpoint, ratio, "OTEL_TRACES_SAMPLER_ARG=0.01"}},
		{name: "all", bin: *bin, env: []string{endpoint}},
	}
	if *before != "" {
		subjects = append(subjects, &subject{name: "before", bin: *before})
	}
	dir, err := os.MkdirTemp("", "bench-tracing-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, s := range subjects {
		if err := s.start(ctx, filepath.Join(dir, s.name)); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, s.server.Stop()) }()
	}
	for i := range *rounds {
		order := slices.Clone(subjects)
		if i%2 == 1 { // who comes first is not always the same
			slices.Reverse(order)
		}
		for _, s := range order {
			if err := s.ask(ctx); err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
		}
	}
	report(os.Stdout, subjects, *rounds)
	return nil
}

// start starts the server and warms it up. Its checks would retrain, each at another time.
func (s *subject) start(ctx context.Context, dir string) (err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	env := append([]string{"DRIFT_DETECTOR=statistical", "MONITORING_INTERVAL=87600h"}, s.env...)
	if s.server, err = harness.StartUp(ctx, s.bin, dir, env...); err != nil {
		return err
	}
	s.target = harness.Target{URL: s.server.Base + "/predict", Body: body}
	if s.target.Token, err = harness.Login(ctx, s.server.Base); err == nil {
		_, err = harness.Wrk(ctx, s.target, connections, burst)
	}
	if err != nil {
		err = errors.Join(err, s.server.Stop())
	}
	return err
}

// ask is one burst.
func (s *subject) ask(ctx context.Context) error {
	before, err := harness.CPU(s.server.PIDs()...)
	if err != nil {
		return err
	}
	got, err := harness.Wrk(ctx, s.target, connections, burst)
	if err != nil {
		return err
	}
	after, err := harness.CPU(s.server.PIDs()...)
	if err != nil {
		return err
	}
	if got.Errors() > 0 {
		return fmt.Errorf("%d requests failed", got.Errors())
	}
	s.cpu = append(s.cpu, float64((after-before).Microseconds())/float64(got.Requests))
	s.rate = append(s.rate, got.Throughput())
	return nil
}

// report prints medians, and ratios to the first subject that are taken within a round.
func report(w io.Writer, subjects []*subject, rounds int) {
	fmt.Fprintf(w, "POST /predict, %d connections, %d bursts of %v each; medians\n", connections, rounds, burst)
	off := subjects[0]
	for _, s := range subjects {
		cpu, rate := make([]float64, rounds), make([]float64, rounds)
		for i := range rounds {
			cpu[i], rate[i] = s.cpu[i]/off.cpu[i], s.rate[i]/off.rate[i]
		}
		slices.Sort(cpu)
		fmt.Fprintf(w, "tracing %-6s: %5.2f us of processor time and %6.0f predict/s; of off: %.3f (middle half %.3f to %.3f) and %.3f\n",
			s.name, harness.Median(s.cpu), harness.Median(s.rate), harness.Median(cpu), cpu[rounds/4], cpu[rounds*3/4], harness.Median(rate))
	}
}
