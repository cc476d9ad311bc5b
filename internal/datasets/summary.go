package datasets

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"iacontinu/internal/ml"
	"iacontinu/internal/summary"
)

const (
	// summaryBins are the bins of each histogram.
	summaryBins = 20
	// summaryValues bounds what is held in memory for a summary, 8 bytes each; of a dataset with more the
	// newest rows are looked at.
	summaryValues = 4_000_000
)

// Summary tells of the values of a dataset. It is made once, and then lies beside the dataset; one at a
// time is made, for each takes memory.
func (d *Datasets) Summary(ctx context.Context, ds ml.Dataset) (ml.DatasetSummary, error) {
	select {
	case d.summing <- struct{}{}:
		defer func() { <-d.summing }()
	case <-ctx.Done():
		return ml.DatasetSummary{}, ctx.Err()
	}
	var out ml.DatasetSummary
	if text, err := os.ReadFile(d.summaryFile(ds.ID)); err == nil && json.Unmarshal(text, &out) == nil && len(out.Features) == len(ds.Schema.Features) {
		return out, nil
	}
	rows := 0 // all
	if most := summaryValues / max(1, len(ds.Schema.Features)); ds.Samples > most {
		rows = most
	}
	cols, err := d.Columns(ctx, ds, rows)
	if err != nil {
		return ml.DatasetSummary{}, fmt.Errorf("datasets: sum up: %w", err)
	}
	out = sumUp(ds.Schema, cols)
	if err := d.keepSummary(ds.ID, out); err != nil { // it is here all the same
		d.o.Logger.WarnContext(ctx, "summary of a dataset can't be kept", "dataset", ds.ID, "error", err)
	}
	return out, nil
}

func sumUp(schema ml.Schema, cols ml.Columns) ml.DatasetSummary {
	out := ml.DatasetSummary{Rows: cols.Len(), Features: make([]ml.FeatureSummary, len(schema.Features))}
	for j, name := range schema.Features {
		values := cols.Features[j]
		n := summary.Of(values)
		f := ml.FeatureSummary{Name: name, Min: n.Min, Max: n.Max, Mean: n.Mean, SD: n.SD, Edges: summary.Edges(n.Min, n.Max, summaryBins)}
		var of [2][]float64 // by class
		for i, v := range values {
			of[cols.Target[i]] = append(of[cols.Target[i]], v)
		}
		for class := range of {
			f.Counts[class] = summary.Counts(of[class], f.Edges)
		}
		out.Features[j] = f
	}
	return out
}

// keepSummary writes it under a temporary name first, so that nobody reads half of it.
func (d *Datasets) keepSummary(id int64, s ml.DatasetSummary) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	temporary := d.tempFile()
	if err = os.WriteFile(temporary, text, 0o640); err == nil {
		err = os.Rename(temporary, d.summaryFile(id))
	}
	if err != nil {
		return errors.Join(err, removeIfThere(temporary))
	}
	// Who deleted the dataset meanwhile did not find the file.
	if _, err := os.Stat(d.file(id)); errors.Is(err, fs.ErrNotExist) {
		return removeIfThere(d.summaryFile(id))
	}
	return nil
}
