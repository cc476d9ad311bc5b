package boot

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func newAdmin(t *testing.T) *Admin {
	t.Helper()
	a, err := NewAdmin(t.Context(), AdminOptions{
		Setting: "ADMIN_PORT", Addr: "127.0.0.1:0", Gatherer: prometheus.NewRegistry(),
		Health: func(context.Context) error { return nil },
		Administrator: func(_ context.Context, token string) error {
			if token != "admin" {
				return errors.New("not an administrator's")
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.listener.Close() })
	return a
}

func TestProfilesAreGuarded(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	for _, tt := range []struct {
		name, from, header, value string
		want                      int
	}{
		{"this machine", "127.0.0.1:4711", "", "", http.StatusOK},
		{"this machine, IPv6", "[::1]:4711", "", "", http.StatusOK},
		{"another machine", "192.0.2.7:4711", "", "", http.StatusUnauthorized},
		{"another machine by a proxy here", "127.0.0.1:4711", "X-Forwarded-For", "192.0.2.7", http.StatusUnauthorized},
		{"the same by the other header", "127.0.0.1:4711", "Forwarded", "for=192.0.2.7", http.StatusUnauthorized},
		{"an administrator", "192.0.2.7:4711", "Authorization", "Bearer admin", http.StatusOK},
		{"a user", "192.0.2.7:4711", "Authorization", "Bearer user", http.StatusForbidden},
		{"another scheme", "192.0.2.7:4711", "Authorization", "Basic admin", http.StatusUnauthorized},
		{"no address", "@", "", "", http.StatusUnauthorized},
	} {
		for _, path := range []string{"/debug/pprof/", "/debug/pprof/heap?debug=1", "/debug/pprof/goroutine?debug=2", "/debug/pprof/profile?seconds=1", "/debug/pprof/trace?seconds=0.01"} {
			if tt.want == http.StatusOK && strings.Contains(path, "/profile") {
				continue // one CPU profile at a time: below
			}
			r := httptest.NewRequest(http.MethodGet, path, nil)
			r.RemoteAddr = tt.from
			if tt.header != "" {
				r.Header.Set(tt.header, tt.value)
			}
			w := httptest.NewRecorder()
			a.server.Handler.ServeHTTP(w, r)
			if w.Code != tt.want {
				t.Errorf("%s: %s answers %d, want %d", tt.name, path, w.Code, tt.want)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); (w.Code == http.StatusUnauthorized) != (challenge == "Bearer") {
				t.Errorf("%s: %d with the challenge %q", tt.name, w.Code, challenge)
			}
		}
	}
}

// A profile of the processor comes over the wire, and is one. The command line, which may hold secrets,
// is not told.
func TestAProfileCanBeTaken(t *testing.T) {
	t.Parallel()
	a := newAdmin(t)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx) }()
	get := func(path string) (int, string) {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+a.Addr().String()+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	if status, body := get("/debug/pprof/profile?seconds=1"); status != http.StatusOK || !strings.HasPrefix(body, "\x1f\x8b") {
		t.Errorf("the CPU profile: %d and %d bytes, want 200 and a gzip file", status, len(body))
	}
	if status, body := get("/debug/pprof/cmdline"); status != http.StatusNotFound {
		t.Errorf("the command line: %d %q, want 404", status, body)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
