package reach

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestAsk(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/broken":
			w.WriteHeader(503)
		case "/elsewhere":
			w.WriteHeader(404)
		case "/login":
			w.WriteHeader(401)
		}
	}))
	t.Cleanup(server.Close)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	secret := strings.Replace(gone.URL, "http://", "http://user:secret@", 1)
	states := Ask(t.Context(), server.Client(), []Target{
		{"up", server.URL}, {"broken", server.URL + "/broken"}, {"elsewhere", server.URL + "/elsewhere"}, {"login", server.URL + "/login"}, {"gone", secret},
	})
	for i, want := range []string{"", "part.answers 503", "part.answers 404", "", "part.unreachable"} {
		if s := states[i]; strings.TrimSuffix(fmt.Sprintf("%s %d", s.Problem, s.Answer), " 0") != want || s.Latency <= 0 || s.At.IsZero() {
			t.Errorf("%s: %+v, want the problem %q", s.Name, s, want)
		}
	}
}

// A service that hangs keeps nobody waiting for longer than the context.
func TestAskEnds(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	if s := Ask(ctx, server.Client(), []Target{{"hangs", server.URL}}); s[0].Problem == "" {
		t.Errorf("%+v", s)
	}
}
