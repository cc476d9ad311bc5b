package discordtest

import (
	"context"
	"encoding/json"
	"io"
	"math"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The webhook that a Handler answers for unless Options say otherwise.
const (
	DefaultID    = "900100"
	DefaultToken = "fake-webhook-token"
)

const maxBody = 1 << 20

// Options configure a Handler.
type Options struct {
	ID, Token string
	// Burst calls in Window are answered, further ones are asked to wait, as Discord does with five in
	// two seconds. 0 means no such limit.
	Burst  int
	Window time.Duration
	// OnAccept, if set, is called with each accepted payload, one at a time.
	OnAccept func(Payload)
}

// Payload is an accepted message.
type Payload struct {
	At   time.Time
	Body json.RawMessage
}

// Handler is a webhook. Its methods may be called while it serves.
type Handler struct {
	options Options

	mu       sync.Mutex
	accepted []Payload
	news     chan struct{} // closed at each accepted payload, and made anew
	recent   []time.Time   // calls of the running window
	calls    int
	fail     int
	status   int
}

// NewHandler returns a webhook that has seen nothing.
func NewHandler(o Options) *Handler {
	if o.ID == "" {
		o.ID = DefaultID
	}
	if o.Token == "" {
		o.Token = DefaultToken
	}
	return &Handler{options: o, news: make(chan struct{})}
}

// Path is the path of the webhook.
func (h *Handler) Path() string { return "/api/webhooks/" + h.options.ID + "/" + h.options.Token }

// Fail makes the next n calls answer that status.
func (h *Handler) Fail(n, status int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.fail, h.status = n, status
}

// Calls is how many messages were sent here, accepted or not.
func (h *Handler) Calls() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.calls
}

// Payloads are the accepted messages, oldest first.
func (h *Handler) Payloads() []Payload {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.accepted)
}

// Wait returns when n messages were accepted in all.
func (h *Handler) Wait(ctx context.Context, n int) error {
	for {
		h.mu.Lock()
		got, news := len(h.accepted), h.news
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
	m := regexp.MustCompile(`^/api(?:/v\d+)?/webhooks/(\d+)/([\w-]+)$`).FindStringSubmatch(r.URL.Path)
	switch {
	case m == nil:
		refuse(w, http.StatusNotFound, "404: Not Found", 0)
	case m[1] != h.options.ID:
		refuse(w, http.StatusNotFound, "Unknown Webhook", 10015)
	case m[2] != h.options.Token:
		refuse(w, http.StatusUnauthorized, "Invalid Webhook Token", 50027)
	case r.Method == http.MethodGet:
		answer(w, http.StatusOK, map[string]any{"type": 1, "id": m[1], "name": "fake", "channel_id": "1", "token": m[2]})
	case r.Method == http.MethodPost:
		h.receive(w, r)
	default:
		refuse(w, http.StatusMethodNotAllowed, "405: Method Not Allowed", 0)
	}
}

func (h *Handler) receive(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody))
	if err != nil {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	if kind, _, _ := strings.Cut(r.Header.Get("Content-Type"), ";"); kind != "application/json" {
		refuse(w, http.StatusBadRequest, `Expected "Content-Type" header to be "application/json".`, 50035)
		return
	}
	wait := h.throttle(w.Header(), time.Now())
	if h.fail > 0 {
		h.fail--
		if h.status != http.StatusTooManyRequests {
			refuse(w, h.status, "fake failure", 0)
			return
		}
		wait = max(wait, 50*time.Millisecond)
	}
	if wait > 0 {
		limit(w, wait)
		return
	}
	if problems := Validate(body); len(problems) > 0 {
		refuseForm(w, problems)
		return
	}
	h.accept(body)
	if wanted, _ := strconv.ParseBool(r.URL.Query().Get("wait")); wanted {
		answer(w, http.StatusOK, map[string]any{"id": strconv.Itoa(len(h.accepted)), "type": 0, "webhook_id": h.options.ID})
		return
	}
	w.WriteHeader(http.StatusNoContent)
}

func (h *Handler) accept(body []byte) {
	p := Payload{At: time.Now(), Body: body}
	h.accepted = append(h.accepted, p)
	close(h.news)
	h.news = make(chan struct{})
	if h.options.OnAccept != nil {
		h.options.OnAccept(p)
	}
}

// throttle returns how long the caller must wait, 0 if not, and sets Discord's headers.
func (h *Handler) throttle(header http.Header, now time.Time) time.Duration {
	if h.options.Burst == 0 {
		return 0
	}
	h.recent = slices.DeleteFunc(h.recent, func(t time.Time) bool { return now.Sub(t) >= h.options.Window })
	full := len(h.recent) >= h.options.Burst
	if !full {
		h.recent = append(h.recent, now)
	}
	reset := h.recent[0].Add(h.options.Window).Sub(now)
	header.Set("X-RateLimit-Limit", strconv.Itoa(h.options.Burst))
	header.Set("X-RateLimit-Remaining", strconv.Itoa(h.options.Burst-len(h.recent)))
	header.Set("X-RateLimit-Reset-After", strconv.FormatFloat(reset.Seconds(), 'f', 3, 64))
	if full {
		return reset
	}
	return 0
}

func limit(w http.ResponseWriter, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	w.Header().Set("X-RateLimit-Scope", "user")
	answer(w, http.StatusTooManyRequests, map[string]any{
		"message": "You are being rate limited.", "retry_after": math.Round(wait.Seconds()*1000) / 1000, "global": false,
	})
}

func refuse(w http.ResponseWriter, status int, message string, code int) {
	answer(w, status, map[string]any{"message": message, "code": code})
}

// refuseForm names the problems nested by their path, as Discord does.
func refuseForm(w http.ResponseWriter, problems []Problem) {
	if p := problems[0]; p.Path == "" {
		code, _ := strconv.Atoi(p.Code)
		refuse(w, http.StatusBadRequest, p.Message, code)
		return
	}
	tree := map[string]any{}
	for _, p := range problems {
		node := tree
		for key := range strings.SplitSeq(p.Path, ".") {
			next, ok := node[key].(map[string]any)
			if !ok {
				next = map[string]any{}
				node[key] = next
			}
			node = next
		}
		list, _ := node["_errors"].([]any)
		node["_errors"] = append(list, map[string]any{"code": p.Code, "message": p.Message})
	}
	answer(w, http.StatusBadRequest, map[string]any{"message": "Invalid Form Body", "code": 50035, "errors": tree})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller went away
}
