package boot

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"go.opentelemetry.io/otel/trace"
	"gopkg.in/natefinch/lumberjack.v2"
)

// LogConfig are the settings of the log.
type LogConfig struct {
	Dir   string     `env:"LOGS_DIR" envDefault:"logs" help:"folder of the rotated log files"`
	Level slog.Level `env:"LOG_LEVEL" envDefault:"INFO" help:"DEBUG, INFO, WARN or ERROR"`
}

// A file of the log is rotated at maxLogMegabytes; maxLogFiles old ones are kept, compressed.
const (
	maxLogMegabytes = 20
	maxLogFiles     = 5
)

// OpenLog returns the process's logger: JSON lines in LOGS_DIR/<process>.log, rotated, and on
// standard error the same lines, readable if that is a terminal. Close it last.
func OpenLog(c LogConfig, process string) (*slog.Logger, io.Closer, error) {
	if err := os.MkdirAll(c.Dir, 0o755); err != nil {
		return nil, nil, fmt.Errorf("LOGS_DIR: %w", err)
	}
	path := filepath.Join(c.Dir, process+".log")
	// Opened once here, so that a folder that can't be written to is told at the start.
	probe, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o640)
	if err != nil {
		return nil, nil, fmt.Errorf("LOGS_DIR: %w", err)
	}
	if err := probe.Close(); err != nil {
		return nil, nil, fmt.Errorf("LOGS_DIR: %w", err)
	}
	file := &lumberjack.Logger{Filename: path, MaxSize: maxLogMegabytes, MaxBackups: maxLogFiles, Compress: true}
	options := &slog.HandlerOptions{Level: c.Level}
	handler := slog.NewMultiHandler(slog.NewJSONHandler(file, options), consoleHandler(os.Stderr, options))
	return slog.New(traceHandler{handler}).With("process", process), file, nil
}

// traceHandler gives each line that is logged with the context of a span its trace_id and span_id.
type traceHandler struct{ slog.Handler }

// Handle implements slog.Handler.
func (h traceHandler) Handle(ctx context.Context, r slog.Record) error {
	if sc := trace.SpanContextFromContext(ctx); sc.IsValid() {
		r.AddAttrs(slog.String("trace_id", sc.TraceID().String()), slog.String("span_id", sc.SpanID().String()))
	}
	return h.Handler.Handle(ctx, r)
}

// WithAttrs implements slog.Handler.
func (h traceHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return traceHandler{h.Handler.WithAttrs(attrs)}
}

// WithGroup implements slog.Handler.
func (h traceHandler) WithGroup(name string) slog.Handler {
	return traceHandler{h.Handler.WithGroup(name)}
}

func consoleHandler(f *os.File, o *slog.HandlerOptions) slog.Handler {
	if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
		return slog.NewTextHandler(f, o)
	}
	return slog.NewJSONHandler(f, o)
}
