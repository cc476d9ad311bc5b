package retrain

import (
	"context"
	"errors"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// train fits the candidate.
func (j *job) train(ctx context.Context) (err error) {
	j.model, j.fit, err = logreg.Fit(ctx, j.sides.train.Features, j.sides.train.Target, nil, j.fitOptions())
	return unprocessable(err)
}

func (j *job) fitOptions() logreg.Options {
	return logreg.Options{C: j.args.C, Balanced: j.args.Balanced}
}

// unprocessable gives a code to what is wrong with the data or the options, not with the platform.
func unprocessable(err error) error {
	for _, fault := range []error{
		logreg.ErrOptions, logreg.ErrShape, logreg.ErrNotFinite, logreg.ErrLabel,
		logreg.ErrWeight, logreg.ErrProbability, logreg.ErrSingleClass,
	} {
		if errors.Is(err, fault) {
			return ml.Errorf(ml.CodeUnprocessed, "the data can't be trained on: %w", err)
		}
	}
	return err
}
