package retrain

import (
	"context"
	"errors"
	"math"
	"strconv"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// train fits the candidate.
func (j *job) train(ctx context.Context) (err error) {
	j.model, j.fit, err = logreg.Fit(ctx, j.sides.train.Features, j.sides.train.Target, nil, j.fitOptions())
	return j.unprocessable(err)
}

func (j *job) fitOptions() logreg.Options {
	return logreg.Options{C: j.args.C, Balanced: j.args.Balanced}
}

// unprocessable says, to whoever asked for the job, what is wrong with the data or the options, if that is it and
// not the platform.
func (j *job) unprocessable(err error) error {
	is := func(fault error) bool { return errors.Is(err, fault) }
	var told *ml.Error
	switch {
	case is(logreg.ErrNotFinite) || is(logreg.ErrProbability):
		told = j.tooLarge()
	case is(logreg.ErrOptions):
		told = refused(ml.CodeUnprocessed, "error.penalty", map[string]any{"value": j.args.C})
	case is(logreg.ErrShape) || is(logreg.ErrLabel) || is(logreg.ErrWeight) || is(logreg.ErrSingleClass):
		told = refused(ml.CodeUnprocessed, "error.untrainable", nil)
	default:
		return err
	}
	told.Err = err
	return told
}

// tooLarge names the value that is farthest from zero: sums over such values are beyond the range of numbers.
func (j *job) tooLarge() *ml.Error {
	worst, feature, dataset := -1.0, 0, int64(0)
	from := 0
	for _, p := range j.parts {
		rows := j.data.Slice(from, from+p.rows)
		for k, column := range rows.Features {
			for _, v := range column {
				if size := math.Abs(v); !(size <= worst) && !math.IsNaN(worst) { // NaN is the worst of all
					worst, feature, dataset = size, k, p.dataset.ID
				}
			}
		}
		from += p.rows
	}
	return refused(ml.CodeUnprocessed, "error.too_large", map[string]any{"feature": j.schema.Features[feature], "dataset": dataset, "value": strconv.FormatFloat(worst, 'g', 3, 64)})
}
