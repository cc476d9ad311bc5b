package e2e

import (
	"testing"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/discord/discordtest"
)

// platform is a running loop: one process or three.
type platform struct {
	url       string
	processes []*process
	worker    *process
}

// startUp runs everything in one process.
func startUp(t *testing.T, f *folder, env ...string) *platform {
	t.Helper()
	up := f.start(t, env, "iacontinu", "up")
	return &platform{url: up.url(t), processes: []*process{up}, worker: up}
}

// startApart runs the three processes, started at the same moment.
func startApart(t *testing.T, f *folder, env ...string) *platform {
	t.Helper()
	// The flow runner must know the API's port before it is bound, so one is chosen here.
	url, port := freePort(t)
	env = append(env, "API_PORT="+port, "API_URL="+url)
	p := &platform{url: url}
	for _, name := range []string{"api", "worker", "flow"} {
		p.processes = append(p.processes, f.start(t, env, name))
	}
	p.worker = p.processes[1]
	p.processes[0].url(t)
	p.worker.logged(t, "ready", nil)
	p.processes[2].logged(t, "ready", nil)
	return p
}

func (p *platform) stop(t *testing.T) {
	t.Helper()
	for _, process := range p.processes {
		process.stop(t)
	}
}

// each runs a test against both ways to run the platform.
func each(t *testing.T, test func(t *testing.T, start func(*testing.T, *folder, ...string) *platform)) {
	t.Helper()
	t.Parallel()
	t.Run("up", func(t *testing.T) {
		t.Parallel()
		test(t, startUp)
	})
	t.Run("apart", func(t *testing.T) {
		t.Parallel()
		test(t, startApart)
	})
}

// TestTheLoop is the whole promise: on an empty folder a first model is trained and serves; data is
// generated, a version trained and swapped in by hand; the check finds a drift, retrains, swaps, and
// people are told.
func TestTheLoop(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, *folder, ...string) *platform) {
		discord := discordtest.NewServer(t, discordtest.Options{})
		p := start(t, newFolder(t), "MONITORING_INTERVAL=1", "DRIFT_DETECTOR=random", "NOTIFY_COOLDOWN=1s", "DISCORD_WEBHOOK_URL="+discord.WebhookURL)
		ready(t, p.url)
		user := login(t, p.url, "testuser", "test123")
		ctx := t.Context()

		made, err := user.Generate(ctx, api.GenerateRequest{Samples: 2000})
		if err != nil || made.SamplesCreated != 2000 {
			t.Fatalf("generate: %+v, %v", made, err)
		}
		reply, err := user.Retrain(ctx, api.RetrainRequest{}, true)
		if err != nil || reply.Done == nil {
			t.Fatalf("retrain: %+v, %v", reply, err)
		}
		info, err := user.ModelInfo(ctx)
		if err != nil || info.ModelVersion == nil {
			t.Fatalf("model info: %+v, %v", info, err)
		}
		answer, err := user.Predict(ctx, []float64{1.5, 1})
		if err != nil || answer.Prediction != 1 || answer.Confidence < 0.9 {
			t.Fatalf("predict [1.5 1]: %+v, %v; want class 1, sure of it", answer, err)
		}
		if answer, err = user.Predict(ctx, []float64{-1.5, -1}); err != nil || answer.Prediction != 0 {
			t.Fatalf("predict [-1.5 -1]: %+v, %v; want class 0", answer, err)
		}

		p.worker.logged(t, "retraining finished", func(e entry) bool { return e["reason"] == "drift" })
		eventually(t, "a check that had the model retrained is recorded", func() bool {
			checks, err := user.Drift(ctx, 100)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range checks.DriftDetections {
				if c.ActionTaken == "retrained" || c.ActionTaken == "retrain_rejected" {
					return true
				}
			}
			return false
		})
		eventually(t, "people are told of two versions", func() bool { return len(discord.Payloads()) >= 2 })
		p.stop(t)
	})
}

// TestNothingAcknowledgedIsLostInAnOrderedStop stops the platform under load.
func TestNothingAcknowledgedIsLostInAnOrderedStop(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, *folder, ...string) *platform) {
		f := newFolder(t)
		p := start(t, f)
		ready(t, p.url)
		load := startLoad(t, login(t, p.url, "testuser", "test123"), 8)
		load.waitFor(t, 200)
		p.stop(t)
		f.hasAll(t, load.end())
	})
}

// TestNothingAcknowledgedIsLostByKill9 kills the process that serves, under load, and starts it
// again.
func TestNothingAcknowledgedIsLostByKill9(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, *folder, ...string) *platform) {
		f := newFolder(t)
		p := start(t, f)
		ready(t, p.url)
		load := startLoad(t, login(t, p.url, "testuser", "test123"), 8)
		load.waitFor(t, 200)
		p.processes[0].kill()
		f.hasAll(t, load.end())
		for _, other := range p.processes[1:] {
			other.stop(t)
		}
		again := start(t, f)
		ready(t, again.url)
	})
}

// TestARetrainingSurvivesItsWorker kills the worker in the middle of retrainings; each job ends once
// a worker is back, and leaves one version.
func TestARetrainingSurvivesItsWorker(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	p := startApart(t, f)
	ready(t, p.url)
	user := login(t, p.url, "testuser", "test123")
	made, err := user.Generate(t.Context(), api.GenerateRequest{Samples: 300_000, Seed: new(uint64(1)), Drift: "none"})
	if err != nil {
		t.Fatal(err)
	}
	const wanted, most = 3, 30
	killed := 0
	for round := 0; killed < wanted; round++ {
		if round == most {
			t.Fatalf("of %d jobs only %d had not ended before the kill: they need more rows", most, killed)
		}
		// A dataset that is named is used whole.
		reply, err := user.Retrain(t.Context(), api.RetrainRequest{DatasetID: made.GenerationID, Seed: uint64(round + 1)}, false)
		if err != nil {
			t.Fatal(err)
		}
		state := func() string {
			t.Helper()
			job, err := user.Job(t.Context(), reply.Job.ID)
			if err != nil {
				t.Fatal(err)
			}
			return job.State
		}
		eventually(t, "the job has begun", func() bool { return state() != "queued" })
		p.worker.kill()
		if state() == "running" { // else the kill came too late to show anything
			killed++
		}
		restart := time.Now()
		p.worker = f.start(t, []string{"API_URL=" + p.url}, "worker")
		eventually(t, "the job has ended well", func() bool { return state() == "succeeded" })
		job, err := user.Job(t.Context(), reply.Job.ID)
		if err != nil || job.Result == nil || job.StartedAt == nil {
			t.Fatalf("the job came to %+v, %v", job, err)
		}
		if took := job.StartedAt.Sub(restart); took > 20*time.Second {
			t.Errorf("the job ran again %s after the restart, want within 20 s", took)
		}
	}
	f.checkOneVersionAJob(t)
}

// TestJobsAskedForTogetherAllRun: a worker that takes several jobs at a look runs each of them.
func TestJobsAskedForTogetherAllRun(t *testing.T) {
	t.Parallel()
	p := startUp(t, newFolder(t))
	ready(t, p.url)
	user := login(t, p.url, "testuser", "test123")
	var jobs []int64
	for seed := range 12 {
		reply, err := user.Retrain(t.Context(), api.RetrainRequest{Seed: uint64(seed + 1)}, false)
		if err != nil {
			t.Fatal(err)
		}
		jobs = append(jobs, reply.Job.ID)
	}
	eventually(t, "all jobs have ended well", func() bool {
		for _, id := range jobs {
			job, err := user.Job(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			if job.State != "succeeded" {
				return false
			}
		}
		return true
	})
}
