// Package pagerdutytest is PagerDuty's Events API v2 for tests: it takes what PagerDuty takes, refuses what it refuses,
// and keeps the incidents that come of it. It imports nothing of the platform, so that it judges by PagerDuty's rules
// and not by ours. The platform has no client of its own: Alertmanager sends.
package pagerdutytest

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
)

// RoutingKey is the one that a Handler knows.
const RoutingKey = "R0123456789ABCDEF0123456789ABCDE"

const maxBody = 512 << 10

// Event is what was sent, as far as it is kept.
type Event struct {
	RoutingKey string `json:"routing_key"`
	Action     string `json:"event_action"`
	DedupKey   string `json:"dedup_key"`
	Client     string `json:"client"`
	ClientURL  string `json:"client_url"`
	Links      []Link `json:"links"`
	Payload    Detail `json:"payload"`
}

// Link is beside an incident.
type Link struct {
	Href string `json:"href"`
	Text string `json:"text"`
}

// Detail says what happened.
type Detail struct {
	Summary   string            `json:"summary"`
	Source    string            `json:"source"`
	Severity  string            `json:"severity"`
	Component string            `json:"component"`
	Group     string            `json:"group"`
	Class     string            `json:"class"`
	Custom    map[string]string `json:"custom_details"`
}

// Handler is the API. Its methods may be called while it serves.
type Handler struct {
	mu      sync.Mutex
	events  []Event
	refused []string
	news    chan struct{} // closed at each event, and made anew
}

// NewHandler returns an API that has seen nothing.
func NewHandler() *Handler { return &Handler{news: make(chan struct{})} }

// Path is where events are sent to.
func (h *Handler) Path() string { return "/v2/enqueue" }

// Events are those that were taken, oldest first.
func (h *Handler) Events() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.events)
}

// Refused says what was wrong with each event that was not taken.
func (h *Handler) Refused() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.refused)
}

// Wait returns when n events were taken in all.
func (h *Handler) Wait(ctx context.Context, n int) error {
	for {
		h.mu.Lock()
		got, news := len(h.events), h.news
		h.mu.Unlock()
		if got >= n {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		}
	}
}

// ServeHTTP implements http.Handler.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != h.Path():
		answer(w, http.StatusNotFound, "not found", nil, "")
		return
	case r.Method != http.MethodPost:
		answer(w, http.StatusMethodNotAllowed, "method not allowed", nil, "")
		return
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	if err != nil {
		return
	}
	event, problems := judge(r.Header.Get("Content-Type"), body)
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(problems) > 0 {
		h.refused = append(h.refused, problems...)
		answer(w, http.StatusBadRequest, "invalid event", problems, "")
		return
	}
	if event.DedupKey == "" {
		event.DedupKey = fmt.Sprintf("made-here-%d", len(h.events))
	}
	h.events = append(h.events, event)
	close(h.news)
	h.news = make(chan struct{})
	answer(w, http.StatusAccepted, "success", nil, event.DedupKey)
}

// judge reads an event and says what is wrong with it.
func judge(kind string, body []byte) (Event, []string) {
	var e Event
	if main, _, _ := strings.Cut(kind, ";"); main != "application/json" {
		return e, []string{"Content-Type must be application/json"}
	}
	if len(body) > maxBody {
		return e, []string{"event is larger than 512 KB"}
	}
	if err := json.Unmarshal(body, &e); err != nil {
		return e, []string{"body is not an event: " + err.Error()}
	}
	var problems []string
	want := func(ok bool, problem string) {
		if !ok {
			problems = append(problems, problem)
		}
	}
	want(len(e.RoutingKey) == 32, "'routing_key' must be 32 characters")
	want(e.RoutingKey == RoutingKey, "'routing_key' is of no integration")
	want(slices.Contains([]string{"trigger", "acknowledge", "resolve"}, e.Action), "'event_action' must be trigger, acknowledge or resolve")
	want(len(e.DedupKey) <= 255, "'dedup_key' is longer than 255 characters")
	want(e.Action == "trigger" || e.DedupKey != "", "'dedup_key' is missing")
	for _, l := range e.Links {
		want(strings.HasPrefix(l.Href, "http://") || strings.HasPrefix(l.Href, "https://"), "'href' of a link is no URL")
	}
	if e.Action == "trigger" {
		want(e.Payload.Summary != "" && len([]rune(e.Payload.Summary)) <= 1024, "'payload.summary' is missing, or longer than 1024 characters")
		want(e.Payload.Source != "", "'payload.source' is missing")
		want(slices.Contains([]string{"critical", "error", "warning", "info"}, e.Payload.Severity), "'payload.severity' must be critical, error, warning or info")
	}
	return e, problems
}

func answer(w http.ResponseWriter, status int, word string, problems []string, key string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	body := map[string]any{"status": word, "message": "Event processed"}
	if status != http.StatusAccepted {
		body["message"], body["errors"] = "Event object is invalid", problems
	} else {
		body["dedup_key"] = key
	}
	_ = json.NewEncoder(w).Encode(body) // the caller went away
}

// tb is the part of testing.TB that a server needs.
type tb interface {
	Helper()
	Cleanup(f func())
}

// Server is a Handler that listens on a port of its own.
type Server struct {
	*Handler
	// URL is where to send events to.
	URL string
}

// NewServer starts an API that the end of the test stops.
func NewServer(t tb) *Server {
	t.Helper()
	h := NewHandler()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return &Server{Handler: h, URL: s.URL + h.Path()}
}
