package retrain

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

// world is what surrounds a Retrainer, in memory but for the folder of models: datasets with their
// rows, versions, progress and results, and messages owed.
type world struct {
	sets     []ml.Dataset // oldest first
	rows     map[int64]ml.Columns
	reads    []string
	versions []ml.Version // oldest first
	progress map[int64]ml.JobProgress
	steps    []string
	outcomes []ml.RetrainOutcome
	events   []ml.Event
	tx       *sql.Tx    // the one that is open
	owed     []ml.Event // in it
	now      time.Time

	// Each is consulted if set.
	beforeFinish func()
	enqueueError error
	commitError  error

	dir string
	log *bytes.Buffer
}

// testCreated is when the jobs of the tests were enqueued.
func testCreated() time.Time { return time.Date(2026, 5, 4, 3, 2, 1, 0, time.UTC) }

func newWorld(t *testing.T) *world {
	t.Helper()
	return &world{
		rows: make(map[int64]ml.Columns), progress: make(map[int64]ml.JobProgress),
		now: testCreated().Add(time.Second), dir: filepath.Join(t.TempDir(), "models"), log: &bytes.Buffer{},
	}
}

func (w *world) options() Options {
	return Options{
		Datasets: w, Catalogue: w, Versions: w, Jobs: w, Messenger: w, Generate: w.generate,
		ModelsDir: w.dir, Clock: func() time.Time { return w.now }, Logger: slog.New(slog.NewTextHandler(w.log, nil)),
	}
}

func (w *world) retrainer(t *testing.T, change func(*Options)) *Retrainer {
	t.Helper()
	o := w.options()
	if change != nil {
		change(&o)
	}
	r, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// run runs a job that must come to a verdict.
func (w *world) run(t *testing.T, id int64, args ml.RetrainArgs) ml.RetrainResult {
	t.Helper()
	if err := w.retrainer(t, nil).Run(t.Context(), id, testCreated(), args, nil); err != nil {
		t.Fatal(err)
	}
	return w.result(t, id)
}

// refuse runs a job that must fail with a code.
func (w *world) refuse(t *testing.T, args ml.RetrainArgs, code ml.Code, says string) {
	t.Helper()
	err := w.retrainer(t, nil).Run(t.Context(), 1, testCreated(), args, nil)
	if ml.CodeOf(err) != code || !strings.Contains(fmt.Sprint(err), says) {
		t.Errorf("got %v, want %s saying %q", err, code, says)
	}
	if len(w.versions) > 0 && w.versions[0].JobID == 1 {
		t.Error("a version was stored")
	}
}

func (w *world) result(t *testing.T, id int64) ml.RetrainResult {
	t.Helper()
	r := w.progress[id].Result
	if r == nil {
		t.Fatalf("job %d has no result", id)
	}
	return *r
}

// add adds a ready dataset, one that was generated.
func (w *world) add(schema ml.Schema, c ml.Columns) ml.Dataset {
	ds := ml.Dataset{
		ID: int64(len(w.sets) + 1), Samples: c.Len(), State: ml.DatasetReady, Source: ml.SourceGenerated, Schema: schema,
		Name:        fmt.Sprintf("set-%d", len(w.sets)+1),
		Fingerprint: fmt.Sprintf("fingerprint-%d", len(w.sets)+1), ClassCounts: classCounts(c),
	}
	w.sets, w.rows[ds.ID] = append(w.sets, ds), c
	return ds
}

func (w *world) active() *ml.Version {
	for i := range w.versions {
		if w.versions[i].Active {
			return &w.versions[i]
		}
	}
	return nil
}

func (w *world) topics() (topics []string) {
	for _, e := range w.events {
		topics = append(topics, string(e.Topic)+" "+e.State)
	}
	return topics
}

func (w *world) generate(_ context.Context, jobID int64, _ time.Time, samples int) (ml.Dataset, error) {
	for _, ds := range w.sets {
		if ds.JobID == jobID {
			return ds, nil
		}
	}
	ds := w.add(ml.GeneratedSchema(), sample(samples, uint64(jobID), plane))
	w.sets[len(w.sets)-1].JobID = jobID
	return ds, nil
}

func (w *world) Columns(_ context.Context, ds ml.Dataset, last int) (ml.Columns, error) {
	w.reads = append(w.reads, fmt.Sprintf("%d:%d", ds.ID, last))
	c := w.rows[ds.ID]
	return c.Slice(c.Len()-last, c.Len()), nil
}

func (w *world) Delete(_ context.Context, id int64) error {
	if a := w.active(); a != nil && slices.Contains(a.DatasetIDs, id) {
		return ml.Errorf(ml.CodeConflict, "dataset %d is needed", id)
	}
	w.sets = slices.DeleteFunc(w.sets, func(ds ml.Dataset) bool { return ds.ID == id })
	return nil
}

func (w *world) Dataset(_ context.Context, id int64) (ml.Dataset, error) {
	for _, ds := range w.sets {
		if ds.ID == id {
			return ds, nil
		}
	}
	return ml.Dataset{}, ml.Errorf(ml.CodeNotFound, "there is no dataset %d", id)
}

func (w *world) NewestDatasets(_ context.Context, key string, limit int) (found []ml.Dataset, err error) {
	for _, ds := range slices.Backward(w.sets) {
		if ds.Schema.Key() == key && len(found) < limit {
			found = append(found, ds)
		}
	}
	return found, nil
}

func (w *world) Datasets(_ context.Context, limit int) (found []ml.Dataset, total int64, err error) {
	for _, ds := range slices.Backward(w.sets) {
		if len(found) < limit {
			found = append(found, ds)
		}
	}
	return found, int64(len(w.sets)), nil
}

func (w *world) Active(context.Context) (ml.Version, error) {
	if a := w.active(); a != nil {
		return *a, nil
	}
	return ml.Version{}, ml.Errorf(ml.CodeNotFound, "no version is active")
}

func (w *world) Version(_ context.Context, name string) (ml.Version, error) {
	for _, v := range w.versions {
		if v.Name == name {
			return v, nil
		}
	}
	return ml.Version{}, ml.Errorf(ml.CodeNotFound, "there is no version %s", name)
}

func (w *world) Versions(_ context.Context, limit int) (found []ml.Version, total int64, err error) {
	for _, v := range slices.Backward(w.versions) {
		if len(found) < limit {
			found = append(found, v)
		}
	}
	return found, int64(len(w.versions)), nil
}

func (w *world) DeleteVersion(_ context.Context, name string) error {
	if a := w.active(); a != nil && a.Name == name {
		return ml.Errorf(ml.CodeConflict, "version %s is active", name)
	}
	w.versions = slices.DeleteFunc(w.versions, func(v ml.Version) bool { return v.Name == name })
	return nil
}

func (w *world) Progress(_ context.Context, id int64) (ml.JobProgress, error) {
	return w.progress[id], nil
}

func (w *world) SetProgress(_ context.Context, id int64, step string, fraction float64) error {
	w.steps = append(w.steps, step)
	w.progress[id] = ml.JobProgress{Step: step, Fraction: fraction}
	return nil
}

// FinishRetrain stores all or nothing, and nothing twice.
func (w *world) FinishRetrain(_ context.Context, o ml.RetrainOutcome, then func(*sql.Tx) error) error {
	if w.beforeFinish != nil {
		w.beforeFinish()
	}
	if w.progress[o.Record.JobID].Result != nil {
		return nil
	}
	if a := w.active(); o.Activate && a != nil && a.Name != o.Champion {
		return ml.Errorf(ml.CodeConflict, "%s is active by now", a.Name)
	}
	w.tx, w.owed = new(sql.Tx), nil
	err := then(w.tx)
	w.tx = nil
	if err = cmp.Or(err, w.commitError); err != nil {
		return err
	}
	w.events = append(w.events, w.owed...)
	if o.Activate {
		w.activate("")
		o.Version.Active, o.Version.ActivatedAt = true, w.now
	}
	w.versions, w.outcomes = append(w.versions, o.Version), append(w.outcomes, o)
	w.progress[o.Record.JobID] = ml.JobProgress{Step: "activate", Fraction: 1, Result: &o.Result}
	return nil
}

// activate makes a version the active one, none if there is none of that name.
func (w *world) activate(name string) {
	for i := range w.versions {
		w.versions[i].Active = w.versions[i].Name == name
	}
}

// EnqueueNotifyTx owes an event if the transaction commits.
func (w *world) EnqueueNotifyTx(_ context.Context, tx *sql.Tx, e ml.Event) error {
	if tx == nil || tx != w.tx {
		return errors.New("the transaction is not the one that is open")
	}
	w.owed = append(w.owed, e)
	return w.enqueueError
}

// EnqueueNotify owes an event whatever becomes of a transaction.
func (w *world) EnqueueNotify(_ context.Context, e ml.Event) error {
	w.events = append(w.events, e)
	return nil
}

// plane is the rule of the generated data.
func plane(f1, f2 float64) uint8 { return label(0.5*f1+0.3*f2 > 0) }

func label(b bool) uint8 {
	if b {
		return 1
	}
	return 0
}

// sample draws rows of two standard normal features and labels them by the rule.
func sample(n int, seed uint64, rule func(f1, f2 float64) uint8) ml.Columns {
	random := rand.New(rand.NewPCG(seed, 99))
	c := ml.Columns{Features: [][]float64{make([]float64, n), make([]float64, n)}, Target: make([]uint8, n)}
	for i := range n {
		f1, f2 := random.NormFloat64(), random.NormFloat64()
		c.Features[0][i], c.Features[1][i], c.Target[i] = f1, f2, rule(f1, f2)
	}
	return c
}
