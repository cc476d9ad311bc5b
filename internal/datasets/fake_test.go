package datasets

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

// fake is a catalogue in memory that keeps the store's rules. before is called with the name of
// each method that changes something and of the search for a copy, and may fail it; after is called when
// a change is done.
type fake struct {
	mu       sync.Mutex
	last     int64
	datasets map[int64]ml.Dataset
	samples  map[int64]ml.Columns
	inUse    map[int64]bool
	reads    int // of samples

	before func(method string) error
	after  func(method string)
}

func newFake() *fake {
	return &fake{
		datasets: map[int64]ml.Dataset{}, samples: map[int64]ml.Columns{}, inUse: map[int64]bool{},
		before: func(string) error { return nil }, after: func(string) {},
	}
}

// clone is what another process would find if this one died now.
func (f *fake) clone() *fake {
	f.mu.Lock()
	defer f.mu.Unlock()
	c := newFake()
	c.last, c.datasets, c.samples = f.last, maps.Clone(f.datasets), maps.Clone(f.samples)
	return c
}

func (f *fake) change(ctx context.Context, method string, do func() error) error {
	if err := f.before(method); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	f.mu.Lock()
	err := do()
	f.mu.Unlock()
	if err == nil {
		f.after(method)
	}
	return err
}

func (f *fake) BeginDataset(ctx context.Context, d ml.Dataset) (id int64, err error) {
	err = f.change(ctx, "begin", func() error {
		for _, other := range f.datasets {
			if d.JobID != 0 && other.JobID == d.JobID {
				return ml.Errorf(ml.CodeConflict, "job %d has a dataset", d.JobID)
			}
		}
		f.last++
		d.ID, d.State = f.last, ml.DatasetBuilding
		f.datasets[d.ID] = d
		return nil
	})
	if err != nil {
		return 0, err
	}
	return f.last, nil
}

func (f *fake) AppendSamples(ctx context.Context, id int64, rows ml.Columns) error {
	return f.change(ctx, "append", func() error {
		if f.datasets[id].State != ml.DatasetBuilding {
			return ml.Errorf(ml.CodeNotFound, "dataset %d is not building", id)
		}
		old := f.samples[id]
		if old.Features == nil {
			old.Features = make([][]float64, 2)
		}
		f.samples[id] = ml.Columns{
			Features: [][]float64{
				append(slices.Clone(old.Features[0]), rows.Features[0]...), append(slices.Clone(old.Features[1]), rows.Features[1]...),
			},
			Target: append(slices.Clone(old.Target), rows.Target...),
		}
		return nil
	})
}

func (f *fake) FinishDataset(ctx context.Context, d ml.Dataset) error {
	return f.change(ctx, "finish", func() error {
		old, ok := f.datasets[d.ID]
		if !ok || old.State != ml.DatasetBuilding {
			return ml.Errorf(ml.CodeNotFound, "dataset %d is not building", d.ID)
		}
		d.State, d.Schema = ml.DatasetReady, old.Schema // the schema is pinned when it begins
		f.datasets[d.ID] = d
		return nil
	})
}

func (f *fake) DropDataset(ctx context.Context, id int64) error {
	return f.change(ctx, "drop", func() error {
		switch _, ok := f.datasets[id]; {
		case !ok:
			return ml.Errorf(ml.CodeNotFound, "there is no dataset %d", id)
		case f.inUse[id]:
			return ml.Errorf(ml.CodeConflict, "dataset %d is in use", id)
		}
		delete(f.datasets, id)
		delete(f.samples, id)
		return nil
	})
}

func (f *fake) find(what string, match func(ml.Dataset) bool) (ml.Dataset, error) {
	if found := f.all(match); len(found) > 0 {
		return found[0], nil
	}
	return ml.Dataset{}, ml.Errorf(ml.CodeNotFound, "there is no dataset %s", what)
}

func (f *fake) all(match func(ml.Dataset) bool) []ml.Dataset {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []ml.Dataset
	for _, id := range slices.Sorted(maps.Keys(f.datasets)) {
		if match(f.datasets[id]) {
			found = append(found, f.datasets[id])
		}
	}
	return found
}

func (f *fake) Dataset(_ context.Context, id int64) (ml.Dataset, error) {
	return f.find(fmt.Sprint(id), func(d ml.Dataset) bool { return d.ID == id && d.State == ml.DatasetReady })
}

func (f *fake) DatasetByFingerprint(_ context.Context, key, fingerprint string) (ml.Dataset, error) {
	if err := f.before("find copy"); err != nil {
		return ml.Dataset{}, err
	}
	return f.find("of these rows", func(d ml.Dataset) bool {
		return d.State == ml.DatasetReady && d.Schema.Key() == key && d.Fingerprint == fingerprint
	})
}

func (f *fake) DatasetByJob(_ context.Context, job int64) (ml.Dataset, error) {
	return f.find("of the job", func(d ml.Dataset) bool { return d.JobID == job })
}

func (f *fake) BuildingDatasets(context.Context) ([]ml.Dataset, error) {
	return f.all(func(d ml.Dataset) bool { return d.State != ml.DatasetReady }), nil
}

func (f *fake) NewestDatasets(_ context.Context, key string, limit int) ([]ml.Dataset, error) {
	found := f.all(func(d ml.Dataset) bool { return d.State == ml.DatasetReady && d.Schema.Key() == key })
	slices.Reverse(found)
	return found[:min(limit, len(found))], nil
}

func (f *fake) Samples(_ context.Context, id int64) (ml.Columns, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reads++
	return f.samples[id], nil
}

// bundle is a folder of datasets over a fake.
type bundle struct {
	*Datasets
	catalogue *fake
	dir       string
}

var noon = time.Date(2026, 3, 1, 12, 30, 0, 0, time.UTC)

// setup makes a bundle that thinks every builder is alive but "dead".
func setup(t *testing.T, change ...func(*Options)) *bundle {
	t.Helper()
	catalogue, dir := newFake(), t.TempDir()
	return over(t, catalogue, dir, change...)
}

func over(t *testing.T, catalogue *fake, dir string, change ...func(*Options)) *bundle {
	t.Helper()
	o := Options{
		Catalogue: catalogue, Dir: dir, Builder: "worker-1-ab", BatchRows: 1000,
		Alive: func(builder string) (bool, error) { return builder != "dead", nil },
		Clock: func() time.Time { return noon },
	}
	for _, c := range change {
		c(&o)
	}
	d, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return &bundle{Datasets: d, catalogue: catalogue, dir: dir}
}
