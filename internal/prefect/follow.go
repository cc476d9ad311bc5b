package prefect

import (
	"context"
	"sync"
	"time"

	"iacontinu/internal/flowrun"
)

const (
	// calm is how long changes are gathered before they are reported.
	calm = 250 * time.Millisecond
	// maxCalm is how rarely at most a server is tried that fails.
	maxCalm = 5 * time.Second
	// lastReport is how long a run that ended waits for the server to have been told.
	lastReport = 5 * time.Second
)

// Follower shows a run while it goes on. The run never waits for it: a server that is slow or away
// makes the view late and nothing else.
type Follower struct {
	rec      *flowrun.Recorder
	reporter *Reporter
	log      func(context.Context, string, ...any)
	cancel   context.CancelFunc
	stop     chan struct{}
	once     sync.Once
	done     chan struct{}
}

// Follow begins to show a run. Finish must be called.
func (c *Client) Follow(ctx context.Context, rec *flowrun.Recorder) *Follower {
	return c.follow(ctx, rec, c.NewReporter())
}

func (c *Client) follow(ctx context.Context, rec *flowrun.Recorder, reporter *Reporter) *Follower {
	// A cancelled run is shown to its end.
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	f := &Follower{
		rec: rec, reporter: reporter, log: c.o.Logger.DebugContext, cancel: cancel,
		stop: make(chan struct{}), done: make(chan struct{}),
	}
	go f.loop(ctx)
	return f
}

func (f *Follower) loop(ctx context.Context) {
	defer close(f.done)
	wait, changed := calm, false
	for {
		if !changed {
			select {
			case <-f.stop:
				return
			case <-f.rec.Changed():
			}
		}
		select {
		case <-f.stop:
			return
		case <-time.After(wait):
		}
		changed = false
		run := f.rec.Snapshot()
		if run.State.Final() {
			continue // the end is Finish's to tell, after all that has to be said before
		}
		if _, err := f.reporter.Report(ctx, run); err != nil {
			f.log(ctx, "the live view of a run is late", "error", err)
			wait, changed = min(2*wait, maxCalm), true
			continue
		}
		wait = calm
	}
}

// Stop ends the view at once, without a last report: for a run whose end is told in another way. It may
// be called again.
func (f *Follower) Stop() {
	f.cancel()
	f.once.Do(func() { close(f.stop) })
	<-f.done
}

// Finish reports the run as it stands, within 5 s, and ends the view. On an error the run that it
// gives is still owed to the server.
func (f *Follower) Finish(ctx context.Context) (flowrun.Run, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastReport)
	defer cancel()
	defer f.cancel()
	defer context.AfterFunc(ctx, f.cancel)()
	f.once.Do(func() { close(f.stop) })
	<-f.done
	run := f.rec.Snapshot()
	id, err := f.reporter.Report(ctx, run)
	if run.ServerID == "" {
		run.ServerID = id
	}
	return run, err
}
