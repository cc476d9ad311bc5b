package discord

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/discord/discordtest"
	"iacontinu/internal/ml"
)

const (
	secretID    = "7340921"
	secretToken = "s3cret-T0ken_x"
)

// testBundle is a client and all that it logs.
type testBundle struct {
	c   *Client
	log *bytes.Buffer
}

func setup(t *testing.T, url string) *testBundle {
	t.Helper()
	log := &bytes.Buffer{}
	c, err := New(Options{
		WebhookURL: url,
		Logger:     slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Registerer: prometheus.NewRegistry(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &testBundle{c: c, log: log}
}

func event() ml.Event {
	return ml.Event{
		Topic: ml.EventModel, State: "v1", Severity: ml.SeveritySuccess,
		Title: "A new version serves", Text: "v1 replaces v0.",
		Fields: []ml.EventField{{Name: "Accuracy", Value: "0.961"}, {Name: "Why", Value: ""}},
		Footer: "IA Continu · model",
		At:     time.Date(2026, 11, 3, 12, 30, 15, 250e6, time.UTC),
	}
}

// send sends and returns the error as its callers see it.
func (b *testBundle) send(t *testing.T) (retryAfter time.Duration, permanent bool, err error) {
	t.Helper()
	err = b.c.Send(t.Context(), event())
	var e interface {
		RetryAfter() time.Duration
		Permanent() bool
	}
	if errors.As(err, &e) {
		return e.RetryAfter(), e.Permanent(), err
	}
	return 0, false, err
}

// assertSecret fails if any part of the webhook's address that lets one write is in the text.
func assertSecret(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		for _, secret := range []string{secretToken, secretID, "api/webhooks"} {
			if strings.Contains(text, secret) {
				t.Errorf("%q tells %q", text, secret)
			}
		}
	}
}

func TestSend(t *testing.T) {
	t.Parallel()
	for name, query := range map[string]string{"204": "", "200": "?wait=true"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := discordtest.NewServer(t, discordtest.Options{ID: secretID, Token: secretToken})
			b := setup(t, server.WebhookURL+query)
			if _, _, err := b.send(t); err != nil {
				t.Fatal(err)
			}
			if n := len(server.Payloads()); n != 1 {
				t.Fatalf("%d messages arrived, want 1", n)
			}
			if n := testutil.ToFloat64(b.c.metrics.messages.WithLabelValues(outcomeSent)); n != 1 {
				t.Errorf("%v counted as sent, want 1", n)
			}
		})
	}
}

// answering is a webhook that answers one thing. The body may quote the path, as a proxy's page does.
func answering(t *testing.T, status int, body string, header map[string]string) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for k, v := range header {
			w.Header().Set(k, v)
		}
		w.WriteHeader(status)
		fmt.Fprint(w, strings.ReplaceAll(body, "PATH", r.URL.Path))
	}))
	t.Cleanup(s.Close)
	return s.URL + "/api/webhooks/" + secretID + "/" + secretToken
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name       string
		status     int
		body       string
		header     map[string]string
		retryAfter time.Duration
		permanent  bool
		says       string
	}{
		{name: "rate limit", status: 429, body: `{"message":"slow","retry_after":1.337,"global":false}`, header: map[string]string{"Retry-After": "2"}, retryAfter: 1337 * time.Millisecond, says: "rate limited"},
		{name: "rate limit of all", status: 429, body: `{"retry_after":64.57,"global":true}`, retryAfter: 64570 * time.Millisecond},
		{name: "rate limit by header", status: 429, body: `<html>PATH`, header: map[string]string{"Retry-After": "7"}, retryAfter: 7 * time.Second},
		{name: "rate limit without a time", status: 429, retryAfter: defaultRetryAfter},
		{name: "rate limit for ever", status: 429, body: `{"retry_after":1e300}`, retryAfter: maxRetryAfter},
		{name: "server error", status: 500, body: "PATH", says: "500"},
		{name: "bad gateway", status: 502, body: "<html>PATH</html>", says: "502"},
		{name: "timeout", status: 408, says: "408"},
		{name: "wrong form", status: 400, body: `{"message":"Invalid Form Body at PATH","code":50035}`, permanent: true, says: "Invalid Form Body"},
		{name: "wrong token", status: 401, body: `{"message":"PATH"}`, permanent: true, says: "token"},
		{name: "forbidden", status: 403, permanent: true, says: "webhook is gone"},
		{name: "unknown webhook", status: 404, body: `{"message":"Unknown Webhook","code":10015}`, permanent: true, says: "webhook is gone"},
		{name: "too large", status: 413, body: "PATH is too large", permanent: true, says: "413"},
		{name: "redirect", status: 302, header: map[string]string{"Location": "http://127.0.0.1:1/" + secretToken}, permanent: true, says: "redirect"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t, answering(t, c.status, c.body, c.header))
			retryAfter, permanent, err := b.send(t)
			if err == nil {
				t.Fatal("no error")
			}
			if retryAfter != c.retryAfter || permanent != c.permanent {
				t.Errorf("retry after %s permanent %t, want %s %t", retryAfter, permanent, c.retryAfter, c.permanent)
			}
			if !strings.Contains(err.Error(), c.says) {
				t.Errorf("%q does not say %q", err, c.says)
			}
			assertSecret(t, err.Error(), fmt.Sprintf("%+v", err), b.log.String())
		})
	}
}

// TestTheTokenAloneIsHidden: the token may be repeated without the path around it, as it is in the URL or decoded.
func TestTheTokenAloneIsHidden(t *testing.T) {
	t.Parallel()
	encoded := strings.Replace(secretToken, "-", "%2D", 1)
	for _, repeated := range []string{secretToken, encoded, secretID} {
		url := answering(t, http.StatusBadRequest, repeated+" is no webhook", nil)
		b := setup(t, strings.Replace(url, secretToken, encoded, 1))
		_, _, err := b.send(t)
		if err == nil || !strings.Contains(err.Error(), "[redacted] is no webhook") {
			t.Errorf("%s: error %v, want what was answered without it", repeated, err)
		}
	}
}

// transport is an http.RoundTripper that fails as it likes.
type transport func(*http.Request) error

func (f transport) RoundTrip(r *http.Request) (*http.Response, error) { return nil, f(r) }

// TestTheCauseOfAnErrorIsHiddenToo: what hides behind an error can be printed by whoever unwraps it.
func TestTheCauseOfAnErrorIsHiddenToo(t *testing.T) {
	t.Parallel()
	lost := errors.New("the way is lost")
	for name, c := range map[string]struct {
		fails error
		known bool
	}{
		"with the token": {fmt.Errorf("%w to %s", lost, secretToken), false},
		"without":        {lost, true},
	} {
		client := &http.Client{Transport: transport(func(*http.Request) error { return c.fails })}
		d, err := New(Options{WebhookURL: "https://discord.com/api/webhooks/" + secretID + "/" + secretToken, HTTPClient: client})
		if err != nil {
			t.Fatal(err)
		}
		err = d.Send(t.Context(), event())
		if err == nil || errors.Is(err, lost) != c.known {
			t.Errorf("%s: %v leads to its cause: %t, want %t", name, err, errors.Is(err, lost), c.known)
		}
		for ; err != nil; err = errors.Unwrap(err) {
			assertSecret(t, err.Error())
		}
	}
}

// While Discord asks to wait, it is not called.
func TestRateLimitHoldsAllMessages(t *testing.T) {
	t.Parallel()
	server := discordtest.NewServer(t, discordtest.Options{})
	b := setup(t, server.WebhookURL)
	now := time.Now()
	b.c.now = func() time.Time { return now }
	server.Fail(1, http.StatusTooManyRequests)
	retryAfter, _, _ := b.send(t)
	if retryAfter <= 0 {
		t.Fatal("not told to wait")
	}
	now = now.Add(retryAfter / 2)
	if left, _, err := b.send(t); err == nil || left <= 0 || left >= retryAfter {
		t.Errorf("half-way: error %v, %s left of %s", err, left, retryAfter)
	}
	if n := server.Calls(); n != 1 {
		t.Errorf("Discord was called %d times, want once", n)
	}
	now = now.Add(retryAfter)
	if _, _, err := b.send(t); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// The last call of a window says so, and the next one waits without being told by a 429.
func TestSpentWindowHolds(t *testing.T) {
	t.Parallel()
	server := discordtest.NewServer(t, discordtest.Options{Burst: 2, Window: time.Minute})
	b := setup(t, server.WebhookURL)
	for range 2 {
		if _, _, err := b.send(t); err != nil {
			t.Fatal(err)
		}
	}
	if wait, _, err := b.send(t); err == nil || wait <= 0 || wait > time.Minute {
		t.Errorf("third message: error %v, wait %s", err, wait)
	}
	if n := server.Calls(); n != 2 {
		t.Errorf("Discord was called %d times, want 2", n)
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	var lc net.ListenConfig
	l, err := lc.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	_ = l.Close()
	for _, url := range []string{
		"http://" + addr + "/api/webhooks/" + secretID + "/" + secretToken,
		"http://no-such-host.invalid/api/webhooks/" + secretID + "/" + secretToken,
	} {
		b := setup(t, url)
		retryAfter, permanent, err := b.send(t)
		if err == nil || retryAfter != 0 || permanent {
			t.Errorf("error %v retry after %s permanent %t, want a temporary one", err, retryAfter, permanent)
			continue
		}
		assertSecret(t, err.Error(), fmt.Sprintf("%+v", err), b.log.String())
		for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(cause) {
			assertSecret(t, cause.Error())
		}
	}
}

func TestSlowWebhookTimesOut(t *testing.T) {
	t.Parallel()
	arrived := make(chan struct{}, 1)
	hang := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		arrived <- struct{}{}
		<-hang
	}))
	t.Cleanup(s.Close)
	t.Cleanup(func() { close(hang) })
	c, err := New(Options{WebhookURL: s.URL + "/" + secretToken, HTTPClient: &http.Client{Timeout: 50 * time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Send(t.Context(), event())
	<-arrived
	var e *Error
	if !errors.As(err, &e) || e.Permanent() {
		t.Fatalf("got %v, want a temporary error", err)
	}
	assertSecret(t, err.Error())
}

func TestStopIsSeenThroughTheError(t *testing.T) {
	t.Parallel()
	server := discordtest.NewServer(t, discordtest.Options{})
	b := setup(t, server.WebhookURL)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := b.c.Send(ctx, event()); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want context.Canceled in its chain", err)
	}
}

func TestBadURLIsRefusedWithoutQuotingIt(t *testing.T) {
	t.Parallel()
	for _, u := range []string{
		"", "discord.com/api/webhooks/" + secretID + "/" + secretToken,
		"ftp://discord.com/api/webhooks/" + secretID + "/" + secretToken,
		"https:///api/webhooks/" + secretID + "/" + secretToken,
		"https://discord.com:port/api/webhooks/" + secretID + "/" + secretToken,
		"https://discord.com/api/webhooks/" + secretID + "/" + secretToken + "%zz",
		"https://discord.com/api/webhooks/" + secretID + "/" + secretToken + "\x7f",
	} {
		_, err := New(Options{WebhookURL: u})
		if err == nil {
			t.Errorf("%q was accepted", u)
			continue
		}
		assertSecret(t, err.Error())
	}
}
