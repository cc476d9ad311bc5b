package predict

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// shelf is a store of versions and their artifacts.
type shelf struct {
	mu         sync.Mutex
	active     string
	activation int64
	broken     map[string]error
	away       error // of the store
	schema     ml.Schema
}

func (s *shelf) activate(name string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.active = name
	s.activation++
}

func (s *shelf) ActiveName(context.Context) (string, int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.away != nil {
		return "", 0, s.away
	}
	if s.active == "" {
		return "", 0, ml.Errorf(ml.CodeNotFound, "no version is active")
	}
	return s.active, s.activation, nil
}

func (s *shelf) Version(_ context.Context, name string) (ml.Version, error) {
	return ml.Version{Name: name, Schema: s.schema}, nil
}

func (s *shelf) load(v ml.Version) (*logreg.Artifact, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.broken[v.Name]; err != nil {
		return nil, err
	}
	return &logreg.Artifact{Version: v.Name, Features: []string{"a"}, Target: "y", Classes: [2]string{"0", "1"}, Model: logreg.Model{Coef: []float64{1}}}, nil
}

func newShelf() *shelf {
	return &shelf{broken: map[string]error{}, schema: ml.Schema{Features: []string{"a"}, Target: "y", Classes: [2]string{"0", "1"}}}
}

func newFollower(t *testing.T, s *shelf, log *slog.Logger) (*Follower, *Predictor) {
	t.Helper()
	p, _ := newPredictor(t, &memoryLog{})
	f, err := NewFollower(p, FollowerOptions{Versions: s, Load: s.load, Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	return f, p
}

func serves(t *testing.T, p *Predictor, want string) {
	t.Helper()
	if v, _ := p.Current(); v.Name != want {
		t.Fatalf("serves %q, want %q", v.Name, want)
	}
}

func TestFollowerServesWhatIsActive(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		f, p := newFollower(t, s, nil)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()

		<-time.After(f.Interval) // the bubble's clock, no waiting
		synctest.Wait()
		serves(t, p, "")
		s.activate("v1")
		<-time.After(f.Interval)
		synctest.Wait()
		serves(t, p, "v1")
		s.activate("v2")
		s.activate("v1") // rolled back between two looks
		<-time.After(f.Interval)
		synctest.Wait()
		serves(t, p, "v1")
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestABrokenVersionLeavesTheOldOneServing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		var told bytes.Buffer
		f, p := newFollower(t, s, slog.New(slog.NewTextHandler(&told, nil)))
		s.activate("v1")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		synctest.Wait()
		serves(t, p, "v1")

		s.mu.Lock()
		s.broken["v2"] = errors.New("model.json: unexpected end")
		s.mu.Unlock()
		s.activate("v2")
		<-time.After(10 * f.Interval)
		synctest.Wait()
		serves(t, p, "v1")
		if n := strings.Count(told.String(), "unexpected end"); n != 1 {
			t.Errorf("told %d times in ten looks, want once:\n%s", n, told.String())
		}

		s.mu.Lock()
		delete(s.broken, "v2") // the file is mended
		s.mu.Unlock()
		<-time.After(f.Interval)
		synctest.Wait()
		serves(t, p, "v2")
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
	})
}

func TestTroubleThatComesBackIsToldAgain(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newShelf()
		var told bytes.Buffer
		f, _ := newFollower(t, s, slog.New(slog.NewTextHandler(&told, nil)))
		s.activate("v1")
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- f.Run(ctx) }()
		for range 2 {
			for _, away := range []error{errors.New("database is locked"), nil} {
				s.mu.Lock()
				s.away = away
				s.mu.Unlock()
				<-time.After(10 * f.Interval)
			}
		}
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if n := strings.Count(told.String(), "database is locked"); n != 2 {
			t.Errorf("told %d times of two troubles of ten looks each, want twice:\n%s", n, told.String())
		}
	})
}

func TestAnArtifactOfAnotherSchemaIsRefused(t *testing.T) {
	t.Parallel()
	s := newShelf()
	s.schema.Features = []string{"b"}
	f, p := newFollower(t, s, nil)
	s.activate("v1")
	if err := f.Sync(t.Context()); err == nil || !strings.Contains(err.Error(), "[a]") {
		t.Fatalf("error %v, want one that names the artifact's features", err)
	}
	serves(t, p, "")
}

func TestWaitForServesBeforeItReturns(t *testing.T) {
	t.Parallel()
	s := newShelf()
	f, p := newFollower(t, s, nil) // Run is not running: WaitFor must look by itself
	s.activate("v1")
	if err := f.WaitFor(t.Context(), "v1"); err != nil {
		t.Fatal(err)
	}
	serves(t, p, "v1")
	s.activate("v2")
	s.activate("v3")
	if err := f.WaitFor(t.Context(), "v2"); err != nil { // v3 came later: v2 will never serve
		t.Fatal(err)
	}
	serves(t, p, "v3")
}

// TestSwapUnderLoadDropsNothing predicts from many goroutines while versions change.
func TestSwapUnderLoadDropsNothing(t *testing.T) {
	t.Parallel()
	log := &memoryLog{}
	p, _ := newPredictor(t, log)
	s := newShelf()
	f, err := NewFollower(p, FollowerOptions{Versions: s, Load: s.load})
	if err != nil {
		t.Fatal(err)
	}
	s.activate("v0")
	if err := f.Sync(t.Context()); err != nil {
		t.Fatal(err)
	}
	const clients, each = 8, 500
	var wg sync.WaitGroup
	for range clients {
		wg.Go(func() {
			for range each {
				if _, err := p.Predict(t.Context(), request("a"), []float64{1}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for i := range 100 {
		s.activate(string(rune('A' + i%26)))
		if err := f.Sync(t.Context()); err != nil {
			t.Error(err)
		}
	}
	wg.Wait()
	if len(log.rows) != clients*each {
		t.Fatalf("%d rows logged, want %d", len(log.rows), clients*each)
	}
}
