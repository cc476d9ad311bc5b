package discordtest

import "net/http/httptest"

// tb is the part of testing.TB that a server needs, so that programs which use the handler do not
// link the testing package.
type tb interface {
	Helper()
	Cleanup(f func())
}

// Server is a Handler that listens on a port of its own.
type Server struct {
	*Handler
	// WebhookURL is where to send to.
	WebhookURL string
}

// NewServer starts a webhook that the end of the test stops.
func NewServer(t tb, o Options) *Server {
	t.Helper()
	h := NewHandler(o)
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &Server{Handler: h, WebhookURL: s.URL + h.Path()}
}
