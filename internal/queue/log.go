package queue

import (
	"context"
	"log/slog"
)

// riverLogger passes on River's warnings and errors only: what happens to each job is logged here
// once, with the words of this package.
func riverLogger(l *slog.Logger) *slog.Logger {
	return slog.New(warnings{l.Handler()}).With("component", "river")
}

type warnings struct{ slog.Handler }

func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}

func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
