package service

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/datasets"
	"iacontinu/internal/discord"
	"iacontinu/internal/ml"
	"iacontinu/internal/notify"
	"iacontinu/internal/prefect"
	"iacontinu/internal/queue"
	"iacontinu/internal/retrain"
)

// Worker does the durable jobs.
type Worker struct {
	platform  *Platform
	bootstrap bool
	webhook   string // the fingerprint of Discord's, empty if none is set
	retrainer *retrain.Retrainer
	notifier  *notify.Notifier
	trackers  *trackers
}

// NewWorker returns the worker of a folder; Run works.
func NewWorker(ctx context.Context, p *Platform, c WorkerSettings, t Tracking, server *prefect.Client) (*Worker, error) {
	trackers, err := newTrackers(ctx, p, t, server)
	if err != nil {
		return nil, err
	}
	return newWorker(p, c, p.retraining(c), trackers)
}

func newWorker(p *Platform, c WorkerSettings, o retrain.Options, t *trackers) (*Worker, error) {
	o.Track = t.track
	retrainer, err := retrain.New(o)
	if err != nil {
		return nil, err
	}
	notifier, err := newNotifier(p, c)
	if err != nil {
		return nil, err
	}
	return &Worker{platform: p, bootstrap: c.Bootstrap, webhook: fingerprint(c.DiscordURL), retrainer: retrainer, notifier: notifier, trackers: t}, nil
}

// retraining is what a retraining uses of the platform.
func (p *Platform) retraining(c WorkerSettings) retrain.Options {
	return retrain.Options{
		Datasets:       p.Datasets,
		Catalogue:      p.Store,
		Versions:       p.Store,
		Jobs:           p.Store,
		Messenger:      p.Queue,
		Generate:       p.generateFor,
		ModelsDir:      p.Folder.ModelsDir,
		Load:           p.loadArtifact,
		TrainingWindow: c.TrainingWindow,
		KeepVersions:   c.KeepVersions,
		KeepDatasets:   c.KeepDatasets,
		Logger:         p.Log,
		Recap:          p.recap,
		Registerer:     p.Registry,
	}
}

// generateFor draws the dataset of a job. Hour and seed are the job's, so that it draws the same rows
// whenever it runs again.
func (p *Platform) generateFor(ctx context.Context, jobID int64, created time.Time, samples int) (ml.Dataset, error) {
	hour := created.UTC().Hour()
	return p.Datasets.Generate(ctx, datasets.GenerateSpec{Samples: samples, Seed: uint64(jobID), Hour: &hour, JobID: jobID}, nil)
}

// newNotifier tells people by Discord; where no webhook is set, what would be sent is logged.
func newNotifier(p *Platform, c WorkerSettings) (*notify.Notifier, error) {
	o := notify.Options{
		States:     p.Store,
		Cooldown:   cooldown(c.NotifyCooldown),
		Language:   c.NotifyLanguage,
		Logger:     p.Log,
		Registerer: p.Registry,
	}
	if c.DiscordURL != "" {
		client, err := discord.New(discord.Options{WebhookURL: c.DiscordURL, Logger: p.Log, Registerer: p.Registry})
		if err != nil {
			return nil, fmt.Errorf("DISCORD_WEBHOOK_URL: %w", err)
		}
		o.Sender = watched{client, p, fingerprint(c.DiscordURL)}
	}
	return notify.New(o)
}

// Run does jobs until ctx ends.
func (w *Worker) Run(ctx context.Context) error {
	w.platform.startReceiver(ctx, w.webhook)
	if err := w.platform.Datasets.Sweep(ctx); err != nil {
		w.platform.Log.WarnContext(ctx, "leftovers of interrupted datasets are not removed", "error", err)
	}
	if err := w.trackers.subscribe(ctx); err != nil {
		return err
	}
	if w.bootstrap {
		if err := w.firstVersion(ctx); err != nil {
			return fmt.Errorf("BOOTSTRAP: %w", err)
		}
	}
	return boot.RunAll(ctx, works{w}, remembers{w})
}

// works does the jobs.
type works struct{ *Worker }

func (w works) Run(ctx context.Context) error {
	return w.platform.Queue.Work(ctx, queue.Handlers{
		Retrain:       w.retrain,
		RetrainFailed: w.retrainFailed,
		Notify:        w.notifier.Deliver,
		Deliver:       w.trackers.outbox.Deliver,
		Owed:          w.platform.Store.Owed,
		Sweep:         w.sweep,
	})
}

// recallEvery is how often the metrics look for the retrainings of other workers.
const recallEvery = 15 * time.Second

// remembers keeps the metrics of all workers' retrainings current.
type remembers struct{ *Worker }

func (w remembers) Run(ctx context.Context) error {
	tick := time.NewTicker(recallEvery)
	defer tick.Stop()
	for {
		w.retrainer.Recall(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// firstVersion asks for a first version if none can serve: on an empty folder, or on one of the
// earlier system, whose models this one can't read. Workers that start together ask for the same
// job.
func (w *Worker) firstVersion(ctx context.Context) error {
	v, err := w.platform.Store.Active(ctx)
	switch {
	case err == nil:
		if _, err := os.Stat(w.platform.artifactDir(v.Name)); err == nil {
			return nil
		}
		w.platform.Log.WarnContext(ctx, "the active version has no artifact: a new one is trained", "version", v.Name)
	case ml.CodeOf(err) != ml.CodeNotFound:
		return err
	}
	_, _, err = w.platform.Queue.EnqueueRetrain(ctx, ml.RetrainArgs{Generate: true, Reason: ml.ReasonBootstrap, RequestedBy: "worker"})
	return err
}

// retrain runs a retraining, which is shown while it goes on.
func (w *Worker) retrain(ctx context.Context, jobID int64, created time.Time, args ml.RetrainArgs) error {
	rec, hide := w.trackers.show(ctx, jobID, created, args)
	defer hide()
	defer w.retrainer.Recall(ctx)
	return w.retrainer.Run(ctx, jobID, created, args, rec)
}

func (w *Worker) retrainFailed(ctx context.Context, jobID int64, created time.Time, args ml.RetrainArgs, cause error) error {
	return w.retrainer.Failed(ctx, jobID, created, args, w.trackers.last(jobID, created, args), cause)
}

// sweep is the periodic retention.
func (w *Worker) sweep(ctx context.Context) error {
	// What one part can't do now is no reason for the others to wait.
	return errors.Join(
		w.retrainer.Sweep(ctx),
		w.platform.Datasets.Sweep(ctx),
		w.platform.dropCopies(),
		w.trackers.outbox.Expire(ctx),
		w.trackers.reconcile(ctx),
		w.prune(ctx),
	)
}

// prune removes what nobody can ask for any more.
func (w *Worker) prune(ctx context.Context) error {
	oldest, err := w.platform.Queue.OldestJob(ctx)
	if err != nil {
		return err
	}
	return w.platform.Store.Prune(ctx, oldest)
}
