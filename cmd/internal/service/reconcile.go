package service

import (
	"context"
	"database/sql"
	"encoding/json"
	"slices"
	"time"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

const (
	// reconcileEvery is the time between two comparisons with MLflow.
	reconcileEvery = time.Hour
	// allVersions is more than are ever kept.
	allVersions = 100_000
)

// reconcile has MLflow compared with what is here, at the first call and then every hour. It is a
// delivery, so that it comes after all that MLflow is owed by then.
func (t *trackers) reconcile(ctx context.Context) error {
	t.mu.Lock()
	due := t.mlflow != nil && time.Since(t.reconciled) >= reconcileEvery
	t.mu.Unlock()
	if !due {
		return nil
	}
	waiting, err := t.platform.Store.Waiting(ctx, ml.ServiceMLflow, ml.DeliveryReconcile)
	if err != nil || len(waiting) > 0 {
		return err
	}
	if err := t.platform.owe(ctx, ml.ServiceMLflow, ml.DeliveryReconcile, struct{}{}); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.reconciled = time.Now()
	return nil
}

// compare tells what MLflow has other than here, and owes it if it is to be mended.
func (t *trackers) compare(ctx context.Context) error {
	p := t.platform
	versions, _, err := p.Store.Versions(ctx, allVersions)
	if err != nil {
		return err
	}
	aliases, err := p.Store.Aliases(ctx)
	if err != nil {
		return err
	}
	owed, err := t.owedVersions(ctx)
	if err != nil {
		return err
	}
	versions = slices.DeleteFunc(versions, func(v ml.Version) bool {
		// Without its artifact a version can't be registered, and would be missed again every hour.
		_, err := logreg.LoadArtifact(p.artifactDir(v.Name))
		return err != nil || owed[v.Name]
	})
	diff, err := t.mlflow.Reconcile(ctx, versions, aliases)
	if err != nil || !diff.Mendable() {
		return err
	}
	missing := make([]string, len(diff.Missing))
	for i, v := range diff.Missing {
		missing[i] = v.Name
	}
	p.Log.WarnContext(ctx, "mlflow has other versions or aliases than the platform", "missing_there", missing, "aliases", diff.Aliases, "mended", t.push)
	if !t.push {
		return nil
	}
	return t.oweAgain(ctx, diff.Missing)
}

// owedVersions are those that were made after the comparison was owed, and whose runs are told next.
func (t *trackers) owedVersions(ctx context.Context) (map[string]bool, error) {
	waiting, err := t.platform.Store.Waiting(ctx, ml.ServiceMLflow, ml.DeliveryRun)
	if err != nil {
		return nil, err
	}
	owed := map[string]bool{}
	for _, payload := range waiting {
		var run ml.TrackedRun
		if err := json.Unmarshal([]byte(payload), &run); err == nil && run.Version != nil {
			owed[run.Version.Name] = true
		}
	}
	return owed, nil
}

// oweAgain owes the runs of versions that MLflow lacks, and after them the aliases. These are read in the
// transaction that owes them, so that an activation meanwhile comes either before it or is owed after it.
func (t *trackers) oweAgain(ctx context.Context, versions []ml.Version) error {
	var runs []ml.TrackedRun
	for _, v := range versions {
		run, err := t.toldOnce(ctx, v)
		switch {
		case ml.CodeOf(err) == ml.CodeNotFound: // a version of the earlier system: nothing is known of how it was made
		case err != nil:
			return err
		default:
			runs = append(runs, run)
		}
	}
	p := t.platform
	return p.Store.Transaction(ctx, func(tx *sql.Tx) error {
		for _, run := range runs {
			if err := p.oweTx(ctx, tx, ml.ServiceMLflow, ml.DeliveryRun, run); err != nil {
				return err
			}
		}
		return p.trackActivation(ctx, tx)
	})
}

// toldOnce is a retraining as it was told when it ended, or what is known of one of which that was not
// written down.
func (t *trackers) toldOnce(ctx context.Context, v ml.Version) (ml.TrackedRun, error) {
	record, err := t.platform.Store.Training(ctx, v.Name)
	if err != nil {
		return ml.TrackedRun{}, err
	}
	if record.Told != nil {
		record.Told.Version = &v
		return *record.Told, nil
	}
	a, err := logreg.LoadArtifact(t.platform.artifactDir(v.Name))
	if err != nil {
		return ml.TrackedRun{}, err
	}
	return ml.TrackedRun{
		JobID: record.JobID, Created: v.CreatedAt, Args: ml.RetrainArgs{Reason: record.Reason}, Partial: true,
		Started: record.CreatedAt.Add(-record.Duration), Ended: record.CreatedAt, Version: &v,
		Result: &ml.RetrainResult{
			Verdict: record.Verdict, Candidate: v.Name, CandidateAccuracy: record.AccuracyAfter, ChampionAccuracy: record.AccuracyBefore,
			TrainingSamples: record.TrainingSamples, HoldoutSamples: a.HoldoutSamples, Details: record.Details, Reasons: record.Reasons,
			DurationSeconds: record.Duration.Seconds(), DatasetIDs: v.DatasetIDs,
		},
	}, nil
}
