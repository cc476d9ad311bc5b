package queue

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"
)

// riverLogger passes on River's warnings and errors only: what happens to each job is logged here
// once, with the words of this package.
func riverLogger(l *slog.Logger) *slog.Logger {
	return slog.New(warnings{l.Handler(), &quiet{until: map[string]time.Time{}}}).With("component", "river")
}

type warnings struct {
	slog.Handler
	quiet *quiet
}

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

// Handle makes one warning a minute of what a part of River has to say of a locked database. Somebody
// else's lock passes, and every part tries again.
func (w warnings) Handle(ctx context.Context, r slog.Record) error {
	if locked(r) {
		r.Level = slog.LevelWarn
		part, _, _ := strings.Cut(r.Message, ":")
		if !w.Enabled(ctx, r.Level) || w.quiet.about(part, r.Time) {
			return nil
		}
	}
	return w.Handler.Handle(ctx, r)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs), w.quiet}
}

func (w warnings) WithGroup(name string) slog.Handler {
	return warnings{w.Handler.WithGroup(name), w.quiet}
}

// locked reports whether a record tells of a lock, which River's own timeouts end in most parts before
// the database says so.
func locked(r slog.Record) (found bool) {
	r.Attrs(func(a slog.Attr) bool {
		text := a.Value.String()
		found = (a.Key == "err" || a.Key == "error") &&
			(strings.Contains(text, "database is locked") || strings.Contains(text, "context deadline exceeded"))
		return !found
	})
	return found
}

// quiet is how long nothing more is said about each part of River.
type quiet struct {
	mu    sync.Mutex
	until map[string]time.Time
}

// about reports whether a part is to be quiet at that time. If it is not, it is from then on.
func (q *quiet) about(part string, at time.Time) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if at.Before(q.until[part]) {
		return true
	}
	q.until[part] = at.Add(time.Minute)
	return false
}
