package apiserver

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"

	"iacontinu/internal/api"
)

func TestClientOf(t *testing.T) {
	t.Parallel()
	s := &Server{opt: Options{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("10.0.0.0/8")}}}
	for _, tt := range []struct {
		name, peer, want string
		forwarded        []string
	}{
		{"a client itself", "127.0.0.1:5000", "127.0.0.1:5000", nil},
		{"a stranger who makes it up", "192.0.2.1:5000", "192.0.2.1:5000", []string{"198.51.100.7"}},
		{"the pages", "127.0.0.1:5000", "198.51.100.7", []string{"198.51.100.7"}},
		{"the pages behind a proxy", "127.0.0.1:5000", "198.51.100.7", []string{"203.0.113.9, 198.51.100.7, 10.1.2.3"}},
		{"in headers of their own", "127.0.0.1:5000", "198.51.100.7", []string{"203.0.113.9", "198.51.100.7", "10.1.2.3"}},
		{"nonsense", "127.0.0.1:5000", "10.1.2.3", []string{"unknown, 10.1.2.3"}},
		{"IPv6", "[::ffff:127.0.0.1]:5000", "2001:db8::1", []string{"2001:db8::1"}},
	} {
		r := httptest.NewRequest(http.MethodPost, api.PathLogin, nil)
		r.RemoteAddr = tt.peer
		for _, f := range tt.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		if got := s.clientOf(r); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Who tries passwords by the web pages keeps nobody else there from logging in.
func TestLoginsAreCountedByClientBehindAProxy(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *world, o *Options) {
		o.UserLogins, o.AddressLogins, o.TrustedProxies = 2, 2, []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}
	})
	login := func(from, password string) int {
		t.Helper()
		c, err := api.New(b.server.URL(), api.Options{ForwardedFor: from})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Login(t.Context(), "admin", password)
		if p := api.AsProblem(err); p != nil {
			return p.Status
		}
		return http.StatusOK
	}
	for range 3 {
		login("192.0.2.66", "guess")
	}
	if status := login("192.0.2.66", "guess"); status != http.StatusTooManyRequests {
		t.Errorf("the one who guesses gets %d", status)
	}
	if status := login("192.0.2.1", "guess"); status == http.StatusTooManyRequests {
		t.Error("another one is held up too")
	}
}
