package store_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

func TestPredictionsComeBack(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	ann := addUser(t, s, "ann")
	var want []ml.LoggedPrediction
	for k := 1; k <= 5; k++ {
		p := ml.Prediction{
			ID: "id-" + strconv.Itoa(k), UserID: ann.ID, ModelVersion: "v1", Label: k % 2, Confidence: 0.5 + float64(k)/20,
			ResponseTime: time.Duration(k) * 250 * time.Microsecond, CreatedAt: at(2026, 1, 2, 3, 4, k, 0),
		}
		for j := range k {
			p.Features = append(p.Features, float64(j)+0.1*float64(k))
		}
		if k == 5 {
			p.Features[4] = math.Inf(1)
			ok(t, s.LogBatch(ctx, []ml.Prediction{p}))
		} else {
			ok(t, s.Log(ctx, &p))
		}
		want = append([]ml.LoggedPrediction{{RowID: int64(k), Prediction: p}}, want...)
	}
	got, total, err := s.History(ctx, store.HistoryFilter{UserID: ann.ID, Limit: 4})
	ok(t, err)
	if diff := cmp.Diff(want[:4], got); diff != "" || total != 5 {
		t.Errorf("%d predictions (-want +got):\n%s", total, diff)
	}
}

func TestHistoryIsOfOneUserOrAll(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	ann, bob := addUser(t, s, "ann"), addUser(t, s, "bob")
	var batch []ml.Prediction
	for _, user := range []int64{ann.ID, bob.ID, ann.ID, 0, bob.ID, ann.ID} {
		batch = append(batch, ml.Prediction{ID: strconv.Itoa(len(batch)), UserID: user, ModelVersion: "v1"})
	}
	ok(t, s.LogBatch(ctx, batch))
	for user, want := range map[int64]string{ann.ID: "520", bob.ID: "41", 0: "543210"} {
		rows, total, err := s.History(ctx, store.HistoryFilter{UserID: user})
		ok(t, err)
		got := ""
		for _, r := range rows {
			got += r.ID
		}
		if got != want || total != int64(len(want)) {
			t.Errorf("user %d: %q of %d, want %q", user, got, total, want)
		}
	}
}

// The sums that are kept with the log are those of its rows, whoever logs at the same time, in this
// store and in another on the same file.
func TestStatsAreThoseOfTheRows(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	var path string
	ok(t, s.Writer().QueryRowContext(ctx, "SELECT file FROM pragma_database_list").Scan(&path))
	stores := []*store.Store{s, open(t, path)}
	users := []int64{0, addUser(t, s, "ann").ID, addUser(t, s, "bob").ID}
	const callers, each = 24, 50
	var wg sync.WaitGroup
	for c := range callers {
		wg.Go(func() {
			for i := range each {
				p := ml.Prediction{
					ID: fmt.Sprintf("%d-%d", c, i), UserID: users[(c+i)%3], ModelVersion: "v" + strconv.Itoa(i%2),
					Features: []float64{float64(c), float64(i)}, Confidence: 0.5 + float64(i)/1000,
					ResponseTime: time.Duration(i) * time.Millisecond,
				}
				if err := stores[c%2].Log(ctx, &p); err != nil {
					t.Error(err)
				}
			}
		})
		if c%6 == 0 {
			wg.Go(func() {
				if err := stores[c%2].LogBatch(ctx, make([]ml.Prediction, 100)); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wg.Wait()
	for _, user := range []int64{0, users[1], users[2]} {
		got, err := stores[1].Stats(ctx, user)
		ok(t, err)
		want := recount(t, s, user)
		if !cmp.Equal(got.ByModel, want.ByModel) || got.Total != want.Total ||
			math.Abs(got.AverageConfidence-want.AverageConfidence) > 1e-9 ||
			(got.AverageResponseTime-want.AverageResponseTime).Abs() > time.Microsecond {
			t.Errorf("user %d: stats %+v, the rows say %+v", user, got, want)
		}
	}
}

// recount sums up the rows themselves.
func recount(t *testing.T, s *store.Store, user int64) ml.PredictionStats {
	t.Helper()
	rows, _, err := s.History(t.Context(), store.HistoryFilter{UserID: user, Limit: 1 << 20})
	ok(t, err)
	out := ml.PredictionStats{ByModel: map[string]int64{}}
	for _, r := range rows {
		out.Total++
		out.ByModel[r.ModelVersion]++
		out.AverageConfidence += r.Confidence
		out.AverageResponseTime += r.ResponseTime
	}
	out.AverageConfidence /= float64(out.Total)
	out.AverageResponseTime /= time.Duration(out.Total)
	return out
}

func TestRecentIsOfOneVersionSinceItsActivation(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	var batch []ml.Prediction
	for i := range 10 {
		batch = append(batch, ml.Prediction{
			ID: strconv.Itoa(i), ModelVersion: "v" + strconv.Itoa(i%2), Features: []float64{float64(i), 1, -float64(i)},
		})
	}
	batch[7].Features = batch[7].Features[:2] // of another schema
	ok(t, s.LogBatch(ctx, batch))
	got, n, err := s.Recent(ctx, "v1", 2, 3, 3) // ids start at 1: 4, 6, 8, 10 hold 3, 5, 7, 9
	ok(t, err)
	if diff := cmp.Diff([][]float64{{5, 9}, {1, 1}, {-5, -9}}, got); diff != "" || n != 2 {
		t.Errorf("%d recent (-want +got):\n%s", n, diff)
	}
	if got, n, err = s.Recent(ctx, "v9", 0, 3, 2); err != nil || n != 0 || len(got) != 2 {
		t.Errorf("of no version: %v, %d, %v", got, n, err)
	}
}

// A row that is refused for what it holds must not take with it those that share its transaction.
func TestBadRowFailsAlone(t *testing.T) {
	t.Parallel()
	ctx := t.Context()
	s := setup(t)
	release := holdWriter(t, s)
	const callers = 20
	errs := make([]error, callers)
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			p := ml.Prediction{ID: strconv.Itoa(i), ModelVersion: "v1", Confidence: 0.5}
			if i%5 == 0 {
				p.UserID = 999 // no such user
			}
			errs[i] = s.Log(ctx, &p)
		})
	}
	release()
	wg.Wait()
	for i, err := range errs {
		if (err != nil) != (i%5 == 0) {
			t.Errorf("row %d: %v", i, err)
		}
	}
	stats, err := s.Stats(ctx, 0)
	ok(t, err)
	if stats.Total != callers*4/5 {
		t.Errorf("%d rows are counted, want %d", stats.Total, callers*4/5)
	}
	// All rows of a request share their fate.
	if err := s.LogBatch(ctx, []ml.Prediction{{ID: "good"}, {ID: "bad", UserID: 999}}); err == nil {
		t.Error("a batch with a bad row is taken")
	}
	if after, err := s.Stats(ctx, 0); err != nil || after.Total != stats.Total {
		t.Errorf("%d rows after a failed batch, %v", after.Total, err)
	}
}

// holdWriter takes the writing connection, so that predictions queue up until release.
func holdWriter(t *testing.T, s *store.Store) (release func()) {
	t.Helper()
	conn, err := s.Writer().Conn(t.Context())
	ok(t, err)
	return func() { ok(t, conn.Close()) }
}

// A full queue makes Log wait, no longer than its ctx; what was queued is committed all the same.
func TestFullQueueWaits(t *testing.T) {
	t.Parallel()
	s := setup(t, func(o *store.Options) { o.QueueSize = 1 })
	release := holdWriter(t, s)
	const callers = 8
	ctx, cancel := context.WithCancel(t.Context())
	results := make(chan error, callers)
	for i := range callers {
		go func() { results <- s.Log(ctx, &ml.Prediction{ID: strconv.Itoa(i)}) }()
	}
	// The connection is held, so that the only way out is the end of ctx.
	cancel()
	cancelled, committed := 0, 0
	for range callers {
		err := <-results
		if cancelled+committed == 0 {
			release()
		}
		switch {
		case err == nil:
			committed++
		case errors.Is(err, context.Canceled):
			cancelled++
		default:
			t.Error(err)
		}
	}
	if cancelled == 0 || committed == 0 {
		t.Errorf("%d gave up and %d were committed", cancelled, committed)
	}
	if stats, err := s.Stats(t.Context(), 0); err != nil || stats.Total != int64(committed) {
		t.Errorf("%d rows for %d that were told so, %v", stats.Total, committed, err)
	}
}

// Close commits what was queued and refuses the rest: nothing acknowledged is lost, nothing refused
// is stored.
func TestCloseDrains(t *testing.T) {
	t.Parallel()
	s := setup(t)
	var path string
	ok(t, s.Writer().QueryRowContext(t.Context(), "SELECT file FROM pragma_database_list").Scan(&path))
	var mu sync.Mutex
	logged := map[string]bool{}
	started := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for c := range 16 {
		wg.Go(func() {
			for i := 0; ; i++ {
				id := fmt.Sprintf("%d-%d", c, i)
				err := s.Log(t.Context(), &ml.Prediction{ID: id})
				if ml.CodeOf(err) == ml.CodeUnavailable {
					return
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				logged[id] = true
				mu.Unlock()
				if i == 3 {
					started <- struct{}{}
				}
			}
		})
	}
	for range 16 {
		<-started
	}
	ok(t, s.Close())
	wg.Wait()
	rows, _, err := open(t, path).History(t.Context(), store.HistoryFilter{Limit: 1 << 20})
	ok(t, err)
	for _, r := range rows {
		if !logged[r.ID] {
			t.Errorf("%s is stored and was not acknowledged", r.ID)
		}
		delete(logged, r.ID)
	}
	if len(logged) > 0 {
		t.Errorf("%d acknowledged predictions are lost", len(logged))
	}
}
