package kuma

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/coder/websocket"
)

// A transcript is what went over the wire between Provision and a real server, line by line: "> frame" of
// the client, "< frame" of the server, "GET path" and "= body" for a plain request, "# title" before each
// connection.
type transcript []string

func readTranscript(t *testing.T, path string) (runs []transcript) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.HasPrefix(lines.Text(), "#") {
			runs = append(runs, nil)
			continue
		}
		runs[len(runs)-1] = append(runs[len(runs)-1], lines.Text())
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
	return runs
}

// stage is a server that plays one transcript: it says the server's lines and takes only the client's.
type stage struct {
	t   *testing.T
	url string

	mu    sync.Mutex
	lines transcript
	plain chan struct{} // a plain request was answered
}

func play(t *testing.T, lines transcript) *stage {
	t.Helper()
	s := &stage{t: t, lines: lines, plain: make(chan struct{}, 1)}
	server := httptest.NewServer(s)
	s.url = server.URL
	t.Cleanup(server.Close)
	return s
}

// rest is what was not played.
func (s *stage) rest() transcript {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lines
}

// take removes the next line if it begins so.
func (s *stage) take(prefix string) (line string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.lines) == 0 {
		return "", false
	}
	if line, ok = strings.CutPrefix(s.lines[0], prefix); ok {
		s.lines = s.lines[1:]
	}
	return line, ok
}

func (s *stage) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/socket.io/" && r.URL.RawQuery == "EIO=4&transport=websocket" {
		conn, err := websocket.Accept(w, r, nil)
		if err != nil {
			s.t.Error(err)
			return
		}
		defer func() { _ = conn.CloseNow() }()
		conn.SetReadLimit(maxFrame)
		s.talk(r.Context(), conn)
		return
	}
	want, ok := s.take("GET ")
	if !ok || want != r.URL.RequestURI() {
		s.t.Errorf("got GET %s, the recording says %q", r.URL.RequestURI(), want)
	}
	body, _ := s.take("= ")
	fmt.Fprintln(w, body)
	s.plain <- struct{}{}
}

func (s *stage) talk(ctx context.Context, conn *websocket.Conn) {
	for {
		if said, ok := s.take("< "); ok {
			if said == "END" {
				return
			}
			if conn.Write(ctx, websocket.MessageText, []byte(said)) != nil {
				return // the client has gone, which the rest tells
			}
			continue
		}
		if rest := s.rest(); len(rest) > 0 && strings.HasPrefix(rest[0], "GET ") {
			<-s.plain
			continue
		}
		_, got, err := conn.Read(ctx)
		if err != nil {
			return
		}
		if want, ok := s.take("> "); !ok || want != string(got) {
			s.t.Errorf("the client sends\n%s\nthe recording says\n%s", got, want)
			return
		}
	}
}

// recorder stands between Provision and a real server and writes down what they say.
type recorder struct {
	t      *testing.T
	url    string
	server *url.URL

	mu  sync.Mutex
	out io.Writer
}

func newRecorder(t *testing.T, server string, out io.Writer) *recorder {
	t.Helper()
	u, err := url.Parse(server)
	if err != nil {
		t.Fatal(err)
	}
	r := &recorder{t: t, server: u, out: out}
	proxy := httptest.NewServer(r)
	r.url = proxy.URL
	t.Cleanup(proxy.Close)
	return r
}

// What the tests must not depend on, and nobody should see.
var secrets = []struct{ form, instead string }{
	{`"token":"ey[^"]+"`, `"token":"a.b.c"`},
	{`"key":"uk(\d+)_[^"]+"`, `"key":"uk${1}_secret"`},
	{`"sid":"[^"]+"`, `"sid":"s"`},
	{`\\"discordWebhookUrl\\":\\"http://[^/]+`, `\"discordWebhookUrl\":\"http://discord`},
}

func (r *recorder) write(mark, text string) {
	for _, s := range secrets {
		text = regexp.MustCompile(s.form).ReplaceAllString(text, s.instead)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if _, err := fmt.Fprintln(r.out, mark+text); err != nil {
		r.t.Error(err)
	}
}

func (r *recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	if req.URL.Path == "/socket.io/" {
		r.relay(w, req)
		return
	}
	r.write("GET ", req.URL.RequestURI())
	proxy := httputil.NewSingleHostReverseProxy(r.server)
	proxy.ModifyResponse = func(res *http.Response) error {
		body, err := io.ReadAll(res.Body)
		r.write("= ", strings.TrimSpace(string(body)))
		res.Body = io.NopCloser(strings.NewReader(string(body)))
		return err
	}
	req.Header.Del("Accept-Encoding")
	req.Header.Set("Accept-Encoding", "identity")
	proxy.ServeHTTP(w, req)
}

func (r *recorder) relay(w http.ResponseWriter, req *http.Request) {
	ctx, cancel := context.WithCancel(req.Context())
	defer cancel()
	server, _, err := websocket.Dial(ctx, r.server.String()+req.URL.RequestURI(), nil) //nolint:bodyclose // the library does
	if err != nil {
		r.t.Error(err)
		return
	}
	defer func() { _ = server.CloseNow() }()
	client, err := websocket.Accept(w, req, nil)
	if err != nil {
		r.t.Error(err)
		return
	}
	defer func() { _ = client.CloseNow() }()
	server.SetReadLimit(maxFrame)
	client.SetReadLimit(maxFrame)
	done := make(chan struct{}, 2)
	pass := func(mark string, from, to *websocket.Conn) {
		defer func() { done <- struct{}{} }()
		for {
			_, text, err := from.Read(ctx)
			if err != nil {
				return
			}
			r.write(mark, string(text))
			if to.Write(ctx, websocket.MessageText, text) != nil {
				return
			}
		}
	}
	go pass("> ", client, server)
	go pass("< ", server, client)
	<-done // one end has gone, so the other has to
	cancel()
	<-done
}
