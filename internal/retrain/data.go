package retrain

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"iacontinu/internal/ml"
)

// part is the newest rows of a dataset, as many as are used.
type part struct {
	dataset ml.Dataset
	rows    int
}

// gather chooses the datasets and reads their rows, oldest first.
func (j *job) gather(ctx context.Context) error {
	sets, window, err := j.choose(ctx)
	if err != nil {
		return err
	}
	columns, err := j.read(ctx, sets, window)
	if err != nil {
		return err
	}
	j.data, j.fingerprint = concat(columns), fingerprint(j.parts)
	return nil
}

// choose returns the datasets to use, newest first, and how many of their newest rows, and sets the
// schema. A dataset that the job names is used whole and alone, whatever its schema, which then
// becomes the served one.
func (j *job) choose(ctx context.Context) (sets []ml.Dataset, window int, err error) {
	if j.args.DatasetID != 0 {
		ds, err := j.options.Catalogue.Dataset(ctx, j.args.DatasetID)
		if ml.CodeOf(err) == ml.CodeNotFound {
			gone := refused(ml.CodeNotFound, "error.dataset_gone", map[string]any{"dataset": j.args.DatasetID})
			gone.Err = err
			return nil, 0, gone
		}
		if err != nil {
			return nil, 0, fmt.Errorf("read dataset %d: %w", j.args.DatasetID, err)
		}
		j.schema = ds.Schema
		return []ml.Dataset{ds}, ds.Samples, nil
	}
	if j.schema, err = j.servedSchema(ctx); err != nil {
		return nil, 0, err
	}
	if sets, err = j.present(ctx); err != nil {
		return nil, 0, err
	}
	generated := j.schema.Equal(ml.GeneratedSchema())
	switch {
	case generated && j.args.Reason == ml.ReasonBootstrap:
		// The first version is made of the rows that are there, or of drawn ones, never of a mixture: what
		// was drawn would water down the data of the earlier system.
		if !canTrain(sets) {
			sets, err = j.draw(ctx, nil)
		}
	case generated && (j.args.Generate || len(sets) == 0):
		sets, err = j.draw(ctx, sets)
	case len(sets) == 0:
		return nil, 0, refused(ml.CodeUnprocessed, "error.no_dataset", map[string]any{"features": strings.Join(j.schema.Features, ", ")})
	}
	return sets, j.options.TrainingWindow, err
}

// present are the datasets of the schema, newest first, that were there when the job was asked for.
// Without that bound, a job that is run again would be about other data, its own among it.
func (j *job) present(ctx context.Context) ([]ml.Dataset, error) {
	sets, err := j.options.Catalogue.NewestDatasets(ctx, j.schema.Key(), ml.MaxDatasets)
	if err != nil {
		return nil, fmt.Errorf("list the datasets: %w", err)
	}
	return ml.WithoutCopies(slices.DeleteFunc(sets, func(ds ml.Dataset) bool {
		return ds.JobID == j.id || j.args.NewestDataset > 0 && ds.ID > j.args.NewestDataset
	})), nil
}

// canTrain reports whether there are rows enough, of both classes.
func canTrain(sets []ml.Dataset) bool {
	var counts [2]int
	for _, ds := range sets {
		counts[0] += ds.ClassCounts[0]
		counts[1] += ds.ClassCounts[1]
	}
	return min(counts[0], counts[1]) >= ml.MinClassRows && counts[0]+counts[1] >= ml.MinRows
}

// servedSchema is the active version's, or the generated one while nothing serves.
func (j *job) servedSchema(ctx context.Context) (ml.Schema, error) {
	active, err := j.options.Versions.Active(ctx)
	switch {
	case ml.CodeOf(err) == ml.CodeNotFound:
		return ml.GeneratedSchema(), nil
	case err != nil:
		return ml.Schema{}, fmt.Errorf("read the active version: %w", err)
	}
	return active.Schema, nil
}

// draw puts the job's own dataset, drawn now or at an earlier try, before the others.
func (j *job) draw(ctx context.Context, others []ml.Dataset) ([]ml.Dataset, error) {
	ds, err := j.options.Generate(ctx, j.id, j.created, j.options.Samples)
	if err != nil {
		return nil, fmt.Errorf("generate a dataset: %w", err)
	}
	return append([]ml.Dataset{ds}, others...), nil
}

// read reads the newest rows of the datasets, given newest first, until there are as many as the
// window holds, and sets the parts. It returns the columns of each part, oldest first.
func (j *job) read(ctx context.Context, sets []ml.Dataset, window int) ([]ml.Columns, error) {
	j.parts = nil
	var columns []ml.Columns
	for _, ds := range sets {
		if window == 0 {
			break
		}
		c, err := j.options.Datasets.Columns(ctx, ds, min(window, ds.Samples))
		if err != nil {
			return nil, fmt.Errorf("read dataset %d: %w", ds.ID, err)
		}
		window -= c.Len()
		columns = append(columns, c)
		j.parts = append(j.parts, part{dataset: ds, rows: c.Len()})
	}
	slices.Reverse(columns)
	slices.Reverse(j.parts)
	return columns, nil
}

// concat lays columns one after the other. Those of a single part are returned as they are.
func concat(parts []ml.Columns) ml.Columns {
	if len(parts) == 1 {
		return parts[0]
	}
	n := 0
	for _, p := range parts {
		n += p.Len()
	}
	out := ml.Columns{Features: make([][]float64, len(parts[0].Features)), Target: make([]uint8, 0, n)}
	for f := range out.Features {
		out.Features[f] = make([]float64, 0, n)
		for _, p := range parts {
			out.Features[f] = append(out.Features[f], p.Features[f]...)
		}
	}
	for _, p := range parts {
		out.Target = append(out.Target, p.Target...)
	}
	return out
}

// fingerprint is a digest of which rows are used: the fingerprint of each dataset and how many of its
// newest rows.
func fingerprint(parts []part) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%s %d of %d\n", p.dataset.Fingerprint, p.rows, p.dataset.Samples)
	}
	return hex.EncodeToString(h.Sum(nil))
}

func (j *job) datasetIDs() []int64 {
	ids := make([]int64, len(j.parts))
	for i, p := range j.parts {
		ids[i] = p.dataset.ID
	}
	return ids
}
