package datasets

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"iacontinu/internal/ml"
)

// Sweep removes what processes left that died: datasets that never became ready, files being
// written, and files whose dataset is gone. What a living process works on stays. It goes on after
// an error, and returns them all.
func (d *Datasets) Sweep(ctx context.Context) error {
	// The folder is read first: a file that is found has a row in the catalogue by then, if anyone
	// wants it.
	files, err := os.ReadDir(d.o.Dir)
	if err != nil {
		return fmt.Errorf("datasets: sweep: %w", err)
	}
	building, err := d.o.Catalogue.BuildingDatasets(ctx)
	if err != nil {
		return fmt.Errorf("datasets: sweep: %w", err)
	}
	var errs []error
	alive := make(map[int64]bool, len(building))
	for _, ds := range building {
		living, err := d.alive(ds.Builder)
		if err != nil || living {
			alive[ds.ID] = true
			errs = append(errs, err)
			continue
		}
		if err := d.drop(ctx, ds.ID); err != nil { // and with it, below, goes its file
			errs = append(errs, err)
			continue
		}
		d.o.Logger.InfoContext(ctx, "unfinished dataset removed", "dataset", ds.ID, "source", ds.Source, "builder", ds.Builder)
	}
	for _, f := range files {
		wanted, err := d.wanted(ctx, f.Name(), alive)
		if err == nil && !wanted {
			if err = os.Remove(filepath.Join(d.o.Dir, f.Name())); errors.Is(err, fs.ErrNotExist) {
				continue
			}
			if err == nil {
				d.o.Logger.InfoContext(ctx, "leftover file removed", "file", f.Name())
			}
		}
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("datasets: sweep: %w", err)
	}
	return nil
}

// wanted reports whether a file of the folder is to stay. building are the datasets that someone
// works on.
func (d *Datasets) wanted(ctx context.Context, name string, building map[int64]bool) (bool, error) {
	if builder, ok := tempBuilder(name); ok {
		return d.alive(builder)
	}
	id, ok := fileID(name)
	if !ok || building[id] {
		return true, nil // what is not ours is not touched
	}
	_, err := d.o.Catalogue.Dataset(ctx, id)
	if ml.CodeOf(err) == ml.CodeNotFound {
		return false, nil
	}
	return true, err
}

// alive reports whether a builder lives. A dataset that is being removed has none.
func (d *Datasets) alive(builder string) (bool, error) {
	if builder == "" {
		return false, nil
	}
	return d.o.Alive(builder)
}
