package store_test

import (
	"context"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

// columns are n rows that can be told apart.
func columns(n int) ml.Columns {
	c := ml.Columns{Features: [][]float64{make([]float64, n), make([]float64, n)}, Target: make([]uint8, n)}
	for i := range n {
		c.Features[0][i], c.Features[1][i] = float64(i)/3, -float64(i)*1e-9
		c.Target[i] = uint8(i % 2)
	}
	return c
}

// readyDataset stores a dataset with its rows.
func readyDataset(t *testing.T, s *store.Store, d ml.Dataset, c ml.Columns) int64 {
	t.Helper()
	if d.Schema.Target == "" {
		d.Schema = ml.GeneratedSchema()
	}
	id, err := s.BeginDataset(t.Context(), d)
	ok(t, err)
	ok(t, s.AppendSamples(t.Context(), id, c))
	ok(t, s.FinishDataset(t.Context(), ml.Dataset{ID: id, Samples: c.Len(), Fingerprint: "f"}))
	return id
}

func TestDatasetIsInvisibleUntilItsLastBatch(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	d := ml.Dataset{
		Hour: 5, CreatedAt: at(2026, 1, 2, 5, 0, 0, 0), Source: ml.SourceImported, Name: "file.csv",
		Schema: ml.Schema{Features: []string{"a", "b"}, Target: "y", Classes: [2]string{"no", "yes"}},
		Drift:  "covariate", Seed: math.MaxUint64, JobID: 42, Builder: "worker-1-abc",
	}
	id, err := s.BeginDataset(ctx, d)
	ok(t, err)
	ok(t, s.AppendSamples(ctx, id, columns(10)))
	_, err = s.Dataset(ctx, id)
	wantCode(t, err, ml.CodeNotFound)
	_, err = s.Samples(ctx, id)
	wantCode(t, err, ml.CodeNotFound)
	if ds, total, err := s.Datasets(ctx, 10); err != nil || len(ds) != 0 || total != 0 {
		t.Errorf("building, it is listed: %v, %d, %v", ds, total, err)
	}
	building, err := s.BuildingDatasets(ctx)
	ok(t, err)
	d.ID, d.State = id, ml.DatasetBuilding
	if diff := cmp.Diff([]ml.Dataset{d}, building); diff != "" {
		t.Errorf("building (-want +got):\n%s", diff)
	}
	d.State, d.Samples, d.ClassCounts, d.Fingerprint = ml.DatasetReady, 10, [2]int{5, 5}, "abc"
	ok(t, s.FinishDataset(ctx, d))
	ok(t, s.FinishDataset(ctx, d)) // the step may be repeated
	got, err := s.Dataset(ctx, id)
	ok(t, err)
	if diff := cmp.Diff(d, got); diff != "" {
		t.Errorf("ready (-want +got):\n%s", diff)
	}
	if got, err = s.DatasetByJob(ctx, 42); err != nil || got.ID != id {
		t.Errorf("by job: %v, %v", got, err)
	}
	_, err = s.DatasetByJob(ctx, 43)
	wantCode(t, err, ml.CodeNotFound)
	_, err = s.DatasetByJob(ctx, 0)
	wantCode(t, err, ml.CodeNotFound)
	wantCode(t, s.FinishDataset(ctx, ml.Dataset{ID: id, Fingerprint: "another"}), ml.CodeNotFound)
	wantCode(t, s.AppendSamples(ctx, id, columns(1)), ml.CodeNotFound)
}

func TestOneDatasetAJob(t *testing.T) {
	t.Parallel()
	s := setup(t)
	d := ml.Dataset{Schema: ml.GeneratedSchema(), JobID: 7}
	id, err := s.BeginDataset(t.Context(), d)
	ok(t, err)
	_, err = s.BeginDataset(t.Context(), d)
	wantCode(t, err, ml.CodeConflict)
	ok(t, s.DropDataset(t.Context(), id))
	again, err := s.BeginDataset(t.Context(), d)
	ok(t, err)
	if again <= id {
		t.Errorf("the id %d was given out again", again)
	}
}

// Rows come back as they were given, whatever the batches, and whoever writes in between.
func TestSamplesComeBack(t *testing.T) {
	t.Parallel()
	s := setup(t)
	value := rapid.OneOf(rapid.Float64(), rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 1, math.MaxFloat64, math.Inf(-1)}))
	rapid.Check(t, func(r *rapid.T) {
		type building struct {
			id   int64
			rows ml.Columns
		}
		sets := make([]building, 2)
		for i := range sets {
			id, err := s.BeginDataset(t.Context(), ml.Dataset{Schema: ml.GeneratedSchema()})
			ok(t, err)
			sets[i] = building{id, ml.Columns{Features: [][]float64{nil, nil}}}
		}
		for range rapid.IntRange(1, 4).Draw(r, "batches") {
			b := &sets[rapid.IntRange(0, 1).Draw(r, "dataset")]
			n := rapid.SampledFrom([]int{0, 1, 255, 256, 257, 600}).Draw(r, "rows")
			v := rapid.SliceOfN(value, n, n).Draw(r, "values")
			c := columns(n)
			copy(c.Features[0], v)
			ok(t, s.AppendSamples(t.Context(), b.id, c))
			for j := range b.rows.Features {
				b.rows.Features[j] = append(b.rows.Features[j], c.Features[j]...)
			}
			b.rows.Target = append(b.rows.Target, c.Target...)
		}
		for _, b := range sets {
			ok(t, s.FinishDataset(t.Context(), ml.Dataset{ID: b.id, Samples: b.rows.Len()}))
			got, err := s.Samples(t.Context(), b.id)
			ok(t, err)
			if !slices.Equal(got.Features[0], b.rows.Features[0]) || !slices.Equal(got.Features[1], b.rows.Features[1]) ||
				!slices.Equal(got.Target, b.rows.Target) {
				t.Fatalf("dataset %d: %d rows came back of %d, or others", b.id, got.Len(), b.rows.Len())
			}
			ok(t, s.DropDataset(t.Context(), b.id))
		}
	})
}

func TestAppendRefusesWhatIsNotTwoFeatures(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	id, err := s.BeginDataset(ctx, ml.Dataset{Schema: ml.GeneratedSchema()})
	ok(t, err)
	bad := columns(300)
	bad.Features[1][299] = math.NaN()
	short := columns(3)
	short.Features[0] = short.Features[0][:2]
	for name, c := range map[string]ml.Columns{
		"three features": {Features: make([][]float64, 3)}, "NaN": bad, "unequal columns": short,
	} {
		if err := s.AppendSamples(ctx, id, c); ml.CodeOf(err) != ml.CodeInvalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	wantCode(t, s.AppendSamples(ctx, 99, columns(1)), ml.CodeNotFound)
	ok(t, s.FinishDataset(ctx, ml.Dataset{ID: id}))
	if got, err := s.Samples(ctx, id); err != nil || got.Len() != 0 {
		t.Errorf("%d rows stayed, %v", got.Len(), err)
	}
	// The foreign keys are on again after a bulk insert.
	if _, err := s.Writer().ExecContext(ctx, "INSERT INTO dataset_samples VALUES (NULL, 99, 1, 1, 1)"); err == nil {
		t.Error("a sample of no dataset is taken")
	}
}

func TestDatasetsAreListedNewestFirst(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	other := ml.Schema{Features: []string{"a"}, Target: "y"}
	var ids []int64
	for i := range 5 {
		d := ml.Dataset{}
		if i == 3 {
			d.Schema = other
		}
		ids = append(ids, readyDataset(t, s, d, columns(2)))
	}
	for _, list := range []func(context.Context, int) ([]ml.Dataset, int64, error){
		s.Datasets,
		func(ctx context.Context, limit int) ([]ml.Dataset, int64, error) {
			return s.ListDatasets(ctx, 0, limit)
		},
	} {
		list, total, err := list(ctx, 2)
		ok(t, err)
		if total != 5 || len(list) != 2 || list[0].ID != ids[4] || list[1].ID != ids[3] || !list[1].Schema.Equal(other) {
			t.Errorf("listed %v of %d", list, total)
		}
	}
	newest, err := s.NewestDatasets(ctx, ml.GeneratedSchema().Key(), 2)
	ok(t, err)
	if len(newest) != 2 || newest[0].ID != ids[4] || newest[1].ID != ids[2] {
		t.Errorf("newest of the generated schema %v", newest)
	}
}

func TestDatasetByFingerprint(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	other := ml.Schema{Features: []string{"a", "b"}, Target: "y"}
	readyDataset(t, s, ml.Dataset{Schema: other}, columns(2))
	building, err := s.BeginDataset(ctx, ml.Dataset{Schema: ml.GeneratedSchema()})
	ok(t, err)
	key := ml.GeneratedSchema().Key()
	_, err = s.DatasetByFingerprint(ctx, key, "f")
	wantCode(t, err, ml.CodeNotFound)
	_, err = s.DatasetByFingerprint(ctx, key, "") // that of a building one
	wantCode(t, err, ml.CodeNotFound)
	oldest := readyDataset(t, s, ml.Dataset{}, columns(2))
	readyDataset(t, s, ml.Dataset{}, columns(2))
	if got, err := s.DatasetByFingerprint(ctx, key, "f"); err != nil || got.ID != oldest {
		t.Errorf("dataset %d, %v; want %d, the oldest, and not %d", got.ID, err, oldest, building)
	}
}

func TestDropDataset(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	used := readyDataset(t, s, ml.Dataset{}, columns(3))
	free := readyDataset(t, s, ml.Dataset{}, columns(60_000)) // more than one transaction drops
	kept := readyDataset(t, s, ml.Dataset{}, columns(3))
	finishRetrain(t, s, 1, "v1", true, used)
	version, err := s.InUse(ctx, used)
	ok(t, err)
	if version != "v1" {
		t.Errorf("in use by %q", version)
	}
	wantCode(t, s.DropDataset(ctx, used), ml.CodeConflict)
	wantCode(t, s.DropDataset(ctx, 99), ml.CodeNotFound)
	if version, err = s.InUse(ctx, free); err != nil || version != "" {
		t.Errorf("the free one is in use by %q, %v", version, err)
	}
	ok(t, s.DropDataset(ctx, free))
	_, err = s.Dataset(ctx, free)
	wantCode(t, err, ml.CodeNotFound)
	var left int
	ok(t, s.Writer().QueryRowContext(ctx, "SELECT COUNT(*) FROM dataset_samples").Scan(&left))
	if left != 6 {
		t.Errorf("%d samples are left, want 6", left)
	}
	if got, err := s.Samples(ctx, kept); err != nil || got.Len() != 3 {
		t.Errorf("the neighbour has %d rows, %v", got.Len(), err)
	}
	if next := readyDataset(t, s, ml.Dataset{}, columns(1)); next != kept+1 {
		t.Errorf("the next id is %d", next)
	}
}

// A list for anybody who asks has a bounded size, however wide the datasets are; it has one at least.
func TestListOfWideDatasetsEndsEarly(t *testing.T) {
	t.Parallel()
	const maxListed = 2 << 20 // bytes of names
	s := setup(t)
	wide := func(bytes int) ml.Dataset {
		return ml.Dataset{Schema: ml.Schema{Features: []string{"a", strings.Repeat("b", bytes)}, Target: "y"}}
	}
	var ids []int64
	for _, bytes := range []int{maxListed, maxListed / 4, maxListed / 4, maxListed / 4, maxListed / 4} {
		ids = append(ids, readyDataset(t, s, wide(bytes), columns(2)))
	}
	list, total, err := s.ListDatasets(t.Context(), 0, 0)
	ok(t, err)
	if total != 5 || len(list) != 3 || list[0].ID != ids[4] || list[2].ID != ids[2] {
		t.Errorf("listed %d of %d", len(list), total)
	}
	last := readyDataset(t, s, wide(2*maxListed), columns(2))
	if list, _, err = s.ListDatasets(t.Context(), 0, 0); err != nil || len(list) != 1 || list[0].ID != last {
		t.Errorf("listed %d datasets, %v; want the newest alone", len(list), err)
	}
}
