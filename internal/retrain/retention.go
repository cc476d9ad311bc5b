package retrain

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"time"

	"iacontinu/internal/ml"
)

const (
	// rollbackDepth is how many of the versions that served last are kept whatever their age, so that
	// a rollback has somewhere to go.
	rollbackDepth = 5
	// orphanAge is how long a folder without a version is left alone: a running retraining saves first
	// and stores its version then. temporaryAge is the same for what a save writes to, which takes
	// less than a second.
	orphanAge    = time.Hour
	temporaryAge = 10 * time.Minute
	// sweepBatch bounds what one sweep looks at; the next one goes on.
	sweepBatch = 10_000
)

// Sweep removes what is no more needed: all but the newest versions and generated datasets, and
// folders that no version owns. It never removes the active version, those that served last, a dataset
// that the active version was trained on, or one that was imported: nobody can make that one again.
func (r *Retrainer) Sweep(ctx context.Context) error {
	err := errors.Join(r.sweepVersions(ctx), r.sweepDatasets(ctx), r.sweepFolders(ctx))
	if err != nil {
		return fmt.Errorf("retrain: sweep: %w", err)
	}
	return nil
}

func (r *Retrainer) sweepVersions(ctx context.Context) error {
	versions, _, err := r.options.Versions.Versions(ctx, r.options.KeepVersions+sweepBatch)
	if err != nil {
		return fmt.Errorf("list the versions: %w", err)
	}
	if len(versions) <= r.options.KeepVersions {
		return nil
	}
	served := lastServed(versions)
	for _, v := range versions[r.options.KeepVersions:] {
		if slices.Contains(served, v.Name) {
			continue
		}
		// The row first: a folder without a row is removed later, a row without a folder can't serve.
		err := r.options.Versions.DeleteVersion(ctx, v.Name)
		if code := ml.CodeOf(err); code == ml.CodeConflict || code == ml.CodeNotFound {
			continue // it is the active one, or another worker swept it
		}
		if err != nil {
			return fmt.Errorf("delete version %s: %w", v.Name, err)
		}
		r.metrics.removed.WithLabelValues("version").Inc()
		r.options.Logger.InfoContext(ctx, "the retention removed a version", "version", v.Name, "kept", r.options.KeepVersions)
		if !folderName.MatchString(v.Name) {
			continue // not one of ours: its folder, if any, is not ours either
		}
		if err := os.RemoveAll(r.dir(v.Name)); err != nil {
			return fmt.Errorf("remove the folder of version %s: %w", v.Name, err)
		}
	}
	return nil
}

// lastServed names the versions that were activated last.
func lastServed(versions []ml.Version) []string {
	served := slices.DeleteFunc(slices.Clone(versions), func(v ml.Version) bool { return v.ActivatedAt.IsZero() })
	slices.SortStableFunc(served, func(a, b ml.Version) int { return b.ActivatedAt.Compare(a.ActivatedAt) })
	var names []string
	for _, v := range served[:min(rollbackDepth, len(served))] {
		names = append(names, v.Name)
	}
	return names
}

func (r *Retrainer) sweepDatasets(ctx context.Context) error {
	sets, err := r.generated(ctx)
	if err != nil {
		return fmt.Errorf("list the datasets: %w", err)
	}
	for _, ds := range sets[min(r.options.KeepDatasets, len(sets)):] {
		err := r.options.Datasets.Delete(ctx, ds.ID)
		if code := ml.CodeOf(err); code == ml.CodeConflict || code == ml.CodeNotFound {
			continue // the active version needs it, or another worker swept it
		}
		if err != nil {
			return fmt.Errorf("delete dataset %d: %w", ds.ID, err)
		}
		r.metrics.removed.WithLabelValues("dataset").Inc()
		r.options.Logger.InfoContext(ctx, "the retention removed a dataset", "dataset", ds.ID, "name", ds.Name, "kept", r.options.KeepDatasets)
	}
	return nil
}

// generated lists generated datasets, newest first: either all, or more than are kept. However many
// imported ones lie between them, it looks as far as it must.
func (r *Retrainer) generated(ctx context.Context) ([]ml.Dataset, error) {
	for limit := r.options.KeepDatasets + sweepBatch; ; limit *= 2 {
		sets, total, err := r.options.Catalogue.Datasets(ctx, limit)
		if err != nil {
			return nil, err
		}
		all := int64(len(sets)) >= total
		sets = slices.DeleteFunc(sets, func(ds ml.Dataset) bool { return ds.Source != ml.SourceGenerated })
		if all || len(sets) > r.options.KeepDatasets {
			return sets, nil
		}
	}
}

// folderName matches the folders that retrainings make, whose last number is the job's, and the
// temporary ones of an interrupted save. Nothing else in the folder of models is touched, for that
// folder is a setting and may be somebody's.
var folderName = regexp.MustCompile(`^(?:v\d{8}-\d{6}-(\d+)|\.v\d{8}-\d{6}-\d+\.tmp-.+)$`)

func (r *Retrainer) sweepFolders(ctx context.Context) error {
	entries, err := os.ReadDir(r.options.ModelsDir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list the folder of models: %w", err)
	}
	for _, e := range entries {
		orphan, err := r.orphan(ctx, e)
		if err != nil {
			return err
		}
		if !orphan {
			continue
		}
		if err := os.RemoveAll(r.dir(e.Name())); err != nil {
			return fmt.Errorf("remove a folder without a version: %w", err)
		}
		r.metrics.removed.WithLabelValues("folder").Inc()
		r.options.Logger.InfoContext(ctx, "the retention removed a folder without a version", "folder", e.Name())
	}
	return nil
}

// orphan reports whether an entry is a folder of ours that no version owns, and none will.
func (r *Retrainer) orphan(ctx context.Context, e os.DirEntry) (bool, error) {
	name := folderName.FindStringSubmatch(e.Name())
	if !e.IsDir() || name == nil {
		return false, nil
	}
	info, err := e.Info()
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("look at folder %s: %w", e.Name(), err)
	}
	age, jobID := r.options.Clock().Sub(info.ModTime()), name[1]
	if jobID == "" {
		return age >= temporaryAge, nil
	}
	if age < orphanAge {
		// Asked before the version is looked for, because the job stores both at once.
		if ended, err := r.ended(ctx, jobID); err != nil || !ended {
			return false, err
		}
	}
	_, err = r.options.Versions.Version(ctx, e.Name())
	if ml.CodeOf(err) == ml.CodeNotFound {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("look for the version of folder %s: %w", e.Name(), err)
	}
	return false, nil
}

// ended reports whether a job has stored its version. If that is gone, a retention was killed before
// it came to the folder.
func (r *Retrainer) ended(ctx context.Context, jobID string) (bool, error) {
	id, err := strconv.ParseInt(jobID, 10, 64)
	if err != nil {
		return false, nil // no job has a number that long
	}
	progress, err := r.options.Jobs.Progress(ctx, id)
	if err != nil {
		return false, fmt.Errorf("look for the job of a folder: %w", err)
	}
	return progress.Result != nil, nil
}
