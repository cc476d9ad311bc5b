// Command predict compares POST /predict of the platform with a FastAPI and scikit-learn service and
// with a bare net/http handler: throughput, latency, processor time, start and memory, in one run.
// Servers are measured in turn, several rounds over, each time started afresh in an empty folder, so
// that a slow minute of the machine hits all of them.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"iacontinu/bench/harness"
)

// connections at which every server is measured; the last is the one that counts.
var connections = []int{16, 64}

const body = `{"features":[0.1,-0.2]}`

type options struct {
	rounds  int
	seconds int
	bin     string
	python  string
	root    string
	servers []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "predict:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	root, err := harness.Root()
	if err != nil {
		return err
	}
	var o options
	flag.IntVar(&o.rounds, "rounds", 3, "rounds over all servers")
	flag.IntVar(&o.seconds, "seconds", 5, "seconds of load at each number of connections")
	flag.StringVar(&o.bin, "bin", filepath.Join(root, "bin"), "folder of the platform's binaries")
	flag.StringVar(&o.python, "python", filepath.Join(root, "bench", ".venv", "bin", "python"), "interpreter with bench/requirements.txt")
	servers := flag.String("servers", strings.Join([]string{ours, fastapi, bare, apart, down, fastapi2}, ","), "servers to measure")
	flag.Parse()
	o.servers = strings.Split(*servers, ",")
	if o.python, err = filepath.Abs(o.python); err != nil { // servers start in folders of their own
		return err
	}
	o.root = root
	if o.rounds < 1 || o.seconds < 1 {
		return fmt.Errorf("-rounds and -seconds must be 1 or more")
	}
	ctx, cancel := context.WithTimeout(ctx, limit(o))
	defer cancel()
	return compare(ctx, o)
}

// limit is well above what a healthy run takes.
func limit(o options) time.Duration {
	each := time.Duration(len(connections)*o.seconds+30) * time.Second
	return 2*time.Minute + time.Duration(o.rounds*6)*each
}

func compare(ctx context.Context, o options) error {
	dir, err := os.MkdirTemp("", "bench-predict-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	subjects, err := newSubjects(ctx, o, dir)
	if err != nil {
		return err
	}
	subjects = slices.DeleteFunc(subjects, func(s subject) bool { return !slices.Contains(o.servers, s.key) })
	if len(subjects) != len(o.servers) {
		return fmt.Errorf("-servers: unknown or doubled name in %v", o.servers)
	}
	results := map[string][]round{}
	for i := range o.rounds {
		for _, s := range subjects {
			fmt.Fprintf(os.Stderr, "round %d of %d: %s\n", i+1, o.rounds, s.name)
			r, err := measure(ctx, o, s, filepath.Join(dir, fmt.Sprintf("%s-%d", s.key, i)))
			if err != nil {
				return fmt.Errorf("%s: %w", s.name, err)
			}
			results[s.key] = append(results[s.key], r)
		}
	}
	report(os.Stdout, o, subjects, results)
	if !slices.Contains(o.servers, ours) {
		return nil
	}
	i, err := measureIdle(ctx, o, filepath.Join(dir, "idle"))
	if err != nil {
		return err
	}
	reportIdle(os.Stdout, i)
	return nil
}
