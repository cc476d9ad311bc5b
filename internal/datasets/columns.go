package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"iacontinu/internal/ml"
	"iacontinu/internal/tabular"
)

// Columns reads the newest rows of a dataset, oldest first: last of them, all if last is 0. They
// come from its file; if that is missing or damaged, those of a generated dataset come from the
// database, and the file is made again. Imported rows have no second place: ml.CodeUnprocessed then
// names the file.
func (d *Datasets) Columns(ctx context.Context, ds ml.Dataset, last int) (ml.Columns, error) {
	cols, damage := d.readFile(ds, last)
	if damage == nil {
		return cols, nil
	}
	if ds.Source != ml.SourceGenerated {
		return ml.Columns{}, unreadable(ds, d.file(ds.ID), damage)
	}
	all, err := d.o.Catalogue.Samples(ctx, ds.ID)
	if err != nil {
		return ml.Columns{}, fmt.Errorf("datasets: read dataset %d: %w", ds.ID, errors.Join(err, damage))
	}
	if all.Len() != ds.Samples {
		err := ml.Errorf(ml.CodeUnprocessed, "dataset %d has %d rows in the database instead of %d", ds.ID, all.Len(), ds.Samples)
		err.Remarks = []ml.Remark{{Code: "error.rows_missing", Values: map[string]any{"dataset": ds.ID, "rows": all.Len(), "want": ds.Samples}}}
		return ml.Columns{}, err
	}
	// The caller has its rows either way: neither is an error to return.
	if err := d.rewrite(ds, all); err != nil {
		d.o.Logger.WarnContext(ctx, "column copy can't be written", "dataset", ds.ID, "damage", damage, "error", err)
	} else {
		d.metrics.rewrites.Inc()
		d.o.Logger.InfoContext(ctx, "column copy written again", "dataset", ds.ID, "damage", damage)
	}
	if last <= 0 || last > all.Len() {
		last = all.Len()
	}
	return all.Slice(all.Len()-last, all.Len()), nil
}

// readFile reads the rows of the dataset's file, if it is the one that the catalogue speaks of.
func (d *Datasets) readFile(ds ml.Dataset, last int) (ml.Columns, error) {
	schema, rows, err := tabular.ReadParquet(d.file(ds.ID), tabular.ReadOptions{
		Features: ds.Schema.Features, Classes: ds.Schema.Classes, Rows: ds.Samples, Last: max(last, 0),
	})
	if err != nil {
		return ml.Columns{}, err
	}
	if schema.Target != ds.Schema.Target || len(schema.Features) != len(ds.Schema.Features) {
		return ml.Columns{}, fmt.Errorf("%s is another table", d.file(ds.ID))
	}
	return ml.Columns(rows), nil
}

func unreadable(ds ml.Dataset, file string, damage error) error {
	what := "is damaged"
	if errors.Is(damage, fs.ErrNotExist) {
		what = "is missing"
	}
	return &ml.Error{
		Code:    ml.CodeUnprocessed,
		Message: fmt.Sprintf("dataset %d can't be read: its file %s %s", ds.ID, file, what),
		Remarks: []ml.Remark{{Code: "error.file_unreadable", Values: map[string]any{"dataset": ds.ID}}, {Code: "error.import_again"}},
		Err:     damage,
	}
}

// rewrite makes the file of a generated dataset again.
func (d *Datasets) rewrite(ds ml.Dataset, rows ml.Columns) error {
	file, err := tabular.CreateParquet(d.tempFile(), ds.Schema.Features, ds.Schema.Target)
	if err != nil {
		return err
	}
	defer file.Abort()
	if err := file.Append(tabular.Rows(rows)); err != nil {
		return err
	}
	return file.Commit(d.file(ds.ID), ds.Schema.Classes)
}
