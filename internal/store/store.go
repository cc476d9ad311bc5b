package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"gorm.io/gorm"
)

// Options says where the store is and how it behaves. The zero value of each field but Path means
// its default.
type Options struct {
	// Path is the database file. It and its folder are made if they are not there.
	Path string
	// Synchronous is "normal", the default: what is committed survives the death of the process,
	// but the last commits not a loss of power; or "full": it survives that too, at the cost of one
	// fsync a commit.
	Synchronous string
	// BusyTimeout is how long a statement waits for a lock that another process holds: 5 s.
	BusyTimeout time.Duration
	// Readers is the size of the read pool: 4.
	Readers int
	// QueueSize is how many predictions may wait for their batch before Log waits too: 4096.
	QueueSize int
	// NoTurnstile leaves the order of the processes that write to SQLite's busy wait, which lets a
	// busy one starve the others. It is there to be measured: see docs/adr/0001.
	NoTurnstile bool
	// Logger takes what no caller can be told; nil discards it.
	Logger *slog.Logger
	// Registerer takes the metrics; none are registered if it is nil.
	Registerer prometheus.Registerer
	// Clock tells the time: time.Now.
	Clock func() time.Time
}

func (o Options) withDefaults() Options {
	o.Synchronous = strings.ToLower(cmp.Or(o.Synchronous, "normal"))
	o.BusyTimeout = cmp.Or(o.BusyTimeout, 5*time.Second)
	o.Readers = cmp.Or(o.Readers, 4)
	o.QueueSize = cmp.Or(o.QueueSize, 4096)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Path == "":
		return errors.New("store: Path is empty")
	case o.Synchronous != "normal" && o.Synchronous != "full":
		return fmt.Errorf("store: Synchronous is %q, want normal or full", o.Synchronous)
	case o.BusyTimeout < time.Millisecond || o.BusyTimeout > time.Hour:
		return fmt.Errorf("store: BusyTimeout is %v, want 1ms to 1h", o.BusyTimeout)
	case o.Readers < 1 || o.Readers > 64:
		return fmt.Errorf("store: Readers is %d, want 1 to 64", o.Readers)
	case o.QueueSize < 1 || o.QueueSize > 1<<20:
		return fmt.Errorf("store: QueueSize is %d, want 1 to %d", o.QueueSize, 1<<20)
	}
	return nil
}

// Store is an open database. It is safe for concurrent use.
type Store struct {
	opt     Options
	writer  *sql.DB
	reader  *sql.DB
	write   *gorm.DB // over writer
	read    *gorm.DB // over reader
	turn    *turnstile
	writing *writing
	log     *predictionLog
	metrics *metrics
	// migration is what Open changed.
	migration Migration
}

// Open opens the database and brings it to the present schema. Several processes may do so at the
// same moment, on an empty folder too: one migrates, the others wait for it.
func Open(ctx context.Context, o Options) (_ *Store, err error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Path, err = filepath.Abs(o.Path); err != nil {
		return nil, fmt.Errorf("store: open: %w", err)
	}
	if err := makeFile(o.Path); err != nil {
		return nil, fmt.Errorf("store: open: %w", err)
	}
	s := &Store{opt: o, writing: &writing{}}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("store: open %s: %w", o.Path, coded(err)), s.closeFiles())
		}
	}()
	if s.turn, err = openTurnstile(o.Path + ".locks"); err != nil {
		return nil, err
	}
	s.writer = sql.OpenDB(&writerConnector{
		connector: connector{dsn: writerDSN(o)}, turn: s.turn, writing: s.writing, timeout: o.BusyTimeout, unordered: o.NoTurnstile,
	})
	s.writer.SetMaxOpenConns(1)
	s.reader = sql.OpenDB(&connector{dsn: readerDSN(o)})
	s.reader.SetMaxOpenConns(o.Readers)
	s.reader.SetMaxIdleConns(o.Readers)
	if err = s.migrate(ctx); err != nil {
		return nil, err
	}
	if s.write, err = openGorm(s.writer); err != nil {
		return nil, err
	}
	if s.read, err = openGorm(s.reader); err != nil {
		return nil, err
	}
	s.log = newPredictionLog(s.writer, o)
	if s.metrics, err = newMetrics(o.Registerer, o.Path, s.log); err != nil {
		return nil, err
	}
	s.log.start(s.metrics)
	s.writing.forget()
	return s, nil
}

// makeFile makes an empty database, which only its owner may read: it is to hold password hashes.
// SQLite gives its other files the same rights.
func makeFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

// Writer is the pool of the one writing connection. The queue shares it, and so may share a
// transaction. Whoever checks it out keeps all other writers of the file waiting.
func (s *Store) Writer() *sql.DB { return s.writer }

// Reader is the read pool. It can't write, and waits for nobody who does.
func (s *Store) Reader() *sql.DB { return s.reader }

// Close commits the predictions that wait for their batch, then closes the files. A Log that comes
// later is refused.
func (s *Store) Close() error {
	s.log.close()
	s.metrics.unregister()
	return s.closeFiles()
}

func (s *Store) closeFiles() error {
	var errs []error
	if s.reader != nil {
		errs = append(errs, s.reader.Close())
	}
	if s.writer != nil {
		errs = append(errs, s.writer.Close())
	}
	if s.turn != nil {
		errs = append(errs, s.turn.close())
	}
	return errors.Join(errs...)
}

// pingQuery reads a table that each database has.
const pingQuery = "SELECT 1 FROM sequences LIMIT 1"

// Ping reads the database once.
func (s *Store) Ping(ctx context.Context) error {
	var one int
	if err := s.reader.QueryRowContext(ctx, pingQuery).Scan(&one); err != nil {
		return fmt.Errorf("store: ping: %w", coded(err))
	}
	return nil
}

// now is the present time to the second, as the database keeps it.
func (s *Store) now() time.Time { return s.opt.Clock().UTC().Truncate(time.Second) }
