package kuma

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

const pushPath = "/api/push/a-token-of-a-push"

// pushBundle is a Pusher that runs, and the server that it tells.
type pushBundle struct {
	*Pusher
	got     chan url.Values // the pushes, in order
	answers chan string     // what each is answered
	log     *bytes.Buffer   // to be read after stop
	stop    func()
}

func pushSetup(t *testing.T, timeout time.Duration) pushBundle {
	t.Helper()
	b := pushBundle{got: make(chan url.Values), answers: make(chan string), log: &bytes.Buffer{}}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != pushPath {
			t.Errorf("pushed to %s", r.URL.Path)
		}
		b.got <- r.URL.Query()
		select {
		case answer := <-b.answers:
			if !strings.Contains(answer, "true") {
				w.WriteHeader(http.StatusNotFound)
			}
			fmt.Fprint(w, answer)
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	var err error
	b.Pusher, err = NewPusher(PusherOptions{URL: server.URL + pushPath, Timeout: timeout, Logger: slog.New(slog.NewTextHandler(b.log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	b.stop = func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run ends with %v", err)
		}
		done <- nil
	}
	t.Cleanup(b.stop)
	return b
}

const (
	taken   = `{"ok":true}`
	unknown = `{"ok":false,"msg":"Monitor not found or not active."}`
)

func TestPush(t *testing.T) {
	t.Parallel()
	b := pushSetup(t, 0)
	b.Push("no drift, model v1", 1234567*time.Microsecond)
	want := url.Values{"status": {"up"}, "msg": {"no drift, model v1"}, "ping": {"1234"}}
	if diff := cmp.Diff(want, <-b.got); diff != "" {
		t.Error(diff)
	}
	// Meanwhile nobody waits, and the latest is what counts.
	b.Push("second", 0)
	b.Push("third", 0)
	b.answers <- taken
	if got := <-b.got; got.Get("msg") != "third" || got.Get("ping") != "1" {
		t.Errorf("got %v, want the third at 1 ms", got)
	}
	b.answers <- taken
	b.stop()
	if b.log.Len() > 0 {
		t.Errorf("logged: %s", b.log)
	}
}

// TestPushFails: failures are counted, the first and the end of them are logged, and the token is not.
func TestPushFails(t *testing.T) {
	t.Parallel()
	b := pushSetup(t, 0)
	for _, answer := range []string{taken, unknown, unknown, "<html>", taken, unknown, taken} {
		b.Push("a check", time.Second)
		<-b.got
		b.answers <- answer
	}
	b.Push("the last", time.Second)
	<-b.got // the one before is accounted for now
	b.stop()
	if n := testutil.ToFloat64(b.pushes.WithLabelValues(outcomeFailed)); n != 4 {
		t.Errorf("%g failures are counted, want 4", n)
	}
	if n := testutil.ToFloat64(b.pushes.WithLabelValues(outcomeOK)); n != 3 {
		t.Errorf("%g pushes are counted, want 3", n)
	}
	log := b.log.String()
	if warned, over := strings.Count(log, "level=WARN"), strings.Count(log, "told of the checks again"); warned != 2 || over != 2 {
		t.Errorf("%d warnings and %d ends, want 2 of each:\n%s", warned, over, log)
	}
	if !strings.Contains(log, "Monitor not found") || strings.Contains(log, "a-token") {
		t.Errorf("the log must say why, without the token:\n%s", log)
	}
}

func TestPushEndsInTime(t *testing.T) {
	t.Parallel()
	b := pushSetup(t, 20*time.Millisecond)
	b.Push("the server is silent", 0)
	<-b.got
	b.Push("the next", 0)
	<-b.got // so the first has ended
	b.stop()
	if log := b.log.String(); !strings.Contains(log, "deadline exceeded") || strings.Contains(log, "a-token") {
		t.Errorf("the log must say that time ran out, without the token:\n%s", log)
	}
}

func TestPushNobodyThere(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	p, err := NewPusher(PusherOptions{URL: gone.URL + pushPath})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.send(t.Context(), beat{}); err == nil || strings.Contains(err.Error(), "a-token") {
		t.Errorf("got %v, want an error without the token", err)
	}
	if _, err := NewPusher(PusherOptions{URL: "a-token"}); err == nil || strings.Contains(err.Error(), "a-token") {
		t.Errorf("got %v, want an error without the token", err)
	}
}
