package webui

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"iacontinu/internal/api"
)

// live sends the parts of a page that changed, as server-sent events, while the page is open. The banner
// that tells that the API is away is a part of every page, so that a page recovers by itself.
func (s *Server) live(p page) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if tokenOf(r) == "" {
			w.WriteHeader(http.StatusNoContent) // tells the browser not to ask again
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // nginx would hold the events back
		st := &stream{server: s, page: p, request: r, w: w, control: http.NewResponseController(w), seen: map[string]uint64{}, seed: maphash.MakeSeed()}
		ctx := untraced(r.Context(), s.opt.Tracer)
		leave, _ := s.streams.Take(s.viewer(ctx, r))
		if leave == nil { // the page tells of it, which learns nothing of another status
			st.send("full", "")
			return
		}
		defer leave()
		s.metrics.streams.Inc()
		defer s.metrics.streams.Dec()
		st.run(ctx)
	}
}

// accountStreams is how many pages of one account are kept current at once.
const accountStreams = 10

// viewer is whose page it is: the account, or the session while the API does not say whose that is.
func (s *Server) viewer(ctx context.Context, r *http.Request) string {
	ctx, cancel := context.WithTimeout(ctx, s.opt.Patience)
	defer cancel()
	me, err := s.client(r, tokenOf(r)).Me(ctx)
	if err != nil {
		return "session " + tokenOf(r)
	}
	return "account " + me.Username
}

// stream is one open page.
type stream struct {
	server  *Server
	page    page
	request *http.Request
	w       io.Writer
	control *http.ResponseController
	seen    map[string]uint64 // what each part was when it was sent last
	seed    maphash.Seed
	silent  int // rounds without an event
}

func (st *stream) run(ctx context.Context) {
	pace := st.server.opt.Pace
	tick := time.NewTicker(1 + rand.N(pace)) // pages that were opened together do not ask together ever after
	defer tick.Stop()
	for {
		if !st.round(ctx) {
			return
		}
		select {
		case <-tick.C:
			tick.Reset(pace)
		case <-ctx.Done():
			return
		}
	}
}

// round looks once and sends what changed. It returns false when the stream is over.
func (st *stream) round(ctx context.Context) bool {
	s := st.server
	v := s.newVisit(st.request, st.page.name)
	v.Path = backTo(st.page.path + "?" + v.query.Encode())
	asking, cancel := context.WithTimeout(ctx, s.opt.Patience)
	defer cancel()
	var me api.User
	err := together(asking, ask(&me, v.client.Me), func(ctx context.Context) error { return v.fill(ctx, st.page) })
	if ctx.Err() != nil {
		return false
	}
	v.User = &me
	names := append([]string{"banner"}, st.page.parts...)
	if err != nil {
		if p := api.AsProblem(err); p != nil && p.Status == http.StatusUnauthorized {
			st.send("login", "") // the page asks for a login by itself
			return false
		}
		s.failLook(st.request, v, err)
		names = names[:1]
	}
	var events bytes.Buffer
	for _, name := range names {
		html, changed, err := st.changed(v, name)
		if err != nil {
			s.log.ErrorContext(ctx, "a part of a page can't be shown", "part", name, "error", err)
			return false
		}
		if changed {
			writeEvent(&events, "part", html)
		}
	}
	return st.flush(events.Bytes())
}

func (st *stream) changed(v *visit, name string) (html string, changed bool, err error) {
	var b bytes.Buffer
	if err := st.server.renderer.part(&b, v, name); err != nil {
		return "", false, err
	}
	sum := maphash.Bytes(st.seed, b.Bytes())
	if st.seen[name] == sum {
		return "", false, nil
	}
	st.seen[name] = sum
	return b.String(), true, nil
}

// flush sends events; in a long silence a comment, by which proxies see that the stream lives and we that
// the browser does.
func (st *stream) flush(events []byte) bool {
	const longSilence = 10 // rounds
	if len(events) == 0 {
		if st.silent++; st.silent < longSilence {
			return true
		}
		events = []byte(": \n\n")
	}
	st.silent = 0
	if err := st.control.SetWriteDeadline(time.Now().Add(st.server.opt.Patience + readPatience)); err != nil {
		return false
	}
	if _, err := st.w.Write(events); err != nil {
		return false
	}
	return st.control.Flush() == nil
}

// send tells of something and is the last of a stream.
func (st *stream) send(event, data string) {
	var b bytes.Buffer
	writeEvent(&b, event, data)
	st.flush(b.Bytes())
}

func writeEvent(b *bytes.Buffer, event, data string) {
	fmt.Fprintf(b, "event: %s\n", event)
	for line := range strings.SplitSeq(data, "\n") {
		fmt.Fprintf(b, "data: %s\n", line)
	}
	b.WriteString("\n")
}
