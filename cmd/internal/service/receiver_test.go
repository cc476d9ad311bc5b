package service

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/discord/discordtest"
	"iacontinu/internal/ml"
)

// TestHealthTellsOfADeadWebhook: what /health says of Discord is what became of the last message.
func TestHealthTellsOfADeadWebhook(t *testing.T) {
	t.Parallel()
	server := discordtest.NewServer(t, discordtest.Options{})
	dir := t.TempDir()
	p := openPlatform(t, dir) // as the API has it: the workers are others
	is := func(status, words string) {
		t.Helper()
		check := p.discordCheck(t.Context())
		if check.Status != status || !strings.Contains(check.Detail, words) {
			t.Errorf("%s, %q; want %s, %q", check.Status, check.Detail, status, words)
		}
		if strings.Contains(check.Detail, "://") || strings.Contains(check.Detail, "127.0.0.1") {
			t.Errorf("it tells an address: %q", check.Detail)
		}
	}
	told := 0
	start := func(ctx context.Context, webhook string, tells bool) {
		t.Helper()
		w, err := NewWorker(t.Context(), openPlatform(t, dir), WorkerSettings{DiscordURL: webhook}, Tracking{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		w.platform.startReceiver(t.Context(), w.webhook)
		if tells {
			told++
			_, err = w.notifier.Deliver(ctx, versionServes(told))
			t.Logf("message %d: %v", told, err)
		}
	}
	is(stateOff, "no worker has run")
	start(t.Context(), "", true)
	is(stateOff, "no webhook is set")
	start(t.Context(), server.WebhookURL, false)
	is(stateOK, "nothing was to be told yet")
	if err := p.Queue.EnqueueNotify(t.Context(), versionServes(0)); err != nil {
		t.Fatal(err)
	}
	finish(t, openPlatform(t, dir), server.WebhookURL)
	is(stateOK, "the last message was sent")
	server.Fail(1, http.StatusNotFound)
	start(t.Context(), server.WebhookURL, true)
	is(stateWarning, "Discord answered 404: the webhook is gone")
	start(t.Context(), server.WebhookURL, false)
	is(stateWarning, "404") // a restart mends nothing
	server.Fail(1, http.StatusTooManyRequests)
	start(t.Context(), server.WebhookURL, true)
	is(stateWarning, "404") // nor does being asked to wait
	start(t.Context(), server.WebhookURL, true)
	is(stateOK, "the last message was sent")

	refusing := httptest.NewServer(nil)
	refusing.Close()
	start(t.Context(), refusing.URL+"/api/webhooks/1/token", true)
	is(stateWarning, "can't be reached")
	start(t.Context(), server.WebhookURL, false)
	is(stateOK, "nothing was to be told yet") // of this webhook

	stopped, stop := context.WithCancel(t.Context())
	defer stop()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		stop()
		_, _ = io.Copy(io.Discard, r.Body) // only then is it seen that the client has gone
		<-r.Context().Done()
	}))
	defer slow.Close()
	start(stopped, slow.URL+"/api/webhooks/1/token", true)
	if stopped.Err() == nil {
		t.Error("nothing was sent")
	}
	is(stateOK, "nothing was to be told yet") // a worker that stops has seen nothing
}

func versionServes(n int) ml.Event {
	return ml.Event{Topic: ml.EventModel, State: strconv.Itoa(n), Severity: ml.SeveritySuccess, Title: "A new version serves", At: time.Now()}
}
