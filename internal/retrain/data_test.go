package retrain

import (
	"math"
	"slices"
	"testing"

	"iacontinu/internal/ml"
)

func TestNamedDatasetIsUsedWholeAndAlone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	named := w.add(ml.GeneratedSchema(), sample(60, 1, plane))
	w.add(ml.GeneratedSchema(), sample(60, 2, plane))
	r := w.retrainer(t, func(o *Options) { o.TrainingWindow = 20 })
	if err := r.Run(t.Context(), 1, testCreated(), ml.RetrainArgs{DatasetID: named.ID}, nil); err != nil {
		t.Fatal(err)
	}
	if want := []string{"1:60"}; !slices.Equal(w.reads, want) {
		t.Errorf("read %v, want %v", w.reads, want)
	}
}

func TestWindowTakesTheNewestRows(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 4 {
		w.add(ml.GeneratedSchema(), sample(40, uint64(i), plane))
	}
	r := w.retrainer(t, func(o *Options) { o.TrainingWindow = 100 })
	if err := r.Run(t.Context(), 1, testCreated(), ml.RetrainArgs{}, nil); err != nil {
		t.Fatal(err)
	}
	if want := []string{"4:40", "3:40", "2:20"}; !slices.Equal(w.reads, want) {
		t.Errorf("read %v, want %v", w.reads, want)
	}
	got := w.result(t, 1)
	if !slices.Equal(got.DatasetIDs, []int64{2, 3, 4}) || got.HoldoutSamples != 20 {
		t.Errorf("datasets %v holdout %d, want [2 3 4] oldest first and 20", got.DatasetIDs, got.HoldoutSamples)
	}
}

// A file that was imported twice is one file: its rows must not be held out from themselves.
func TestCopiesCountOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	first := w.add(ml.GeneratedSchema(), sample(100, 1, plane))
	w.add(ml.GeneratedSchema(), sample(100, 2, plane))
	w.add(ml.GeneratedSchema(), sample(100, 1, plane))
	w.sets[2].Fingerprint = first.Fingerprint
	if got := w.run(t, 5, ml.RetrainArgs{}); !slices.Equal(got.DatasetIDs, []int64{1, 2}) {
		t.Errorf("trained on %v, want [1 2], without the copy", got.DatasetIDs)
	}
}

// What came after the call is not its data, or a job that is run again would be about other rows.
func TestJobIsAboutTheDataOfItsCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(ml.GeneratedSchema(), sample(100, 1, plane))
	w.add(ml.GeneratedSchema(), sample(100, 2, plane)) // after the call
	if got := w.run(t, 5, ml.RetrainArgs{NewestDataset: 1}); !slices.Equal(got.DatasetIDs, []int64{1}) {
		t.Errorf("trained on %v, want [1]", got.DatasetIDs)
	}
	if got := w.run(t, 6, ml.RetrainArgs{NewestDataset: 1, Generate: true}); !slices.Equal(got.DatasetIDs, []int64{1, 3}) {
		t.Errorf("trained on %v, want [1 3], the second being its own", got.DatasetIDs)
	}
}

// The first version on data that were there before is made of them alone; on too few, of drawn rows
// alone. Run again, the job comes to the same.
func TestFirstVersionMixesNothing(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		rows int
		want []int64
	}{"enough": {100, []int64{1}}, "too few": {9, []int64{2}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.add(ml.GeneratedSchema(), sample(c.rows, 1, plane))
			args := ml.RetrainArgs{NewestDataset: 1, Generate: true, Reason: ml.ReasonBootstrap}
			if got := w.run(t, 5, args); !slices.Equal(got.DatasetIDs, c.want) {
				t.Errorf("trained on %v, want %v", got.DatasetIDs, c.want)
			}
			w.versions, w.outcomes = nil, nil
			if got := w.run(t, 5, args); !slices.Equal(got.DatasetIDs, c.want) {
				t.Errorf("run again on %v, want %v", got.DatasetIDs, c.want)
			}
		})
	}
}

func TestDataThatCannotBeTrainedOn(t *testing.T) {
	t.Parallel()
	one := func(n int) func(float64, float64) uint8 { // n rows of class 1, the rest of class 0
		left := n
		return func(float64, float64) uint8 {
			left--
			return label(left >= 0)
		}
	}
	for name, c := range map[string]struct {
		rows ml.Columns
		says string
	}{
		"too few rows":      {sample(9, 1, plane), "9 rows are too few"},
		"one class":         {sample(50, 1, one(0)), `all 50 rows have kind = "setosa"`},
		"the other class":   {sample(50, 1, one(50)), `all 50 rows have kind = "other"`},
		"one row of a kind": {sample(50, 1, one(1)), `only 1 of 50 rows has kind = "other"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.refuse(t, ml.RetrainArgs{DatasetID: w.add(flowers(), c.rows).ID}, ml.CodeUnprocessed, c.says)
		})
	}
	t.Run("not a number", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		rows := sample(50, 1, plane)
		for i := range rows.Features[1] {
			rows.Features[1][i] = math.NaN()
		}
		w.refuse(t, ml.RetrainArgs{DatasetID: w.add(flowers(), rows).ID}, ml.CodeUnprocessed, "can't be trained on")
	})
	t.Run("values beyond sums", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.add(ml.GeneratedSchema(), sample(50, 1, plane))
		rows := sample(50, 2, plane)
		for i := range rows.Features[1] {
			rows.Features[1][i] = math.MaxFloat64 * float64(1-2*(i%2))
		}
		w.add(ml.GeneratedSchema(), rows)
		w.refuse(t, ml.RetrainArgs{}, ml.CodeUnprocessed, `column "feature2" of dataset 2 has values of up to 1.8e+308`)
	})
	t.Run("bad penalty", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.refuse(t, ml.RetrainArgs{C: -1}, ml.CodeUnprocessed, "train: C is -1, want 1e-9 to 1e9")
	})
	t.Run("no such dataset", func(t *testing.T) {
		t.Parallel()
		newWorld(t).refuse(t, ml.RetrainArgs{DatasetID: 12}, ml.CodeNotFound, "there is no dataset 12")
	})
	t.Run("no dataset of the served features", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t)
		w.versions = []ml.Version{{Name: "v1", Active: true, Schema: flowers()}}
		w.refuse(t, ml.RetrainArgs{Generate: true}, ml.CodeUnprocessed, "petal, sepal")
	})
}

func TestTwoRowsOfAClassAreEnough(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	i := 0
	ds := w.add(flowers(), sample(50, 1, func(_, _ float64) uint8 { i++; return label(i <= 2) }))
	got := w.run(t, 1, ml.RetrainArgs{DatasetID: ds.ID})
	if got.HoldoutSamples != 11 || got.MajorityAccuracy != 10.0/11 {
		t.Errorf("result %+v, want one of the two rows among the 11 of the holdout", got)
	}
}
