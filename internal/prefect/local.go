package prefect

import "context"

// localTicks runs the checks without a server, at most once at a time. It is for one goroutine.
type localTicks struct {
	cancel context.CancelCauseFunc
	enough chan struct{} // nil once it was closed
	done   chan struct{}
}

// start begins f unless it goes on already, if only to finish a check. ended is told if f ends by itself.
func (l *localTicks) start(ctx context.Context, f func(context.Context, <-chan struct{}) error, ended func(error)) {
	if l.done != nil {
		select {
		case <-l.done:
			l.cancel(nil)
		default:
			return
		}
	}
	ctx, l.cancel = context.WithCancelCause(ctx)
	enough, done := make(chan struct{}), make(chan struct{})
	l.enough, l.done = enough, done
	go func() {
		defer close(done)
		err := f(ctx, enough)
		select {
		case <-enough:
		case <-ctx.Done():
		default:
			ended(err)
		}
	}()
}

// finish lets f end after the check that it makes.
func (l *localTicks) finish() {
	if l.enough != nil {
		close(l.enough)
		l.enough = nil
	}
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
