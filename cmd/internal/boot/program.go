package boot

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"syscall"
	"time"
)

// Both are set by the linker: -X iacontinu/cmd/internal/boot.version=...
var (
	version  = ""
	revision = "" // where Go can't see the repository, as in a container
)

// Version is the version of this build.
func Version() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" && info.Main.Version != "(devel)" {
		return info.Main.Version
	}
	return "dev"
}

// Revision is the commit that this build was made of, empty if it is not known.
func Revision() string {
	if revision != "" {
		return revision
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return ""
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			return s.Value
		}
	}
	return ""
}

// stopTimeout bounds the ordered stop, so that the process is gone 10 s after SIGTERM. Its parts stop
// side by side within 8 s, and what they share is closed after them.
const stopTimeout = 9 * time.Second

// ballastSize is what the garbage collector sees on top of a heap of a few megabytes, which it would
// otherwise collect thirty times a second under load. Memory that nobody writes to is never resident,
// and a large heap, as a training has, hardly notices it, unlike a larger GOGC.
const ballastSize = 16 << 20

// Exit codes of every process.
const (
	ExitOK    = 0
	ExitError = 1 // it failed at work
	ExitUsage = 2 // it was asked wrongly: a flag, an argument, a setting
)

// Program is one long-running process.
type Program struct {
	Name    string // of the process: in logs and metrics
	Command string // as typed, if that is more than the name
	Summary string // one sentence for --help
	Config  any    // pointer to the struct that the environment fills
	Log     func() LogConfig
	// Run works until ctx ends and then stops in order.
	Run func(ctx context.Context, log *slog.Logger) error
	// Healthcheck, if set, answers --healthcheck: nil when the running process is well.
	Healthcheck func(ctx context.Context) error
}

// Main runs the program with the arguments after its name and returns its exit code.
func (p Program) Main(args, environ []string, stdout, stderr io.Writer) int {
	p.Command = cmp.Or(p.Command, p.Name)
	flags := flag.NewFlagSet(p.Command, flag.ContinueOnError)
	flags.SetOutput(io.Discard) // what is wrong is said below, in one line
	showVersion := flags.Bool("version", false, "print the version and exit")
	healthcheck := false
	if p.Healthcheck != nil {
		flags.BoolVar(&healthcheck, "healthcheck", false, "ask the running process whether it is well; exit 0 if so")
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			p.usage(stdout)
			return ExitOK
		}
		fmt.Fprintf(stderr, "%s: %v; see %s --help\n", p.Command, err, p.Command)
		return ExitUsage
	}
	if *showVersion {
		fmt.Fprintln(stdout, p.Name, Version())
		return ExitOK
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "%s: unexpected argument %q; settings come from the environment, see %s --help\n", p.Command, flags.Arg(0), p.Command)
		return ExitUsage
	}
	if err := Load(p.Config, environ); err != nil {
		fmt.Fprintf(stderr, "%s: settings are wrong:\n%v\nsee %s --help\n", p.Command, err, p.Command)
		return ExitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if healthcheck {
		return report(stderr, p.Name, p.Healthcheck(ctx))
	}
	return p.run(ctx, stop, stderr)
}

func (p Program) run(ctx context.Context, stop context.CancelFunc, stderr io.Writer) int {
	log, closer, err := OpenLog(p.Log(), p.Name)
	if err != nil {
		return report(stderr, p.Name, err)
	}
	// After the first signal a second one ends the process at once.
	context.AfterFunc(ctx, stop)
	log.Info("starting", "version", Version(), "settings", Masked(p.Config))
	ballast := make([]byte, ballastSize)
	err = bounded(ctx, stopTimeout, func() error { return p.Run(ctx, log) })
	runtime.KeepAlive(ballast)
	switch {
	case err == nil:
		log.Info("stopped")
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		log.Info("stopped while starting", "at", err)
		err = nil
	default:
		log.Error("stopped by an error", "error", err)
	}
	if closeErr := closer.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	if err != nil {
		return ExitError
	}
	return ExitOK
}

// bounded runs a program and waits for it: when ctx has ended, no longer than limit. A write that waits
// for another process's lock can't be called off; the process then ends without it, for nothing that
// it waits for was acknowledged.
func bounded(ctx context.Context, limit time.Duration, run func() error) error {
	done := make(chan error, 1)
	go func() { done <- run() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(limit):
		return fmt.Errorf("the ordered stop has not ended after %v: what still waited was given up", limit)
	}
}

func (p Program) usage(w io.Writer) {
	fmt.Fprintf(w, "%s: %s\n\nUsage: %s [--help] [--version]", p.Command, p.Summary, p.Command)
	if p.Healthcheck != nil {
		fmt.Fprint(w, " [--healthcheck]")
	}
	fmt.Fprint(w, "\n\nSettings (environment, default, meaning; NAME_FILE reads a secret from a file):\n")
	PrintSettings(w, p.Config)
}

func report(stderr io.Writer, name string, err error) int {
	if err == nil {
		return ExitOK
	}
	fmt.Fprintf(stderr, "%s: %v\n", name, err)
	return ExitError
}
