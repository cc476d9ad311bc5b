package retrain

import (
	"context"
	"errors"
	"fmt"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// champion is the version that serves while a candidate is judged.
type champion struct {
	name string // empty if nothing serves
	// artifact is nil if it cannot be compared, and note then says why.
	artifact *logreg.Artifact
	note     ml.Remark
}

// evaluate lets the candidate and the champion answer the holdout.
func (j *job) evaluate(ctx context.Context) (err error) {
	if j.champion, err = j.readChampion(ctx); err != nil {
		return err
	}
	holdout := j.sides.holdout
	p := make([]float64, holdout.Len())
	j.model.Probabilities(holdout.Features, p)
	if j.quality, err = logreg.Evaluate(p, holdout.Target, nil); err != nil {
		return j.unprocessable(err)
	}
	var q []float64
	if a := j.champion.artifact; a != nil {
		q = make([]float64, holdout.Len())
		a.Model.Probabilities(holdout.Features, q)
	}
	j.duel = newDuel(holdout.Target, p, q)
	return nil
}

// readChampion reads the active version. Its artifact is loaded if it has the candidate's schema; one
// that cannot be loaded is not held against the candidate, which may be what mends that.
func (j *job) readChampion(ctx context.Context) (champion, error) {
	active, err := j.options.Versions.Active(ctx)
	switch {
	case ml.CodeOf(err) == ml.CodeNotFound:
		return champion{}, nil
	case err != nil:
		return champion{}, fmt.Errorf("read the active version: %w", err)
	case active.Schema.Equal(j.schema):
	case j.args.DatasetID == 0: // somebody activated another schema since the data were chosen
		return champion{}, refused(ml.CodeConflict, "error.other_features", map[string]any{"version": active.Name})
	default:
		return champion{name: active.Name, note: ml.Remark{Code: "gate.other_features", Values: map[string]any{"champion": active.Name}}}, nil
	}
	artifact, err := j.loadChampion(active)
	if err != nil {
		j.options.Logger.WarnContext(ctx, "the champion can't be loaded and is not compared", "version", active.Name, "job", j.id, "error", err)
		return champion{name: active.Name, note: ml.Remark{Code: "gate.champion_unreadable", Values: map[string]any{"champion": active.Name}}}, nil
	}
	return champion{name: active.Name, artifact: artifact}, nil
}

func (j *job) loadChampion(v ml.Version) (*logreg.Artifact, error) {
	a, err := j.options.Load(v)
	if err != nil {
		return nil, err
	}
	if !v.Schema.Equal(ml.Schema{Features: a.Features, Target: a.Target, Classes: a.Classes}) {
		return nil, errors.New("the artifact has another schema than the version")
	}
	return a, nil
}
