package datasets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/ml"
	"iacontinu/internal/synth"
)

// builds is the part of the store that a dataset is made with.
type builds interface {
	// BeginDataset adds a building dataset; ids are never given out twice.
	BeginDataset(ctx context.Context, d ml.Dataset) (id int64, err error)
	AppendSamples(ctx context.Context, id int64, rows ml.Columns) error
	// FinishDataset makes it ready: visible to all.
	FinishDataset(ctx context.Context, d ml.Dataset) error
	// DropDataset removes a dataset, building or ready, and its rows. It has ml.CodeConflict if the
	// active version needs it, ml.CodeNotFound if it is not there.
	DropDataset(ctx context.Context, id int64) error
}

// lookups is the part of the store that finds datasets and their rows.
type lookups interface {
	// Dataset, DatasetByFingerprint and DatasetByJob have ml.CodeNotFound; only the last knows datasets
	// that are not ready.
	Dataset(ctx context.Context, id int64) (ml.Dataset, error)
	// DatasetByFingerprint is the oldest one of that schema and those rows.
	DatasetByFingerprint(ctx context.Context, schemaKey, fingerprint string) (ml.Dataset, error)
	DatasetByJob(ctx context.Context, jobID int64) (ml.Dataset, error)
	BuildingDatasets(ctx context.Context) ([]ml.Dataset, error)
	NewestDatasets(ctx context.Context, schemaKey string, limit int) ([]ml.Dataset, error)
	// Samples are the rows that AppendSamples stored.
	Samples(ctx context.Context, id int64) (ml.Columns, error)
}

// catalogue is the store in production; tests make it fail where they want.
type catalogue interface {
	builds
	lookups
}

// Options configure Datasets. Catalogue, Dir, Builder and Alive are required.
type Options struct {
	Catalogue catalogue
	// Dir is the folder of the Parquet files; it is made if it is not there.
	Dir string
	// Builder is the id of this process among those that share the folder.
	Builder string
	// Alive tells whether the process of that id lives.
	Alive func(builder string) (bool, error)
	// Free is how many bytes the disk has left; nil: more than enough.
	Free func(ctx context.Context) (uint64, error)
	// BatchRows is how many generated rows are stored in one transaction; 0 means 20,000.
	BatchRows  int
	Logger     *slog.Logger          // nil discards
	Registerer prometheus.Registerer // nil: no metrics
	Clock      func() time.Time      // time.Now
}

func (o Options) withDefaults() Options {
	o.BatchRows = cmp.Or(o.BatchRows, 20_000)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Catalogue == nil:
		return errors.New("datasets: Options.Catalogue is required")
	case o.Dir == "":
		return errors.New("datasets: Options.Dir is required")
	case o.Builder == "" || strings.ContainsAny(o.Builder, `/\`):
		return fmt.Errorf("datasets: Options.Builder must be the id of a process, not %q", o.Builder)
	case o.Alive == nil:
		return errors.New("datasets: Options.Alive is required")
	case o.BatchRows < 1 || o.BatchRows > synth.MaxSamples:
		return fmt.Errorf("datasets: Options.BatchRows is %d, want 1 to %d", o.BatchRows, synth.MaxSamples)
	}
	return nil
}

// Datasets is the folder of datasets. It is safe for concurrent use, and several processes may use
// one folder.
type Datasets struct {
	o       Options
	metrics *metrics
	summing chan struct{} // full while a summary is made
}

// New returns the datasets of a folder.
func New(o Options) (*Datasets, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(o.Dir, 0o750); err != nil {
		return nil, fmt.Errorf("datasets: make folder: %w", err)
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("datasets: register metrics: %w", err)
	}
	return &Datasets{o: o, metrics: m, summing: make(chan struct{}, 1)}, nil
}

// Delete removes a dataset, with ml.CodeConflict if the active version needs it and
// ml.CodeNotFound if it is not there.
func (d *Datasets) Delete(ctx context.Context, id int64) error {
	if err := d.o.Catalogue.DropDataset(ctx, id); err != nil {
		return fmt.Errorf("datasets: delete: %w", err)
	}
	if err := d.removeFile(id); err != nil {
		return fmt.Errorf("datasets: delete: %w", err)
	}
	return nil
}

// discard removes a dataset that could not be finished, whatever became of ctx.
func (d *Datasets) discard(ctx context.Context, id int64) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
	defer cancel()
	return errors.Join(d.drop(ctx, id), d.removeFile(id))
}

// drop removes what may be gone already.
func (d *Datasets) drop(ctx context.Context, id int64) error {
	if err := d.o.Catalogue.DropDataset(ctx, id); err != nil && ml.CodeOf(err) != ml.CodeNotFound {
		return err
	}
	return nil
}
