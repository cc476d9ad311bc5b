// Command retrain compares POST /retrain on a million stored rows, end to end as a client sees it,
// with Python that reads the same rows of the same database by sqlite3 and fits them with
// scikit-learn. The platform reads, splits, trains, evaluates both versions, saves, activates and
// swaps in that time.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"iacontinu/bench/harness"
	"iacontinu/internal/api"
	"iacontinu/internal/synth"
)

type options struct {
	rows, rounds int
	root         string
	bin, python  string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "retrain:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	root, err := harness.Root()
	if err != nil {
		return err
	}
	o := options{root: root}
	flag.IntVar(&o.rows, "rows", 1_000_000, "rows of the dataset")
	flag.IntVar(&o.rounds, "rounds", 5, "rounds of both sides in turn")
	flag.StringVar(&o.bin, "bin", filepath.Join(root, "bin"), "folder of the platform's binaries")
	flag.StringVar(&o.python, "python", filepath.Join(root, "bench", ".venv", "bin", "python"), "interpreter with bench/requirements.txt")
	flag.Parse()
	if o.rows < 1000 || o.rows > synth.MaxSamples || o.rounds < 1 {
		return fmt.Errorf("-rows must be 1000 to %d and -rounds 1 or more", synth.MaxSamples)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Minute)
	defer cancel()
	dir, err := os.MkdirTemp("", "bench-retrain-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	return compare(ctx, o, dir)
}

func compare(ctx context.Context, o options, dir string) (err error) {
	// The check is kept from retraining on its own while the clock runs.
	srv, err := harness.StartUp(ctx, o.bin, dir,
		"TRAINING_WINDOW="+strconv.Itoa(o.rows), "MONITORING_INTERVAL=3600", "DRIFT_DETECTOR=statistical")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, srv.Stop()) }()
	token, err := harness.Login(ctx, srv.Base)
	if err != nil {
		return err
	}
	client, err := api.New(srv.Base, api.Options{Token: func(context.Context) (string, error) { return token, nil }})
	if err != nil {
		return err
	}
	seed := uint64(1)
	data, err := client.Generate(ctx, api.GenerateRequest{Samples: o.rows, Seed: &seed, Drift: "none"})
	if err != nil {
		return err
	}
	var platform, job, python, ratio []float64
	for i := range o.rounds {
		reply, took, err := retrain(ctx, client, data.GenerationID, uint64(i+1))
		if err != nil {
			return err
		}
		if reply.TrainingSamples+reply.HoldoutSamples != o.rows {
			return fmt.Errorf("/retrain used %d rows of %d", reply.TrainingSamples+reply.HoldoutSamples, o.rows)
		}
		p, err := fit(ctx, o, dir, data.GenerationID)
		if err != nil {
			return err
		}
		platform, python = append(platform, took), append(python, p.Total)
		job, ratio = append(job, reply.DurationSeconds), append(ratio, took/p.Total)
		fmt.Printf("round %d: /retrain %.3f s (the job %.3f s, %s); Python %.3f s (read %.3f, fit %.3f)\n",
			i+1, took, reply.DurationSeconds, reply.Status, p.Total, p.Read, p.Fit)
	}
	fmt.Printf("ratio time, %d rows, /retrain / Python: %.2f (medians %.3f s, its job %.3f s, and %.3f s), goal 0.5\n",
		o.rows, harness.Median(ratio), harness.Median(platform), harness.Median(job), harness.Median(python))
	return nil
}

// retrain asks for a retraining on the dataset and waits until the API serves its outcome. Another
// seed a round makes it another retraining.
func retrain(ctx context.Context, client *api.Client, dataset int64, seed uint64) (*api.RetrainResponse, float64, error) {
	started := time.Now()
	reply, err := client.Retrain(ctx, api.RetrainRequest{DatasetID: dataset, Seed: seed}, true)
	took := time.Since(started).Seconds()
	if err != nil {
		return nil, 0, err
	}
	if reply.Done == nil {
		return nil, 0, errors.New("/retrain was still running after its time limit")
	}
	return reply.Done, took, nil
}

type pythonTimes struct{ Read, Fit, Total float64 }

func fit(ctx context.Context, o options, dir string, dataset int64) (pythonTimes, error) {
	script := filepath.Join(o.root, "bench", "retrain", "fit.py")
	cmd := exec.CommandContext(ctx, o.python, script, harness.Database(dir), strconv.FormatInt(dataset, 10), strconv.Itoa(o.rows))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return pythonTimes{}, fmt.Errorf("%s: %w", script, err)
	}
	var t pythonTimes
	err = json.Unmarshal(out, &t)
	return t, err
}
