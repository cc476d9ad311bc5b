package monitor

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

// noon is the time at which the fakes' clock starts; a multiple of 30 s.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// fakeAPI answers as its fields say.
type fakeAPI struct {
	mu       sync.Mutex
	did      *journal
	health   func(ctx context.Context) error
	retrain  func(ctx context.Context) (*ml.RetrainResult, int64, error)
	triggers []ml.Trigger
	retrains int
}

func (a *fakeAPI) Health(ctx context.Context) error {
	a.did.add("health")
	a.mu.Lock()
	f := a.health
	a.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(ctx)
}

func (a *fakeAPI) Retrain(ctx context.Context, t ml.Trigger) (*ml.RetrainResult, int64, error) {
	a.did.add("retrain")
	a.mu.Lock()
	a.retrains++
	a.triggers = append(a.triggers, t)
	f := a.retrain
	a.mu.Unlock()
	if f == nil {
		return &ml.RetrainResult{Verdict: ml.VerdictActivated, Version: "v2", Candidate: "v2", CandidateAccuracy: 0.95}, 77, nil
	}
	return f(ctx)
}

// fakeStore keeps what the real one keeps, as plainly as can be.
type fakeStore struct {
	mu       sync.Mutex
	did      *journal
	claimed  map[int64]bool
	active   *ml.Version
	versions []ml.Version // oldest first
	checks   []ml.DriftReport
	rows     []ml.LoggedPrediction // by id
	sets     []ml.Dataset          // of the active schema, oldest first
	fail     map[string]error      // by method
}

func (s *fakeStore) ClaimSlot(_ context.Context, slot int64) (bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail["ClaimSlot"]; err != nil {
		return false, err
	}
	first := !s.claimed[slot]
	s.claimed[slot] = true
	if first {
		s.did.add("claim")
	}
	return first, nil
}

func (s *fakeStore) RecordCheck(ctx context.Context, r ml.DriftReport) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := errors.Join(s.fail["RecordCheck"], ctx.Err()); err != nil {
		return 0, err
	}
	r.ID = int64(len(s.checks) + 1)
	s.checks = append(s.checks, r)
	s.did.add("record")
	return r.ID, nil
}

func (s *fakeStore) Active(context.Context) (ml.Version, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.fail["Active"]; err != nil {
		return ml.Version{}, err
	}
	if s.active == nil {
		return ml.Version{}, ml.Errorf(ml.CodeNotFound, "no version is active")
	}
	return *s.active, nil
}

func (s *fakeStore) Versions(_ context.Context, limit int) ([]ml.Version, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return newest(s.versions, limit), int64(len(s.versions)), s.fail["Versions"]
}

func (s *fakeStore) DriftHistory(_ context.Context, limit int) ([]ml.DriftReport, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return newest(s.checks, limit), int64(len(s.checks)), s.fail["DriftHistory"]
}

func (s *fakeStore) NewestDatasets(_ context.Context, _ string, limit int) ([]ml.Dataset, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return newest(s.sets, limit), s.fail["NewestDatasets"]
}

func newest[T any](oldestFirst []T, limit int) []T {
	out := slices.Clone(oldestFirst)
	slices.Reverse(out)
	return out[:min(limit, len(out))]
}

func (s *fakeStore) Recent(_ context.Context, version string, since int64, limit, k int) ([][]float64, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	columns := make([][]float64, k)
	var n int
	for _, p := range slices.Backward(s.rows) {
		if p.RowID > since && p.ModelVersion == version && n < limit {
			n++
			for j := range k {
				columns[j] = append(columns[j], p.Features[j])
			}
		}
	}
	return columns, n, s.fail["Recent"]
}

// predict logs n predictions of a version, normal with the given means and deviation 1.
func (s *fakeStore) predict(seed uint64, version string, n int, means ...float64) {
	rng := rand.New(rand.NewPCG(seed, 0))
	s.mu.Lock()
	defer s.mu.Unlock()
	for range n {
		row := make([]float64, len(means))
		for j, mean := range means {
			row[j] = rng.NormFloat64() + mean
		}
		s.rows = append(s.rows, ml.LoggedPrediction{
			RowID:      int64(len(s.rows) + 1),
			Prediction: ml.Prediction{ModelVersion: version, Features: row},
		})
	}
}

// recorded returns the checks, oldest first.
func (s *fakeStore) recorded() []ml.DriftReport {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.checks)
}

func (s *fakeStore) setFail(method string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail[method] = err
}

// fakeQueue keeps events.
type fakeQueue struct {
	mu     sync.Mutex
	did    *journal
	events []ml.Event
	err    error
}

func (q *fakeQueue) EnqueueNotify(ctx context.Context, e ml.Event) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	if err := errors.Join(q.err, ctx.Err()); err != nil {
		return err
	}
	q.events = append(q.events, e)
	q.did.add("tell " + string(e.Topic))
	return nil
}

// states are the events of some topics, or of all, as "topic state".
func (q *fakeQueue) states(topics ...ml.EventTopic) []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	out := []string{}
	for _, e := range q.events {
		if len(topics) == 0 || slices.Contains(topics, e.Topic) {
			out = append(out, string(e.Topic)+" "+e.State)
		}
	}
	return out
}

// journal is what was done, in order.
type journal struct {
	mu    sync.Mutex
	steps []string
}

func (j *journal) add(step string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.steps = append(j.steps, step)
}

// bundle is a monitor and all that it works with.
type bundle struct {
	*Monitor
	opt        Options
	api        *fakeAPI
	store      *fakeStore
	queue      *fakeQueue
	did        *journal
	now        time.Time
	draw       float64
	references int // times a reference window was read
}

// setup returns a monitor of a platform on which version v1 with two features has been active for a
// day, its pinned window 2000 rows of two standard normals, and nothing has been predicted.
func setup(t testing.TB, o Options) *bundle {
	t.Helper()
	did := &journal{}
	v1 := ml.Version{
		Name: "v1", Accuracy: 0.96, Status: ml.VersionReady, Active: true, Schema: ml.GeneratedSchema(),
		CreatedAt: noon.Add(-24 * time.Hour), ActivatedAt: noon.Add(-24 * time.Hour),
	}
	b := &bundle{
		api: &fakeAPI{did: did},
		store: &fakeStore{
			did: did, claimed: map[int64]bool{}, fail: map[string]error{}, active: &v1, versions: []ml.Version{v1},
		},
		queue: &fakeQueue{did: did},
		did:   did,
		now:   noon,
		draw:  0.9,
	}
	o.API, o.History, o.Record, o.Messenger = b.api, b.store, b.store, b.queue
	if o.Reference == nil {
		o.Reference = func(context.Context, string) ([][]float64, error) {
			b.references++
			return normalColumns(99, 2000, 0, 0), nil
		}
	}
	o.NewestDatasets = b.store.NewestDatasets
	if o.Clock == nil {
		o.Clock = func() time.Time { return b.now }
	}
	if o.RetryDelay == 0 {
		o.RetryDelay = time.Microsecond
	}
	if o.Random == nil {
		o.Random = func() float64 {
			did.add("draw")
			return b.draw
		}
	}
	b.opt = o
	m, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	b.Monitor = m
	return b
}

// normalColumns are k columns of n normal values with the given means.
func normalColumns(seed uint64, n int, means ...float64) [][]float64 {
	rng := rand.New(rand.NewPCG(seed, 1))
	columns := make([][]float64, len(means))
	for j, mean := range means {
		columns[j] = make([]float64, n)
		for i := range columns[j] {
			columns[j][i] = rng.NormFloat64() + mean
		}
	}
	return columns
}

// check makes the check of the current slot, which must work, and moves the clock to the next.
func (b *bundle) check(t testing.TB) ml.DriftReport {
	t.Helper()
	r, err := b.RunOnce(t.Context(), Request{Slot: b.slot()})
	if err != nil {
		t.Fatal(err)
	}
	b.now = b.now.Add(30 * time.Second)
	return r
}
