package queue

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"go.opentelemetry.io/otel/trace"
)

// The queues. One retraining at a time: it uses every core by itself.
const (
	queueRetrain     = "retrain"
	queueNotify      = "notify"
	queueMaintenance = "maintenance"
	queueDelivery    = "delivery"

	retrainWorkers     = 1
	notifyWorkers      = 2
	maintenanceWorkers = 1
	deliveryWorkers    = 2 // one for each service
)

const (
	defaultPoll   = 500 * time.Millisecond
	minPoll       = time.Millisecond
	maxPoll       = 10 * time.Second
	defaultSweep  = 10 * time.Minute
	defaultRescue = 5 * time.Second
	// Ordered stop: running jobs have softStop to end by themselves, then their context ends, and
	// hardStop after the stop was asked for Work returns whatever they do. The process has 10 s in all.
	defaultSoftStop = 6 * time.Second
	defaultHardStop = 8 * time.Second
)

// Options configure a Queue.
type Options struct {
	// DB is the store's writer: one connection, WAL, immediate transactions. Required.
	DB *sql.DB
	// Reader is the store's read pool, which waits for no writer; nil means DB.
	Reader *sql.DB
	// ClientID is the presence id of this process. Required to Work, unused else.
	ClientID string
	// Alive tells whether the process with that presence id lives. Required to Work.
	Alive func(clientID string) (bool, error)
	// Answered tells whether the result of a retraining is known already, which is a moment before its
	// job is over. A call that comes in between gets a job of its own. Nil means no.
	Answered func(ctx context.Context, job int64) (bool, error)
	// PollInterval is how often each queue is looked at for jobs that no notification told of, such
	// as those that became due; 0 means 500 ms, at most 10 s. Other jobs are told of by a row in
	// River's notification table, which is read every 50 ms. Each look takes SQLite's write lock, a
	// read of notifications does not, and both together begin a job after 60 ms.
	PollInterval time.Duration
	// SweepInterval is the time between two runs of Handlers.Sweep; 0 means 10 minutes.
	SweepInterval time.Duration

	Tracer     trace.Tracer          // nil makes no spans of jobs
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil registers nothing
}

func (o Options) withDefaults() Options {
	o.Reader = cmp.Or(o.Reader, o.DB)
	o.PollInterval = cmp.Or(o.PollInterval, defaultPoll)
	o.SweepInterval = cmp.Or(o.SweepInterval, defaultSweep)
	if o.Answered == nil {
		o.Answered = func(context.Context, int64) (bool, error) { return false, nil }
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.DB == nil:
		return errors.New("queue: Options.DB is required")
	case o.PollInterval < minPoll || o.PollInterval > maxPoll:
		return fmt.Errorf("queue: Options.PollInterval is %s, want %s to %s", o.PollInterval, minPoll, maxPoll)
	case o.SweepInterval < time.Second:
		return fmt.Errorf("queue: Options.SweepInterval is %s, want at least 1s", o.SweepInterval)
	}
	return nil
}

// Queue enqueues durable jobs, tells how they stand and, after Work, runs them.
type Queue struct {
	options Options
	insert  *river.Client[*sql.Tx]
	read    *river.Client[*sql.Tx] // over Options.Reader
	metrics *metrics

	// Times that the tests shorten.
	rescueEvery, softStop, hardStop time.Duration
}

// New returns a queue that enqueues. The schema must be there: see Migrate.
func New(o Options) (*Queue, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	client, err := river.NewClient(riversqlite.New(o.DB), &river.Config{Logger: riverLogger(o.Logger)})
	if err != nil {
		return nil, fmt.Errorf("queue: make the client that enqueues: %w", err)
	}
	reader, err := river.NewClient(riversqlite.New(o.Reader), &river.Config{Logger: riverLogger(o.Logger)})
	if err != nil {
		return nil, fmt.Errorf("queue: make the client that reads: %w", err)
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("queue: register metrics: %w", err)
	}
	return &Queue{
		options: o, insert: client, read: reader, metrics: m,
		rescueEvery: defaultRescue, softStop: defaultSoftStop, hardStop: defaultHardStop,
	}, nil
}

// keepNewestSQL keeps the newest job from being deleted with the other finished ones. SQLite gives a
// new row the highest id and one, so a queue that forgot all its jobs would begin at 1 again, and a new
// job would be taken for an old one whose result is stored.
const keepNewestSQL = `
	CREATE TRIGGER IF NOT EXISTS river_job_keep_newest BEFORE DELETE ON river_job
	WHEN OLD.id = (SELECT max(id) FROM river_job)
	BEGIN SELECT RAISE(IGNORE); END`

// Migrate makes or updates River's tables. Callers hold a file lock against each other; should two
// come through nevertheless, the one that loses a step goes on from where the other stands.
func Migrate(ctx context.Context, db *sql.DB) error {
	migrator, err := rivermigrate.New(riversqlite.New(db), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return fmt.Errorf("queue: read River's migrations: %w", err)
	}
	if err := migrateRiver(ctx, migrator); err != nil {
		return err
	}
	if _, err := db.ExecContext(ctx, keepNewestSQL); err != nil {
		return fmt.Errorf("queue: keep the newest job: %w", coded(err))
	}
	return nil
}

func migrateRiver(ctx context.Context, migrator *rivermigrate.Migrator[*sql.Tx]) error {
	for reached := -1; ; {
		_, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil)
		if err == nil {
			return nil
		}
		existing, readErr := migrator.ExistingVersions(ctx)
		if readErr != nil || len(existing) <= reached { // no other process got any further either
			return fmt.Errorf("queue: migrate River's tables: %w", err)
		}
		reached = len(existing)
	}
}
