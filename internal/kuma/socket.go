package kuma

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/coder/websocket"
)

// maxFrame bounds what one message of the server may hold: its list of monitors comes in one.
const maxFrame = 64 << 20

// The packets of Engine.IO 4, and those of socket.io that lie in its messages.
const (
	packetOpen    = "0"
	packetClose   = "1"
	packetPing    = "2"
	packetPong    = "3"
	packetNoop    = "6"
	packetConnect = "40"
	packetLeave   = "41"
	packetEvent   = "42"
	packetAck     = "43"
	packetRefuse  = "44"
)

// socket is a socket.io connection. Its reader ends with the connection, and close waits for it.
type socket struct {
	conn *websocket.Conn
	done chan struct{} // closed when the reader has ended
	stop context.CancelFunc

	mu        sync.Mutex
	connected bool
	calls     map[int]chan json.RawMessage // that wait for their answer
	next      int
	events    map[string]json.RawMessage // what each event brought last
	news      chan struct{}              // closed and replaced at each of them
	err       error                      // why the reader has ended, after done
}

// dial connects to the server at base, an http or https URL.
func dial(ctx context.Context, base string) (*socket, error) {
	conn, res, err := websocket.Dial(ctx, base+"/socket.io/?EIO=4&transport=websocket", nil) //nolint:bodyclose // the library does
	switch {
	case err != nil && res != nil:
		return nil, fmt.Errorf("%w: it answers %s and no websocket: is that Uptime Kuma, and has its database been chosen (UPTIME_KUMA_DB_TYPE)?",
			ErrUnreachable, res.Status)
	case err != nil:
		return nil, fmt.Errorf("%w: %w", ErrUnreachable, cause(err))
	}
	conn.SetReadLimit(maxFrame)
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s := &socket{
		conn: conn, done: make(chan struct{}), stop: stop,
		calls: map[int]chan json.RawMessage{}, events: map[string]json.RawMessage{}, news: make(chan struct{}),
	}
	go s.read(life)
	if err := s.until(ctx, "an open connection", func() bool { return s.connected }); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (s *socket) close() {
	s.stop()
	_ = s.conn.CloseNow() // the server may have been first
	<-s.done
}

func (s *socket) read(ctx context.Context) {
	err := s.receive(ctx)
	s.mu.Lock()
	s.err = fmt.Errorf("%w: %w", ErrUnreachable, err)
	s.mu.Unlock()
	close(s.done)
}

func (s *socket) receive(ctx context.Context) error {
	for {
		kind, frame, err := s.conn.Read(ctx)
		if err != nil {
			return fmt.Errorf("the connection is lost: %w", err)
		}
		if kind != websocket.MessageText {
			return errors.New("it sends binary messages, which Uptime Kuma does not")
		}
		if err := s.handle(ctx, string(frame)); err != nil {
			return err
		}
	}
}

// handle takes one packet of the server.
func (s *socket) handle(ctx context.Context, packet string) error {
	kind, rest := packet, ""
	switch {
	case strings.HasPrefix(packet, "4") && len(packet) > 1:
		kind, rest = packet[:2], packet[2:]
	case packet != "":
		kind, rest = packet[:1], packet[1:]
	}
	switch kind {
	case packetOpen:
		return s.send(ctx, packetConnect)
	case packetPing:
		return s.send(ctx, packetPong)
	case packetNoop:
		return nil
	case packetConnect:
		s.update(func() { s.connected = true })
		return nil
	case packetEvent:
		return s.event(rest)
	case packetAck:
		return s.answer(rest)
	case packetClose, packetLeave, packetRefuse:
		return fmt.Errorf("it ends the connection: %q", packet)
	}
	return fmt.Errorf("it sends %.20q, which is no packet of socket.io", packet)
}

func (s *socket) send(ctx context.Context, packet string) error {
	return s.conn.Write(ctx, websocket.MessageText, []byte(packet))
}

// update changes what until looks at.
func (s *socket) update(change func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	change()
	close(s.news)
	s.news = make(chan struct{})
}

// event keeps what ["name",argument,...] brings; of Uptime Kuma's events that matter here all is in the first argument.
func (s *socket) event(text string) error {
	var parts []json.RawMessage
	var name string
	if json.Unmarshal([]byte(text), &parts) != nil || len(parts) == 0 || json.Unmarshal(parts[0], &name) != nil {
		return fmt.Errorf("it sends an event that is none: %.40q", text)
	}
	if len(parts) > 1 {
		s.update(func() { s.events[name] = parts[1] })
	}
	return nil
}

// answer hands ID[argument,...] to the call of that number.
func (s *socket) answer(text string) error {
	digits := strings.IndexByte(text, '[')
	id, err := strconv.Atoi(text[:max(digits, 0)])
	var parts []json.RawMessage
	if err != nil || json.Unmarshal([]byte(text[digits:]), &parts) != nil || len(parts) == 0 {
		return fmt.Errorf("it sends an answer that is none: %.40q", text)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	waits, ok := s.calls[id]
	if !ok {
		return fmt.Errorf("it answers call %d, which nobody made", id)
	}
	delete(s.calls, id)
	waits <- parts[0]
	return nil
}

// call sends an event and decodes what the server answers into out, unless that is nil. An answer with
// "ok":false is a *refusal.
func (s *socket) call(ctx context.Context, out any, event string, arguments ...any) error {
	text, err := json.Marshal(append([]any{event}, arguments...))
	if err != nil {
		return fmt.Errorf("%s: %w", event, err)
	}
	answer := make(chan json.RawMessage, 1)
	s.mu.Lock()
	id := s.next
	s.next++
	s.calls[id] = answer
	s.mu.Unlock()
	if err := s.send(ctx, packetEvent+strconv.Itoa(id)+string(text)); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrUnreachable, event, err)
	}
	select {
	case text := <-answer:
		return decode(event, text, out)
	case <-s.done:
		return fmt.Errorf("%s: %w", event, s.err)
	case <-ctx.Done():
		return fmt.Errorf("%s: no answer: %w", event, ctx.Err())
	}
}

// refusal is the server's "no".
type refusal struct{ event, message string }

func (r *refusal) Error() string { return fmt.Sprintf("%s: Uptime Kuma says %q", r.event, r.message) }

// taken reports whether the server's database, SQLite or MariaDB, has such a thing already.
func (r *refusal) taken() bool {
	return strings.Contains(r.message, "UNIQUE constraint") || strings.Contains(r.message, "Duplicate entry")
}

func decode(event string, text json.RawMessage, out any) error {
	var state struct {
		OK  *bool  `json:"ok"`
		Msg string `json:"msg"`
	}
	if json.Unmarshal(text, &state) == nil && state.OK != nil && !*state.OK {
		return &refusal{event, state.Msg}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("%s: the answer: %w", event, err)
	}
	return nil
}

// until waits for something that the reader brings; ready is called with the lock held.
func (s *socket) until(ctx context.Context, what string, ready func() bool) error {
	for {
		s.mu.Lock()
		ok, news := ready(), s.news
		s.mu.Unlock()
		if ok {
			return nil
		}
		select {
		case <-news:
		case <-s.done:
			return s.err
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		}
	}
}

// last waits for the events and returns what each brought last.
func (s *socket) last(ctx context.Context, names ...string) (map[string]json.RawMessage, error) {
	var all map[string]json.RawMessage
	err := s.until(ctx, strings.Join(names, ", "), func() bool {
		for _, name := range names {
			if s.events[name] == nil {
				return false
			}
		}
		all = maps.Clone(s.events)
		return true
	})
	return all, err
}

// cause leaves out of an error what an HTTP client wraps it in: the address, which may hold a secret.
func cause(err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		return wrapped.Err
	}
	return err
}
