package webui

import (
	"bytes"
	"context"
	"fmt"
	"hash/maphash"
	"io"
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
		select {
		case s.streams <- struct{}{}:
			s.metrics.streams.Inc()
			defer func() {
				s.metrics.streams.Dec()
				<-s.streams
			}()
		default:
			w.Header().Set("Retry-After", "30")
			http.Error(w, "too many pages are open", http.StatusServiceUnavailable)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		w.Header().Set("X-Accel-Buffering", "no") // nginx would hold the events back
		st := &stream{server: s, page: p, request: r, w: w, control: http.NewResponseController(w), seen: map[string]uint64{}, seed: maphash.MakeSeed()}
		st.run(untraced(r.Context(), s.opt.Tracer))
	}
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
	tick := time.NewTicker(st.server.opt.Pace)
	defer tick.Stop()
	for {
		if !st.round(ctx) {
			return
		}
		select {
		case <-tick.C:
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
			_ = st.send("login", "") // the page asks for a login by itself
			return false
		}
		s.fail(st.request, v, err)
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

func (st *stream) send(event, data string) bool {
	var b bytes.Buffer
	writeEvent(&b, event, data)
	return st.flush(b.Bytes())
}

func writeEvent(b *bytes.Buffer, event, data string) {
	fmt.Fprintf(b, "event: %s\n", event)
	for line := range strings.SplitSeq(data, "\n") {
		fmt.Fprintf(b, "data: %s\n", line)
	}
	b.WriteString("\n")
}
