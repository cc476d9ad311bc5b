package service

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"iacontinu/internal/discord/discordtest"
	"iacontinu/internal/ml"
	"iacontinu/internal/notify"
	"iacontinu/internal/queue"
)

// What the worker process that is to be killed is told by its environment.
const (
	killDir     = "SERVICE_TEST_KILL_DIR"
	killAt      = "SERVICE_TEST_KILL_AT"
	killWebhook = "SERVICE_TEST_KILL_WEBHOOK"
)

// TestMain lets this binary be the worker process that is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv(killDir); dir != "" {
		fmt.Fprintln(os.Stderr, dyingWorker(dir, os.Getenv(killAt), os.Getenv(killWebhook)))
		os.Exit(1) // it should have been killed
	}
	os.Exit(m.Run())
}

// activating is the moment within the one transaction of a retraining when all is written and
// nothing committed. The other moments have the names of the steps, and come after each.
const activating = "activating"

// sending is the moment when a message is on its way and the worker has claimed its topic, for killLease.
const (
	sending   = "sending"
	killLease = 3 * time.Second
)

// dyingWorker works on a folder until its retraining reaches the moment, and dies as by kill -9.
func dyingWorker(dir, moment, webhook string) error {
	ctx := context.Background()
	p, err := Open(ctx, killFolder(dir), "worker", slog.New(slog.NewTextHandler(os.Stderr, nil)))
	if err != nil {
		return err
	}
	o := p.retraining(killSettings(webhook))
	die := func(at string) {
		if at == moment {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			select {} // not one more instruction
		}
	}
	o.AfterStep = die
	o.Messenger = dyingMessenger{p.Queue, func() { die(activating) }}
	none, err := newTrackers(ctx, p, Tracking{}, nil)
	if err != nil {
		return err
	}
	w, err := newWorker(p, killSettings(webhook), o, none)
	if err != nil {
		return err
	}
	notifier, err := notify.New(notify.Options{States: p.Store, Sender: dyingSender(func() { die(sending) }), Lease: killLease})
	if err != nil {
		return err
	}
	return p.Queue.Work(ctx, queue.Handlers{
		Retrain: w.retrain,
		Notify: func(ctx context.Context, e ml.Event) (time.Duration, error) {
			if moment != sending { // the message is left to the second worker
				<-ctx.Done()
				return 0, ctx.Err()
			}
			return notifier.Deliver(ctx, e)
		},
		Sweep: w.sweep,
	})
}

// dyingSender calls itself instead of sending.
type dyingSender func()

func (s dyingSender) Send(context.Context, ml.Event) error {
	s()
	return nil
}

// dyingMessenger owes the message and calls then, while the transaction is open.
type dyingMessenger struct {
	*queue.Queue
	then func()
}

func (m dyingMessenger) EnqueueNotifyTx(ctx context.Context, tx *sql.Tx, e ml.Event) error {
	if err := m.Queue.EnqueueNotifyTx(ctx, tx, e); err != nil {
		return err
	}
	m.then()
	return nil
}

// killFolder is a folder as a backup lays it out.
func killFolder(dir string) Folder {
	return Folder{
		Database: DatabaseURL(filepath.Join(dir, "platform.db")), ModelsDir: filepath.Join(dir, "models"),
		Synchronous: "normal", Environment: "development",
	}
}

func killSettings(webhook string) WorkerSettings {
	return WorkerSettings{DiscordURL: webhook, NotifyCooldown: Duration(time.Millisecond)}
}

// TestAWorkerKilledInAnyStep kills a worker process at each moment of a retraining. A second worker
// must bring the job to the end that it comes to undisturbed, once, and soon.
func TestAWorkerKilledInAnyStep(t *testing.T) {
	t.Parallel()
	template := withChampion(t)
	undisturbed := retrainOn(t, template, "")
	if r := undisturbed.Result; r.Verdict != ml.VerdictActivated || r.ChampionAccuracy == nil || len(r.DatasetIDs) != 2 {
		t.Fatalf("undisturbed: %+v; want a version that beats a champion, from two datasets", r)
	}
	if undisturbed.Messages != 1 || len(undisturbed.Versions) != 2 || len(undisturbed.Folders) != 2 {
		t.Fatalf("undisturbed: %+v; want one message, and a version and its folder beside the champion's", undisturbed)
	}
	for _, moment := range []string{"data", "split", "train", "evaluate", "gate", "save", activating, "activate"} {
		t.Run(moment, func(t *testing.T) {
			t.Parallel()
			got := retrainOn(t, template, moment)
			if diff := cmp.Diff(undisturbed, got, cmpopts.IgnoreFields(ml.RetrainResult{}, "DurationSeconds")); diff != "" {
				t.Errorf("another end than undisturbed (-want +got):\n%s", diff)
			}
		})
	}
}

// TestAWorkerKilledWhileItSends: the message goes out, once, when the dead worker's claim has run out.
func TestAWorkerKilledWhileItSends(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	discord := discordtest.NewServer(t, discordtest.Options{})
	p := openPlatform(t, dir)
	e := ml.Event{Topic: ml.EventHealth, State: "down", Severity: ml.SeverityFailure, Title: "The API is down", At: time.Now()}
	if err := p.Queue.EnqueueNotify(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	killWorker(t, dir, sending, discord.WebhookURL)
	claimed, err := p.Store.NotificationState(t.Context(), e.Topic)
	if err != nil || claimed.State != "" || claimed.SendingUntil.IsZero() {
		t.Fatalf("after the kill: %+v, %v; want the topic claimed and nothing told", claimed, err)
	}
	finish(t, p, discord.WebhookURL)
	told := discord.Payloads()
	if len(told) != 1 || !strings.Contains(string(told[0].Body), e.Title) {
		t.Fatalf("told %+v, want once that %s", told, e.Title)
	}
	if late := told[0].At.Sub(claimed.SendingUntil); late < 0 || late > claimPromise {
		t.Errorf("told %s after the claim ran out, want 0 to %s", late, claimPromise)
	}
}

// killOutcome is all that a retraining leaves behind for people to see.
type killOutcome struct {
	Result              ml.RetrainResult
	State               ml.JobState
	Attempt             int
	Versions            []string // and their digests
	Activations         []string
	Trainings, Datasets int
	Folders, Files      []string // in models and datasets
	Messages            int
}

// withChampion makes a folder where one version serves and nothing is left to do.
func withChampion(t *testing.T) string {
	t.Helper()
	p := openPlatform(t, t.TempDir())
	enqueuePinned(t, p, 0)
	finish(t, p, "")
	dir := filepath.Join(t.TempDir(), "template")
	if _, err := p.Backup(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

// retrainOn retrains on a copy of a folder, with a worker killed at a moment if one is named and a
// second one after it.
func retrainOn(t *testing.T, template, moment string) killOutcome {
	t.Helper()
	dir := t.TempDir()
	if _, err := copyTree(t.Context(), template, dir); err != nil {
		t.Fatal(err)
	}
	discord := discordtest.NewServer(t, discordtest.Options{})
	p := openPlatform(t, dir)
	id := enqueuePinned(t, p, 1)
	if moment != "" {
		killWorker(t, dir, moment, discord.WebhookURL)
		if job, err := p.Queue.Job(t.Context(), id); err != nil || job.State != ml.JobRunning {
			t.Fatalf("after the kill the job is %+v, %v; want running", job, err)
		}
	}
	finish(t, p, discord.WebhookURL)

	job, err := p.Queue.Job(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	progress, err := p.Store.Progress(t.Context(), id)
	if err != nil || progress.Result == nil {
		t.Fatalf("progress %+v, %v; want a result", progress, err)
	}
	datasets, total, err := p.Store.Datasets(t.Context(), 10)
	if err != nil || int64(len(datasets)) != total {
		t.Fatal(len(datasets), total, err)
	}
	_, trainings, err := p.Store.TrainingHistory(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	return killOutcome{
		Result: *progress.Result, State: job.State, Attempt: job.Attempt,
		Versions:    texts(t, p, `SELECT version || ' of job ' || job_id || ' active ' || is_active || ' ' || digest FROM models ORDER BY id`),
		Activations: texts(t, p, `SELECT version || ' by ' || actor FROM activations ORDER BY id`),
		Trainings:   int(trainings), Datasets: len(datasets),
		Folders:  names(t, p.Folder.ModelsDir),
		Files:    names(t, p.Folder.DatasetsDir()),
		Messages: len(discord.Payloads()),
	}
}

func openPlatform(t *testing.T, dir string) *Platform {
	t.Helper()
	p, err := Open(t.Context(), killFolder(dir), "worker", slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// enqueuePinned asks for a retraining on fresh data at a pinned time, of which its data and the name
// of its version are made.
func enqueuePinned(t *testing.T, p *Platform, minute int) int64 {
	t.Helper()
	id, _, err := p.Queue.EnqueueRetrain(t.Context(), ml.RetrainArgs{Generate: true, Reason: ml.ReasonDrift})
	if err != nil {
		t.Fatal(err)
	}
	created := fmt.Sprintf("2026-05-04 02:%02d:00.000", minute)
	if _, err := p.Store.Writer().ExecContext(t.Context(), `UPDATE river_job SET created_at = ? WHERE id = ?`, created, id); err != nil {
		t.Fatal(err)
	}
	return id
}

// killWorker runs a worker process until it has killed itself.
func killWorker(t *testing.T, dir, moment, webhook string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), killPatience)
	defer cancel()
	child := exec.CommandContext(ctx, os.Args[0])
	child.Env = append(os.Environ(), killDir+"="+dir, killAt+"="+moment, killWebhook+"="+webhook)
	child.Stdout, child.Stderr = t.Output(), t.Output()
	err := child.Run()
	if status, ok := child.ProcessState.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGKILL || ctx.Err() != nil {
		t.Fatalf("the worker ended with %v (%v), want killed by itself", err, ctx.Err())
	}
}

const (
	killPatience = time.Minute
	// killPromise is how soon after a worker is back an interrupted job must have run.
	killPromise = 20 * time.Second
	// claimPromise is how soon after its claim ran out a message must have been sent.
	claimPromise = 13 * time.Second
)

// finish works until nothing is left to do.
func finish(t *testing.T, p *Platform, webhook string) {
	t.Helper()
	w, err := NewWorker(t.Context(), p, killSettings(webhook), Tracking{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- w.Run(ctx) }()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		depths, err := p.Queue.Depth(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if len(depths) == 0 {
			break
		}
		if time.Since(began) > killPatience {
			t.Fatalf("after %s there is still work: %+v", killPatience, depths)
		}
		select {
		case <-tick.C:
		case err := <-ended:
			t.Fatalf("the worker ended: %v", err)
		}
	}
	if took := time.Since(began); took > killPromise {
		t.Errorf("the work was done %s after the start, want within %s", took, killPromise)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("the worker's end: %v", err)
	}
}

// texts reads a column of texts.
func texts(t *testing.T, p *Platform, query string) (all []string) {
	t.Helper()
	rows, err := p.Store.Reader().QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			t.Fatal(err)
		}
		all = append(all, s)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// names lists a folder, hidden files too.
func names(t *testing.T, dir string) (all []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return all
}
