package datasets

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"iacontinu/internal/ml"
	"iacontinu/internal/tabular"
)

// ImportSpec says how a CSV file becomes a dataset.
type ImportSpec struct {
	// Name is the name of the file, for people; ml.NameFault judges it.
	Name string
	// Target is the name of the column with the two classes. Required.
	Target string
	// Ignore names columns to leave out, one each or several separated by commas; all others are features.
	Ignore []string
	// SkipBad leaves bad rows out; else the first one is an error.
	SkipBad bool
	// Decimal is what stands between whole and fraction of numbers, a point or a comma; 0 finds it out.
	Decimal byte
}

// ImportReport tells what was in the file.
type ImportReport struct {
	Rows int // of data, good and bad
	// Bad are the first hundred rows left out, BadCount is the number of all.
	Bad      []tabular.RowError
	BadCount int
	// DecimalCommas tells that numbers were read with a comma before the fraction.
	DecimalCommas bool
	// CopyOf is the oldest dataset that held the same rows already, 0 if none did.
	CopyOf int64
}

// Import makes a dataset of a CSV file with a header, k numeric features and a target of two
// classes. When it returns, either the dataset is ready or nothing of the file is left. What is
// wrong with the file has ml.CodeInvalid and names the line; the report says as much as is known
// also beside an error. Errors of r are passed on. A Read that blocks holds Import up even when ctx
// ends: who owns r must end it.
//
// The classes get their labels in the order of tabular.ClassOrder, unless the same table came before
// with another one.
func (d *Datasets) Import(ctx context.Context, r io.Reader, spec ImportSpec) (ml.Dataset, ImportReport, error) {
	if spec.Target == "" {
		return ml.Dataset{}, ImportReport{}, &ml.Error{
			Code: ml.CodeInvalid, Message: "a file can't be imported without a target",
			Fields: []ml.FieldError{{Location: "target", Message: "must name the column with the two classes"}},
		}
	}
	if fault := ml.NameFault(spec.Name); fault != "" {
		return ml.Dataset{}, ImportReport{}, &ml.Error{
			Code: ml.CodeInvalid, Message: "a file can't be imported by this name",
			Fields: []ml.FieldError{{Location: "name", Message: fault}},
		}
	}
	now := d.o.Clock().UTC()
	ds := ml.Dataset{
		Hour: now.Hour(), CreatedAt: now.Truncate(time.Second), State: ml.DatasetBuilding, Source: ml.SourceImported,
		Name: spec.Name, Builder: d.o.Builder,
	}
	report, err := d.load(ctx, r, spec, &ds)
	d.metrics.built(ds, d.o.Clock().Sub(now), err)
	if err != nil {
		if ds.ID != 0 {
			err = errors.Join(err, d.discard(ctx, ds.ID))
		}
		return ml.Dataset{}, report, fmt.Errorf("datasets: import: %w", err)
	}
	d.metrics.badRows.Add(float64(report.BadCount))
	return ds, report, nil
}

// load streams the file to disk and then catalogues it: only at its end are the classes known.
func (d *Datasets) load(ctx context.Context, r io.Reader, spec ImportSpec, ds *ml.Dataset) (ImportReport, error) {
	csv, err := tabular.OpenCSV(r, tabular.CSVOptions{
		Target: spec.Target, Ignore: spec.Ignore, SkipBad: spec.SkipBad, Decimal: spec.Decimal,
	})
	if err != nil {
		return ImportReport{}, refused(err)
	}
	file, err := tabular.CreateParquet(d.tempFile(), csv.Features(), csv.Target())
	if err != nil {
		return ImportReport{}, stored(err)
	}
	defer file.Abort()
	fingerprint := tabular.NewFingerprint(len(csv.Features()))
	var counts [2]int // by code
	read, err := csv.Read(ctx, func(rows tabular.Rows) error {
		fingerprint.Add(rows)
		count(&counts, rows.Target)
		return file.Append(rows)
	})
	report := ImportReport{Rows: read.Rows + read.BadCount, Bad: read.Bad, BadCount: read.BadCount, DecimalCommas: read.Decimal == ','}
	if err != nil {
		return report, refused(err)
	}
	ds.Samples, ds.ClassCounts = read.Rows, counts
	ds.Schema, err = d.schema(ctx, csv.Features(), csv.Target(), read.Classes)
	if err != nil {
		return report, err
	}
	if ds.Schema.Classes != read.Classes {
		ds.ClassCounts = [2]int{counts[1], counts[0]}
	}
	if report.CopyOf, err = d.holder(ctx, ds.Schema, fingerprint.Sum(tabular.Schema(ds.Schema), read.Classes)); err != nil {
		return report, err
	}
	if ds.ID, err = d.o.Catalogue.BeginDataset(ctx, *ds); err != nil {
		return report, stored(err)
	}
	return report, stored(d.finish(ctx, ds, file, fingerprint, read.Classes))
}

// schema gives the classes their labels. A table that was catalogued with the other order keeps it:
// its models have learnt it.
func (d *Datasets) schema(ctx context.Context, features []string, target string, classes [2]string) (ml.Schema, error) {
	s := ml.Schema{Features: features, Target: target, Classes: tabular.ClassOrder(classes[0], classes[1])}
	other := s
	other.Classes = [2]string{s.Classes[1], s.Classes[0]}
	known, err := d.o.Catalogue.NewestDatasets(ctx, other.Key(), 1)
	if err != nil {
		return ml.Schema{}, err
	}
	if len(known) > 0 {
		return other, nil
	}
	return s, nil
}

// holder is the dataset that holds the rows of that fingerprint already, 0 if none does.
func (d *Datasets) holder(ctx context.Context, s ml.Schema, fingerprint string) (id int64, err error) {
	ds, err := d.o.Catalogue.DatasetByFingerprint(ctx, s.Key(), fingerprint)
	if ml.CodeOf(err) == ml.CodeNotFound {
		return 0, nil
	}
	return ds.ID, err
}

// refused gives what is wrong with a file its code, and errors of the disk theirs.
func refused(err error) error {
	var row tabular.RowError
	var file *tabular.FileError
	switch {
	case errors.As(err, &row):
		f := ml.FieldError{Location: fmt.Sprintf("line %d", row.Line), Message: row.Reason}
		if row.Column != "" {
			f.Location += fmt.Sprintf(", column %q", row.Column)
		}
		return &ml.Error{
			Code: ml.CodeInvalid, Message: "the file has a bad row, and nothing of it was kept", Fields: []ml.FieldError{f},
			Remarks: remarks(row.Remarks()), Err: err,
		}
	case errors.As(err, &file):
		return &ml.Error{Code: ml.CodeInvalid, Message: file.Reason, Remarks: remarks(file.Remarks), Err: err}
	}
	return stored(err)
}

// remarks are what an error of a file says.
func remarks(said []tabular.Remark) []ml.Remark {
	out := make([]ml.Remark, len(said))
	for i, r := range said {
		out[i] = ml.Remark(r)
	}
	return out
}
