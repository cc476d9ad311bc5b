package queue

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/ml"
)

const childEnv = "QUEUE_TEST_CHILD_DIR"

// TestMain lets this binary be the worker process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(childEnv); dir != "" {
		if err := child(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// child works on the file in dir and never finishes a retraining.
func child(dir string) error {
	const id = "worker-child"
	if err := hold(dir, id); err != nil {
		return err
	}
	tb := &childTB{}
	q, err := New(Options{DB: openDB(tb, filepath.Join(dir, "q.db")), ClientID: id, Alive: lockHeld(dir)})
	if err != nil {
		return err
	}
	return q.Work(context.Background(), handlers(Handlers{Retrain: func(ctx context.Context, id int64, _ time.Time, _ ml.RetrainArgs) error {
		fmt.Println("running", id)
		<-ctx.Done()
		return ctx.Err()
	}}))
}

// childTB stands in for the test that a child process does not have.
type childTB struct{ testing.TB }

func (*childTB) Helper()           {}
func (*childTB) Cleanup(func())    {}
func (*childTB) Fatal(args ...any) { panic(fmt.Sprint(args...)) }

// killMidJob starts a worker process, waits until it runs a job, and kills it with SIGKILL.
func killMidJob(t *testing.T, dir string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line := make(chan string, 1)
	go func() {
		s, _ := bufio.NewReader(out).ReadString('\n')
		line <- s
	}()
	if s := receive(t, line, "the child's job"); s != "running 1\n" {
		t.Fatalf("the child said %q", s)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		t.Fatal("the child ended by itself")
	}
}

func TestJobOfKilledWorkerRunsAgain(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.enqueueRetrain(t, ml.RetrainArgs{Seed: 4})
	killMidJob(t, b.dir)

	if s := b.job(t, id).State; s != ml.JobRunning {
		t.Fatalf("state %s right after the kill, want running", s)
	}
	if got, joined, err := b.q.EnqueueRetrain(t.Context(), ml.RetrainArgs{Seed: 4}); err != nil || !joined || got != id {
		t.Fatalf("an equal call: id %d joined %t err %v, want %d true nil", got, joined, err, id)
	}
	// What became due meanwhile needs a leader to be promoted, and the dead one's lease still runs.
	if err := b.q.EnqueueNotify(t.Context(), ml.Event{Topic: ml.EventDrift}); err != nil {
		t.Fatal(err)
	}
	b.exec(t, `UPDATE river_job SET state = 'scheduled' WHERE kind = 'notify'`)
	if n := b.count(t, `SELECT count(*) FROM river_leader WHERE leader_id = 'worker-child'`); n != 1 {
		t.Fatal("the killed worker was not the leader: this test shows less than it should")
	}

	b.q.rescueEvery = time.Hour // the look at the start has to do it
	ran, told := make(chan int64, 1), make(chan struct{}, 1)
	restart := time.Now()
	stop := work(t, b.q, Handlers{
		Retrain: func(_ context.Context, id int64, _ time.Time, _ ml.RetrainArgs) error {
			ran <- id
			return nil
		},
		Notify: func(context.Context, ml.Event) (time.Duration, error) {
			told <- struct{}{}
			return 0, nil
		},
	})
	if got := receive(t, ran, "the rescued job"); got != id {
		t.Fatalf("job %d ran, want %d", got, id)
	}
	t.Logf("the killed worker's job ran again %s after the restart", time.Since(restart))
	receive(t, told, "the job that became due")
	t.Logf("a job that became due ran %s after the restart", time.Since(restart))
	mustStop(t, stop)
	job := b.job(t, id)
	if job.State != ml.JobSucceeded || job.Attempt != 1 {
		t.Errorf("job %+v, want succeeded, with the killed attempt not counted", job)
	}
}

// A worker that lives takes over without a restart.
func TestSurvivorTakesOver(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.q.rescueEvery = 50 * time.Millisecond
	id := b.enqueueRetrain(t, ml.RetrainArgs{})
	b.exec(t, `UPDATE river_job SET state = 'running', attempt = 1, attempted_by = jsonb('["worker-1", "worker-gone"]')`)
	ran := make(chan int64, 1)
	work(t, b.q, Handlers{Retrain: func(_ context.Context, id int64, _ time.Time, _ ml.RetrainArgs) error {
		ran <- id
		return nil
	}})
	if got := receive(t, ran, "the rescued job"); got != id {
		t.Fatalf("job %d ran, want %d", got, id)
	}
}

func TestLivingWorkerKeepsItsJobs(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.q.options.Alive = func(id string) (bool, error) { return id == "worker-2", nil }
	for i, by := range []string{`["worker-2"]`, `["worker-gone", "worker-2"]`, `["worker-1"]`, `["worker-2", "worker-gone"]`} {
		id := b.enqueueRetrain(t, ml.RetrainArgs{Seed: uint64(i + 1)})
		b.exec(t, `UPDATE river_job SET state = 'running', attempt = 1, attempted_by = jsonb(?) WHERE id = ?`, by, id)
	}
	b.exec(t, `INSERT INTO river_leader (elected_at, expires_at, leader_id) VALUES (datetime('now'), datetime('now', '+15 seconds'), 'worker-2')`)
	if err := b.q.rescue(t.Context(), Handlers{}); err != nil {
		t.Fatal(err)
	}
	if n := b.count(t, `SELECT count(*) FROM river_job WHERE state = 'running' AND attempt = 1`); n != 3 {
		t.Errorf("%d jobs still run, want the 3 of living workers", n)
	}
	if n := b.count(t, `SELECT count(*) FROM river_leader`); n != 1 {
		t.Error("a living leader was deposed")
	}
}

func TestUnknownPresenceChangesNothing(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.q.options.Alive = func(string) (bool, error) { return false, errors.New("permission denied") }
	b.enqueueRetrain(t, ml.RetrainArgs{})
	b.exec(t, `UPDATE river_job SET state = 'running', attempt = 1, attempted_by = jsonb('["worker-2"]')`)
	if err := b.q.rescue(t.Context(), Handlers{}); err == nil {
		t.Error("no error")
	}
	if n := b.count(t, `SELECT count(*) FROM river_job WHERE state = 'running'`); n != 1 {
		t.Error("a job was taken from a worker that may live")
	}
}

func TestJobThatKillsItsWorkersIsGivenUp(t *testing.T) {
	t.Parallel()
	b := setup(t)
	id := b.enqueueRetrain(t, ml.RetrainArgs{Seed: 6})
	var told []string
	locked := errors.New("database is locked")
	h := Handlers{RetrainFailed: func(_ context.Context, id int64, _ time.Time, args ml.RetrainArgs, err error) error {
		told = append(told, fmt.Sprint(id, " ", args.Seed, " ", err))
		return locked
	}}
	for range 20 {
		b.exec(t, `UPDATE river_job SET state = 'running', attempt = attempt + 1, attempted_by = jsonb('["worker-gone"]')`)
		if err := b.q.rescue(t.Context(), h); err != nil {
			t.Fatal(err)
		}
		if job := b.job(t, id); job.State != ml.JobQueued || job.Attempt != 0 {
			t.Fatalf("job %+v, want queued with no attempt used up", job)
		}
	}
	b.exec(t, `UPDATE river_job SET state = 'running', attempt = attempt + 1`)
	if err := b.q.rescue(t.Context(), h); !errors.Is(err, locked) {
		t.Fatalf("got %v, want the reason why nobody could be told", err)
	}
	if job := b.job(t, id); job.State != ml.JobRunning {
		t.Fatalf("job %+v, want it left for the next look until people are told", job)
	}
	locked = nil
	for range 2 {
		if err := b.q.rescue(t.Context(), h); err != nil {
			t.Fatal(err)
		}
	}
	reason := "given up: the worker died 21 times while running this job"
	if want := fmt.Sprint(id, " 6 ", reason); !slices.Equal(told, []string{want, want}) {
		t.Errorf("told %q, want %q when it failed and once more", told, want)
	}
	if job := b.job(t, id); job.State != ml.JobFailed || job.Error != reason {
		t.Fatalf("job %+v, want failed with a reason", job)
	}
	if n := testutil.ToFloat64(b.q.metrics.failures.WithLabelValues("retrain", "true")); n != 1 {
		t.Errorf("%v final failures counted, want 1", n)
	}
	if !strings.Contains(b.log.String(), `level=ERROR msg="a job failed for good" job=1 kind=retrain`) {
		t.Errorf("the log does not tell:\n%s", b.log)
	}
	if _, joined, err := b.q.EnqueueRetrain(t.Context(), ml.RetrainArgs{Seed: 6}); err != nil || joined {
		t.Fatalf("joined %t err %v: a new call joined the dead job", joined, err)
	}
}
