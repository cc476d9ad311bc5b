package retrain

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"iacontinu/internal/ml"
)

// numbered are n rows whose only feature is their place, with labels drawn by the test.
func numbered(labels []uint8) ml.Columns {
	c := ml.Columns{Features: [][]float64{make([]float64, len(labels))}, Target: labels}
	for i := range labels {
		c.Features[0][i] = float64(i)
	}
	return c
}

func drawLabels(t *rapid.T) []uint8 {
	labels := rapid.SliceOfN(rapid.Uint8Range(0, 1), ml.MinRows, 300).Draw(t, "labels")
	copy(labels, []uint8{0, 1, 0, 1}) // two of each
	return labels
}

// assertPartition fails unless each row is on exactly one side, whole, and where rows says.
func assertPartition(t *rapid.T, data ml.Columns, s sides) {
	if s.train.Len()+s.holdout.Len() != data.Len() || len(s.rows) != s.holdout.Len() {
		t.Fatalf("%d and %d rows of %d, %d of them listed", s.train.Len(), s.holdout.Len(), data.Len(), len(s.rows))
	}
	var places []int
	for _, side := range []ml.Columns{s.train, s.holdout} {
		for i, x := range side.Features[0] {
			if side.Target[i] != data.Target[int(x)] {
				t.Fatalf("row %v has another label than before", x)
			}
			places = append(places, int(x))
		}
	}
	if !slices.Equal(places[s.train.Len():], s.rows) {
		t.Fatalf("the holdout is %v, listed are %v", places[s.train.Len():], s.rows)
	}
	slices.Sort(places)
	for i, p := range places {
		if i != p {
			t.Fatalf("row %d is missing or there twice", i)
		}
	}
}

func TestStratifiedSplit(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := numbered(drawLabels(t))
		seed := rapid.Uint64().Draw(t, "seed")
		s := splitStratified(data, seed)
		assertPartition(t, data, s)
		counts, held := classCounts(data), classCounts(s.holdout)
		for class, n := range counts {
			if held[class] != max(1, share(n)) {
				t.Fatalf("%d of %d rows of class %d held out, want a fifth", held[class], n, class)
			}
		}
		if !cmp.Equal(s.rows, splitStratified(data, seed).rows) {
			t.Fatal("the same seed gave another split")
		}
	})
}

func TestSeedsSplitDifferently(t *testing.T) {
	t.Parallel()
	data := sample(200, 1, plane)
	if cmp.Equal(splitStratified(data, 1).rows, splitStratified(data, 2).rows) {
		t.Error("two seeds gave one split")
	}
}

func TestSplitByTime(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		data := numbered(drawLabels(t))
		s := splitByTime(data)
		assertPartition(t, data, s)
		if s.rows[0] != data.Len()-share(data.Len()) {
			t.Fatalf("the holdout begins at %d of %d", s.rows[0], data.Len())
		}
	})
}

func TestWhichSplit(t *testing.T) {
	t.Parallel()
	mixed := make([]uint8, 100)
	for i := range mixed {
		mixed[i] = uint8(i % 2)
	}
	newestAlike := slices.Clone(mixed)
	for i := 75; i < 100; i++ {
		newestAlike[i] = 1
	}
	two := []part{{rows: 50}, {rows: 50}}
	for name, c := range map[string]struct {
		parts  []part
		labels []uint8
		byTime bool
	}{
		"one dataset":                       {[]part{{rows: 100}}, mixed, false},
		"several datasets":                  {two, mixed, true},
		"several, the newest of one class":  {two, newestAlike, false},
		"several, the newest tenth of some": {[]part{{rows: 90}, {rows: 10}}, mixed, true},
	} {
		j := &job{parts: c.parts, data: numbered(c.labels), seed: 1, schema: ml.GeneratedSchema()}
		if err := j.split(t.Context()); err != nil {
			t.Fatal(err)
		}
		if j.sides.byTime != c.byTime || !bothClasses(j.sides.holdout) || !bothClasses(j.sides.train) {
			t.Errorf("%s: by time %t, want %t, with both classes on both sides", name, j.sides.byTime, c.byTime)
		}
	}
}

func TestReferenceIsDrawnFromTheTrainingRows(t *testing.T) {
	t.Parallel()
	data := sample(5000, 1, plane)
	s := splitStratified(data, 1)
	window := reference(s.train, 1)
	if len(window) != 2 || len(window[0]) != maxReference || len(window[1]) != maxReference {
		t.Fatalf("%d columns of %d rows, want 2 of %d", len(window), len(window[0]), maxReference)
	}
	type row [2]float64
	trained := make(map[row]bool)
	for i, x := range s.train.Features[0] {
		trained[row{x, s.train.Features[1][i]}] = true
	}
	for i, x := range window[0] {
		if !trained[row{x, window[1][i]}] {
			t.Fatalf("row %d of the window is no training row", i)
		}
	}
	if !cmp.Equal(window, reference(s.train, 1)) {
		t.Error("the same seed gave another window")
	}
	if last := slices.Index(s.train.Features[0], window[0][maxReference-1]); last < 3800 {
		t.Errorf("the window ends at row %d of 4000: not a draw from all", last)
	}
}
