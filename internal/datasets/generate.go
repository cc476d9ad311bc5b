package datasets

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"golang.org/x/sync/errgroup"

	"iacontinu/internal/ml"
	"iacontinu/internal/synth"
	"iacontinu/internal/tabular"
)

// maxSeed is the greatest seed drawn: every JSON reader holds it exactly, so that a caller can ask
// for the same rows again.
const maxSeed = 1<<53 - 1

// GenerateSpec says which rows to draw; see package synth for what they mean.
type GenerateSpec struct {
	Samples int // 1 to synth.MaxSamples
	// Seed chooses the stream; 0 draws one, which is recorded with the dataset.
	Seed uint64
	// Hour is the hour of the day, UTC; nil means the present one.
	Hour *int
	// Drift is a kind of synth's, empty if it follows the hour; Magnitude 0 means its default.
	Drift     string
	Magnitude float64
	// JobID is the job that asks, 0 for a person. The same job gets the same dataset again.
	JobID int64
}

// Generate draws a dataset, stores it and keeps its columns. When it returns, either the dataset is
// ready or nothing of it is left. progress, which may be nil, is told how many rows are stored.
func (d *Datasets) Generate(ctx context.Context, spec GenerateSpec, progress func(done int)) (ml.Dataset, error) {
	now := d.o.Clock().UTC()
	ds := ml.Dataset{
		Hour: now.Hour(), CreatedAt: now.Truncate(time.Second), State: ml.DatasetBuilding, Source: ml.SourceGenerated,
		Schema: ml.GeneratedSchema(), Drift: spec.Drift, Seed: spec.Seed, JobID: spec.JobID, Builder: d.o.Builder,
	}
	if ds.Seed == 0 {
		ds.Seed = 1 + rand.Uint64N(maxSeed)
	}
	if spec.Hour != nil {
		ds.Hour = *spec.Hour
	}
	rows := synth.Spec{Seed: ds.Seed, Hour: ds.Hour, Drift: spec.Drift, Magnitude: spec.Magnitude}
	if err := invalidSpec(errors.Join(synth.CheckSamples(spec.Samples), rows.Validate())); err != nil {
		return ml.Dataset{}, err
	}
	if done, found, err := d.ofJob(ctx, spec.JobID); err != nil || found {
		return done, err
	}
	if err := d.room(ctx, spec.Samples); err != nil {
		return ml.Dataset{}, err
	}
	if progress == nil {
		progress = func(int) {}
	}
	id, err := d.o.Catalogue.BeginDataset(ctx, ds)
	if err != nil {
		return ml.Dataset{}, fmt.Errorf("datasets: generate: %w", stored(err))
	}
	ds.ID, ds.Samples = id, spec.Samples
	err = d.build(ctx, &ds, rows, progress)
	d.metrics.built(ds, d.o.Clock().Sub(now), err)
	if err != nil {
		return ml.Dataset{}, fmt.Errorf("datasets: generate: %w", errors.Join(stored(err), d.discard(ctx, id)))
	}
	return ds, nil
}

// What a generated row takes in the database, its log and the Parquet file together, measured and
// rounded up, and what is left to all others who write.
const (
	rowBytes   = 64
	spareBytes = 4 << 20
)

// room refuses rows that the disk has no room for before the first is written: a full disk stops
// everybody who writes, and rows that filled it can't even be removed, for that is a write too.
func (d *Datasets) room(ctx context.Context, samples int) error {
	if d.o.Free == nil {
		return nil
	}
	free, err := d.o.Free(ctx)
	if err != nil {
		return fmt.Errorf("datasets: generate: ask for the free space: %w", err)
	}
	if need := uint64(samples)*rowBytes + spareBytes; free < need {
		return ml.Errorf(ml.CodeStorageFull, "%d rows need up to %d MB of disk, and %d MB are left: make room, or generate fewer",
			samples, need>>20, free>>20).Says("error.no_room", map[string]any{"rows": samples, "want": need >> 20, "left": free >> 20})
	}
	return nil
}

// invalidSpec names every wrong field of a request for generated rows.
func invalidSpec(err error) error {
	var fields []ml.FieldError
	for _, e := range unjoin(err) {
		f := ml.FieldError{Location: "body", Message: e.Error()}
		var field *synth.FieldError
		if errors.As(e, &field) {
			f = ml.FieldError{Location: "body." + field.Field, Message: field.Message, Value: field.Value}
		}
		fields = append(fields, f)
	}
	if len(fields) == 0 {
		return nil
	}
	return &ml.Error{Code: ml.CodeInvalid, Message: "such rows can't be generated", Fields: fields, Err: err}
}

// unjoin undoes errors.Join.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, unjoin(e)...)
	}
	return all
}

// ofJob finds the dataset that the job has made. What it left half made is removed.
func (d *Datasets) ofJob(ctx context.Context, jobID int64) (ds ml.Dataset, found bool, err error) {
	if jobID == 0 {
		return ml.Dataset{}, false, nil
	}
	ds, err = d.o.Catalogue.DatasetByJob(ctx, jobID)
	switch {
	case ml.CodeOf(err) == ml.CodeNotFound:
		return ml.Dataset{}, false, nil
	case err != nil:
		return ml.Dataset{}, false, fmt.Errorf("datasets: look for the dataset of job %d: %w", jobID, err)
	case ds.State == ml.DatasetReady:
		return ds, true, nil
	}
	if err := errors.Join(d.drop(ctx, ds.ID), d.removeFile(ds.ID)); err != nil {
		return ml.Dataset{}, false, fmt.Errorf("datasets: remove what job %d left: %w", jobID, err)
	}
	return ml.Dataset{}, false, nil
}

// build draws the rows and writes them to the database and to the file, in a row of goroutines: the
// inserts take most of the time, and all else goes on beside them.
func (d *Datasets) build(ctx context.Context, ds *ml.Dataset, rows synth.Spec, progress func(done int)) error {
	generator, err := synth.New(rows)
	if err != nil {
		return err
	}
	file, err := tabular.CreateParquet(d.tempFile(), ds.Schema.Features, ds.Schema.Target)
	if err != nil {
		return err
	}
	defer file.Abort()
	fingerprint := tabular.NewFingerprint(len(ds.Schema.Features))
	ds.ClassCounts = [2]int{}

	const batches = 4 // one in each stage, and one on its way
	free, drawn, inserted := make(chan ml.Columns, batches), make(chan ml.Columns, batches), make(chan ml.Columns, batches)
	for range batches {
		free <- newBatch(min(d.o.BatchRows, ds.Samples))
	}
	g, each := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(drawn)
		for left := ds.Samples; left > 0; {
			select {
			case <-each.Done():
				return each.Err()
			case b := <-free:
				b = b.Slice(0, min(b.Len(), left))
				generator.Next(b.Features[0], b.Features[1], b.Target)
				left -= b.Len()
				drawn <- b
			}
		}
		return nil
	})
	g.Go(func() error {
		defer close(inserted)
		done := 0
		for b := range drawn {
			if err := d.o.Catalogue.AppendSamples(each, ds.ID, b); err != nil {
				return err
			}
			done += b.Len()
			progress(done)
			inserted <- b
		}
		return nil
	})
	g.Go(func() error {
		for b := range inserted {
			batch := tabular.Rows(b)
			fingerprint.Add(batch)
			count(&ds.ClassCounts, b.Target)
			if err := file.Append(batch); err != nil {
				return err
			}
			free <- b
		}
		return nil
	})
	if err := g.Wait(); err != nil {
		return err
	}
	return d.finish(ctx, ds, file, fingerprint, ds.Schema.Classes)
}

// finish gives the file its name and makes the dataset visible. codes are the classes as they are
// coded in the file.
func (d *Datasets) finish(
	ctx context.Context, ds *ml.Dataset, file *tabular.ParquetWriter, f *tabular.Fingerprint, codes [2]string,
) error {
	ds.Fingerprint = f.Sum(tabular.Schema(ds.Schema), codes)
	if err := file.Commit(d.file(ds.ID), codes); err != nil {
		return err
	}
	ds.State = ml.DatasetReady
	return d.o.Catalogue.FinishDataset(ctx, *ds)
}

func newBatch(rows int) ml.Columns {
	return ml.Columns{
		Features: [][]float64{make([]float64, rows), make([]float64, rows)}, Target: make([]uint8, rows),
	}
}

func count(counts *[2]int, labels []uint8) {
	ones := 0
	for _, y := range labels {
		ones += int(y)
	}
	counts[0] += len(labels) - ones
	counts[1] += ones
}
