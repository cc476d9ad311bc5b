package prefect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/prefect/prefecttest"
)

func TestADeletedDeploymentIsMadeAnewAndChecksGoOn(t *testing.T) {
	inBench(t, func(b *bench) {
		r, stop := b.runner("a", steps)
		defer stop()
		first := b.scheduled(10 * time.Second)
		b.passes(12 * time.Second)
		b.is(first, "Completed", "")
		b.DeleteDeployment() // polls answer with nothing, and well
		b.passes(2*interval + patience + 5*time.Second)
		if n := b.Count("POST /api/deployments/"); n != 2 {
			t.Errorf("the deployment was made %d times", n)
		}
		if r.Mode() != LocalMode || b.local() != 1 || b.noted() != "part.without_prefect" {
			t.Errorf("mode %s, %d local, noted %q", r.Mode(), b.local(), b.noted())
		}
		again := b.scheduled(10 * time.Second)
		b.passes(5 * time.Second)
		if r.Mode() != LocalMode {
			t.Error("it relies on the server before a run is begun")
		}
		b.passes(7 * time.Second)
		b.is(again, "Completed", "")
		if r.Mode() != ServerMode || b.local() != 0 || b.noted() != "" {
			t.Errorf("mode %s, %d local, noted %q", r.Mode(), b.local(), b.noted())
		}
	})
}

func TestAPauseIsNoOutage(t *testing.T) {
	inBench(t, func(b *bench) {
		r, stop := b.runner("a", steps)
		defer stop()
		b.passes(time.Second)
		b.Pause(true)
		b.passes(10 * interval)
		if r.Mode() != ServerMode || b.noted() != "part.prefect_paused" {
			t.Errorf("mode %s, noted %q", r.Mode(), b.noted())
		}
		b.SetFault(away)
		b.passes(5 * interval)
		if r.Mode() != ServerMode {
			t.Error("an outage ended the pause")
		}
		b.SetFault(nil)
		b.Pause(false)
		id := b.scheduled(interval)
		b.passes(interval + 2*time.Second)
		b.is(id, "Completed", "")
		if r.Mode() != ServerMode || b.noted() != "" {
			t.Errorf("mode %s, noted %q", r.Mode(), b.noted())
		}
	})
}

// pausing pauses the deployment in the moment in which a run is claimed, which deletes it.
type pausing struct{ *prefecttest.Server }

func (p *pausing) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/bulk_set_state") {
		p.Pause(true)
		p.Forget()
	}
	return p.Server.RoundTrip(r)
}

func TestAPauseBeforeAClaimIsNoOutage(t *testing.T) {
	inBench(t, func(b *bench) {
		b.transport = &pausing{b.Server}
		r, stop := b.runner("a", steps)
		defer stop()
		b.scheduled(interval)
		for range 10 {
			b.passes(interval)
			if err := r.claimTrouble(); err != nil || r.Mode() != ServerMode || b.local() != 0 {
				t.Fatalf("mode %s, %d local, taken for trouble: %v", r.Mode(), b.local(), err)
			}
		}
		if b.Count("/bulk_set_state") == 0 || b.noted() != "part.prefect_paused" {
			t.Errorf("%d claims, noted %q", b.Count("/bulk_set_state"), b.noted())
		}
	})
}

// closed gives the pool or the queue, by the end of its path, a limit of no runs at all.
type closed struct {
	*prefecttest.Server
	on   atomic.Bool
	path string
}

func (c *closed) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.on.Load() && r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, c.path) {
		return reply{200, `{"is_paused":false,"concurrency_limit":0}`, ""}.response(), nil
	}
	return c.Server.RoundTrip(r)
}

func TestALimitOfNoRunsIsAPause(t *testing.T) {
	for what, path := range map[string]string{"pool": "/work_pools/" + defaultPool, "queue": "/queues/default"} {
		t.Run(what, func(t *testing.T) {
			inBench(t, func(b *bench) {
				c := &closed{Server: b.Server, path: path}
				b.transport = c
				r, stop := b.runner("a", steps)
				defer stop()
				b.passes(time.Second)
				c.on.Store(true)
				b.passes(10 * interval)
				if r.Mode() != ServerMode || b.local() != 0 || b.noted() != "part.prefect_paused" {
					t.Errorf("mode %s, %d local, noted %q", r.Mode(), b.local(), b.noted())
				}
			})
		})
	}
}

func TestASchedulerThatStandsStillIsAnOutage(t *testing.T) {
	inBench(t, func(b *bench) {
		r, stop := b.runner("a", steps)
		defer stop()
		b.passes(2*interval + patience - 2*time.Second)
		if r.Mode() != ServerMode {
			t.Error("the server was given no time")
		}
		b.passes(4 * time.Second)
		if r.Mode() != LocalMode {
			t.Errorf("mode %s though no run comes", r.Mode())
		}
	})
}

func TestARunThatTakesLongIsNoOutage(t *testing.T) {
	inBench(t, func(b *bench) {
		r, stop := b.runner("a", func(ctx context.Context, _ *flowrun.Recorder) error {
			sleep(ctx, 5*interval)
			return nil
		})
		defer stop()
		b.Add(prefecttest.Run{})
		b.passes(4 * interval)
		if r.Mode() != ServerMode {
			t.Errorf("mode %s while a run goes on", r.Mode())
		}
		b.passes(2 * interval)
		if r.Mode() != ServerMode {
			t.Errorf("mode %s after it", r.Mode())
		}
	})
}

func TestAnotherReplicasChecksAreASign(t *testing.T) {
	inBench(t, func(b *bench) {
		a, stopA := b.runner("a", steps)
		defer stopA()
		b.transport = slow{b.Server, claims, 100 * time.Millisecond}
		c, stopC := b.runner("c", steps) // it never is the first
		defer stopC()
		for range 6 {
			b.scheduled(interval)
			b.passes(interval)
		}
		if n := len(b.requests()); n != 5 && n != 6 || a.Mode() != ServerMode || c.Mode() != ServerMode {
			t.Errorf("%d checks, modes %s and %s", n, a.Mode(), c.Mode())
		}
	})
}

// answering gives claims an answer of its own.
type answering struct {
	*prefecttest.Server
	claims string
}

func (s answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/bulk_set_state") {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err != nil || bytes.Contains(body, []byte(`"PENDING"`)) {
			return reply{200, s.claims, ""}.response(), err
		}
	}
	return s.Server.RoundTrip(r)
}

func TestAServerThatLetsNothingBeginIsAway(t *testing.T) {
	for name, claims := range map[string]string{
		"no results":         `{"results":[]}`,
		"no word of Prefect": `{"results":[{"status":"ok"}]}`,
		"wait":               `{"results":[{"status":"WAIT","state":null,"details":{"delay_seconds":1e6,"reason":"no slot"}}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			inBench(t, func(b *bench) {
				b.transport = answering{b.Server, claims}
				late := b.scheduled(-2 * interval)
				newest := b.scheduled(-time.Second)
				r, stop := b.runner("a", steps)
				defer stop()
				b.passes(2*interval + 2*probeEvery)
				if r.Mode() != LocalMode || b.local() != 1 {
					t.Errorf("mode %s, %d local", r.Mode(), b.local())
				}
				b.is(newest, "Scheduled", "")
				b.is(late, "Scheduled", "") // nothing has replaced it
				if n := b.Count("/bulk_set_state") + b.Count("/get_scheduled"); n == 0 || len(b.requests()) != 0 {
					t.Errorf("%d checks", len(b.requests()))
				}
			})
		})
	}
}

func TestAWaitIsBounded(t *testing.T) {
	inBench(t, func(b *bench) {
		c := client(t, Options{Transport: &answers{list: []reply{{422, "", ""}, {200, `{"status":"WAIT","details":{"delay_seconds":1e6}}`, ""}}}})
		start := time.Now()
		v, err := c.propose(b.t.Context(), "x", proposal{Type: typeRunning})
		if took := time.Since(start); err != nil || v.Status != waiting || took > time.Minute {
			t.Errorf("%q after %s, error %v", v.Status, took, err)
		}
	})
}

func TestAProposalThatArrivedIsNotRefused(t *testing.T) {
	inBench(t, func(b *bench) {
		id, lost := b.Add(prefecttest.Run{}), false
		b.SetFault(func(r *http.Request) *prefecttest.Fault {
			if !lost && strings.HasSuffix(r.URL.Path, "/set_state") {
				lost = true
				return &prefecttest.Fault{Lost: true}
			}
			return nil
		})
		v, err := client(t, Options{Transport: b.Server}).propose(b.t.Context(), id, proposal{Type: typePending, Name: "Pending", Transition: "one"})
		if err != nil || !v.accepted() || !lost {
			t.Errorf("verdict %+v, error %v", v, err)
		}
	})
}

func TestWhoCannotBeAskedForIsNotDead(t *testing.T) {
	inBench(t, func(b *bench) {
		b.unknown = errors.New("the folder can't be read")
		b.dead["b"] = true // so it would say, without the error
		running := b.Add(prefecttest.Run{PID: "ia-continu:b", State: prefecttest.State{Type: typeRunning, Name: "Running"}})
		cancelling := b.Add(prefecttest.Run{PID: "ia-continu:b", State: prefecttest.State{Type: typeCancelling, Name: "Cancelling"}})
		_, stop := b.runner("a", steps)
		defer stop()
		b.passes(3 * sweepEvery)
		b.is(running, "Running", "")
		b.is(cancelling, "Cancelling", "")
	})
}

func TestARunThatAnotherHasIsNotSkipped(t *testing.T) {
	inBench(t, func(b *bench) {
		r, err := NewRunner(working(client(t, Options{Transport: b.Server})))
		if err != nil {
			b.t.Fatal(err)
		}
		theirs, late := b.scheduled(-2*interval), b.scheduled(-interval)
		b.SetState(theirs, typeRunning, "Running") // since it was offered
		r.skip(b.t.Context(), []serverRun{{ID: theirs}, {ID: late}}, time.Now())
		b.is(theirs, "Running", "")
		b.is(late, "Skipped", "")
	})
}

// slow has what a request asks for done later.
type slow struct {
	http.RoundTripper
	when  func(r *http.Request, body string) bool
	delay time.Duration
}

func (s slow) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		if s.when(r, string(body)) {
			sleep(context.WithoutCancel(r.Context()), s.delay)
		}
	}
	answer, err := s.RoundTripper.RoundTrip(r)
	if err := r.Context().Err(); err != nil {
		return nil, err // as a connection does
	}
	return answer, err
}

func claims(r *http.Request, _ string) bool { return strings.HasSuffix(r.URL.Path, "/bulk_set_state") }

func TestNoHeartbeatFollowsTheEnd(t *testing.T) {
	inBench(t, func(b *bench) {
		b.transport = slow{b.Server, func(_ *http.Request, body string) bool { return strings.Contains(body, heartbeatEvent) }, time.Second}
		_, stop := b.runner("a", func(ctx context.Context, rec *flowrun.Recorder) error {
			sleep(ctx, 100*time.Millisecond)
			return steps(ctx, rec)
		})
		defer stop()
		id := b.Add(prefecttest.Run{})
		b.passes(5 * time.Second)
		b.is(id, "Completed", "")
		if n := b.Events(heartbeatEvent); n != 1 || b.Silent() != 0 {
			t.Errorf("%d heartbeats, %d after the end", n, b.Silent())
		}
	})
}

func TestAStopAmidAClaimHandsTheRunBack(t *testing.T) {
	inBench(t, func(b *bench) {
		b.transport = slow{b.Server, claims, time.Second}
		_, stop := b.runner("a", steps)
		id := b.scheduled(0)
		b.passes(500 * time.Millisecond)
		stop()
		b.is(id, "Scheduled", "handed back")
		if n := len(b.requests()); n != 0 {
			b.t.Fatalf("%d checks", n)
		}
		_, stop = b.runner("b", steps)
		defer stop()
		b.passes(5 * time.Second)
		b.is(id, "Completed", "")
	})
}

func TestStepsOfAnOrphanEndThoughTheServerFailsMeanwhile(t *testing.T) {
	inBench(t, func(b *bench) {
		_, stopGone := b.runner("gone", untilCancelled)
		id := b.Add(prefecttest.Run{})
		b.passes(5 * time.Second)
		b.dead["gone"] = true
		b.SetFault(away)
		stopGone()
		b.SetFault(func(r *http.Request) *prefecttest.Fault {
			if strings.HasSuffix(r.URL.Path, "/task_runs/filter") {
				return &prefecttest.Fault{Status: 500}
			}
			return nil
		})
		_, stop := b.runner("a", steps)
		defer stop()
		b.passes(5 * time.Second)
		b.SetFault(nil)
		b.passes(sweepEvery + time.Second)
		b.is(id, "Crashed", "")
		if got := b.Tasks(id)["wait"].State.Name; got != "Crashed" {
			t.Errorf("its step is %s", got)
		}
	})
}
