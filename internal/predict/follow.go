package predict

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// versions is the part of the store that knows which version is active.
type versions interface {
	// ActiveName is the active version's name and the number of its activation, which grows with
	// every activation; ml.CodeNotFound while there is none. It is asked many times a second.
	ActiveName(ctx context.Context) (name string, activation int64, err error)
	Version(ctx context.Context, name string) (ml.Version, error)
}

// FollowerOptions configure a Follower.
type FollowerOptions struct {
	Versions versions
	// Load reads the artifact of a version and checks that it is the one the store means.
	Load     func(v ml.Version) (*logreg.Artifact, error)
	Interval time.Duration // between two looks at the active row; 100 ms
	Logger   *slog.Logger
}

// Follower keeps a Predictor on the active version.
type Follower struct {
	predictor *Predictor
	FollowerOptions

	mu         sync.Mutex // one look at a time
	activation int64      // the activation that serves
	failed     string     // the version whose failure was told, so that it is told once
}

// NewFollower returns a follower; nothing is served until Run or Sync.
func NewFollower(p *Predictor, o FollowerOptions) (*Follower, error) {
	if o.Versions == nil || o.Load == nil {
		return nil, errors.New("predict: FollowerOptions.Versions and Load are required")
	}
	if o.Interval == 0 {
		o.Interval = 100 * time.Millisecond
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Follower{predictor: p, FollowerOptions: o}, nil
}

// Run follows the active version until ctx ends. A failure leaves the old version serving, is told
// once and tried again at every look.
func (f *Follower) Run(ctx context.Context) error {
	tick := time.NewTicker(f.Interval)
	defer tick.Stop()
	for {
		if err := f.Sync(ctx); err != nil && ctx.Err() == nil {
			f.tell(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Sync looks at the active row now and, when it returns nil, the predictor serves a version at
// least as new as the one that was active when Sync was called.
func (f *Follower) Sync(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	name, activation, err := f.Versions.ActiveName(ctx)
	switch {
	case err != nil && ml.CodeOf(err) != ml.CodeNotFound:
		return fmt.Errorf("predict: look up the active version: %w", err)
	case err != nil || activation == f.activation:
		f.failed = "" // what goes wrong from now on is news
		return nil
	}
	if err := f.swapTo(ctx, name); err != nil {
		f.predictor.metrics.swapFailures.Inc()
		return err
	}
	f.activation, f.failed = activation, ""
	return nil
}

// WaitFor returns once this process serves the version or one that was activated later.
func (f *Follower) WaitFor(ctx context.Context, version string) error {
	if v, ok := f.predictor.Current(); ok && v.Name == version {
		return nil
	}
	return f.Sync(ctx)
}

func (f *Follower) swapTo(ctx context.Context, name string) error {
	v, err := f.Versions.Version(ctx, name)
	if err != nil {
		return fmt.Errorf("predict: read version %s: %w", name, err)
	}
	a, err := f.Load(v)
	if err != nil {
		return fmt.Errorf("predict: swap to %s: %w", name, err)
	}
	schema := ml.Schema{Features: a.Features, Target: a.Target, Classes: a.Classes}
	if a.Version != name || !schema.Equal(v.Schema) {
		return fmt.Errorf("predict: swap to %s: the artifact is of version %s with features %v, the store says %v", name, a.Version, a.Features, v.Schema.Features)
	}
	old, _ := f.predictor.Current()
	f.predictor.swap(v, a.Model)
	f.Logger.InfoContext(ctx, "model swapped", "from", old.Name, "to", v.Name, "accuracy", v.Accuracy, "reason", v.Reason)
	return nil
}

// tell logs an error, once for one that lasts.
func (f *Follower) tell(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failed == err.Error() {
		return
	}
	f.failed = err.Error()
	f.Logger.Error("the active version could not be followed: what was served goes on", "error", err)
}
