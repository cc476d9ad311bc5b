package prefect

import (
	"context"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/prefect/prefecttest"
)

// bench is a server and workers in virtual time.
type bench struct {
	*prefecttest.Server
	t *testing.T
	// transport leads to the server, directly if nil.
	transport http.RoundTripper

	mu     sync.Mutex
	asked  []Request
	owed   []flowrun.Run
	note   string
	locals int             // how many local checks go on
	dead   map[string]bool // identities
	// unknown is why nobody can tell who lives.
	unknown error
}

// inBench runs a test in virtual time. Everything has ended when f has.
func inBench(t *testing.T, f func(*bench)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) { f(&bench{Server: prefecttest.New(), t: t, dead: map[string]bool{}}) })
}

const interval = 30 * time.Second

// runner starts a worker, and gives what ends it.
func (b *bench) runner(identity string, check func(context.Context, *flowrun.Recorder) error) (*Runner, func()) {
	b.t.Helper()
	transport := b.transport
	if transport == nil {
		transport = b.Server
	}
	r, err := NewRunner(RunnerOptions{
		Client: client(b.t, Options{Transport: transport}), Interval: interval, Identity: identity,
		Alive: func(id string) (bool, error) { return !b.dead[id], b.unknown },
		Check: func(ctx context.Context, r Request, rec *flowrun.Recorder) error {
			b.mu.Lock()
			b.asked = append(b.asked, r)
			b.mu.Unlock()
			return check(ctx, rec)
		},
		Local: func(ctx context.Context, enough <-chan struct{}) error {
			b.add(1)
			defer b.add(-1)
			select {
			case <-ctx.Done():
			case <-enough:
			}
			return nil
		},
		Note: func(text string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.note = text
		},
		Owe: func(_ context.Context, run flowrun.Run) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.owed = append(b.owed, run)
			return nil
		},
		Logger: slog.New(slog.NewTextHandler(b.t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})),
	})
	if err != nil {
		b.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(b.t.Context())
	done := make(chan struct{})
	go func() { defer close(done); _ = r.Run(ctx) }()
	return r, func() { cancel(); <-done }
}

func (b *bench) add(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.locals += n
}

// passes lets virtual time pass.
func (b *bench) passes(d time.Duration) { sleep(b.t.Context(), d); synctest.Wait() }

// scheduled adds a run of the schedule, due from now.
func (b *bench) scheduled(in time.Duration) string {
	due := time.Now().Add(in)
	return b.Add(prefecttest.Run{Name: due.Format(time.TimeOnly), AutoScheduled: true, Expected: due})
}

func (b *bench) is(id, name, message string) {
	b.t.Helper()
	if got := b.Run(id).State; got.Name != name || !strings.Contains(got.Message, message) {
		b.t.Errorf("the run is %s (%q), want %s (%q)", got.Name, got.Message, name, message)
	}
}

func (b *bench) requests() []Request {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.asked)
}

func (b *bench) debts() []flowrun.Run {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.owed)
}

func (b *bench) local() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.locals
}

func (b *bench) noted() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.note
}

var away = func(*http.Request) *prefecttest.Fault { return &prefecttest.Fault{Refuse: true} }
