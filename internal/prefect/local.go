package prefect

import (
	"context"
	"errors"
)

var errServerBack = errors.New("the server says again when to check")

// localTicks runs the checks without a server, at most once at a time. It is for one goroutine.
type localTicks struct {
	cancel context.CancelCauseFunc
	done   chan struct{}
}

// start begins f unless it goes on already. ended is told if f ends by itself.
func (l *localTicks) start(ctx context.Context, f func(context.Context) error, ended func(error)) {
	if l.done != nil {
		select {
		case <-l.done:
			l.cancel(nil)
		default:
			return
		}
	}
	ctx, l.cancel = context.WithCancelCause(ctx)
	done := make(chan struct{})
	l.done = done
	go func() {
		defer close(done)
		if err := f(ctx); ctx.Err() == nil {
			ended(err)
		}
	}()
}

// stop ends f, if it goes on, and waits for it.
func (l *localTicks) stop(cause error) {
	if l.done == nil {
		return
	}
	l.cancel(cause)
	<-l.done
	l.done = nil
}
