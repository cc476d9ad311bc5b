package apiserver

import (
	"fmt"
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/bounds"
)

// However many large bodies come, only so many are there at once, and fewer are decoded; small ones pass by.
func TestLargeBodiesTakeTurns(t *testing.T) {
	t.Parallel()
	b := setup(t)
	small, space := `{"features":[1,2]}`, strings.Repeat(" ", largeBody)
	bodies := map[string]string{"/predict": small + space, "/predict/batch": `{"instances":[[1,2]]}` + space}
	passes := func() {
		t.Helper()
		if r := b.send(t, "POST", "/predict", "user", small); r.StatusCode != 200 {
			t.Errorf("a small body: %d %s", r.StatusCode, r.body)
		}
	}

	var leave []func()
	for i := range maxLarge {
		done, _ := b.server.large.Take(fmt.Sprint(i))
		leave = append(leave, done)
	}
	for path, body := range bodies {
		r := b.send(t, "POST", path, "user", body)
		if p := problem(t, r, 503); r.Header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "large bodies") {
			t.Errorf("%s without a place: %v %s", path, r.Header, r.body)
		}
	}
	if status := b.chunked(t, "/predict", small); status != 200 {
		t.Errorf("a small body of unknown length: %d", status)
	}
	if status := b.chunked(t, "/predict", small+space); status != 503 {
		t.Errorf("a large body of unknown length without a place: %d", status)
	}
	passes()
	for _, done := range leave {
		done()
	}
	if status := b.chunked(t, "/predict", small+space); status != 200 {
		t.Errorf("a large body of unknown length: %d", status)
	}

	for range cap(b.server.decoding) {
		b.server.decoding <- struct{}{}
	}
	answers := make(chan int, len(bodies))
	for path, body := range bodies {
		go func() { answers <- b.send(t, "POST", path, "user", body).StatusCode }()
	}
	for range 20 {
		passes()
	}
	if n := len(answers); n != 0 {
		t.Errorf("%d large bodies are answered out of turn", n)
	}
	<-b.server.decoding
	for range bodies {
		if status := soon(t, answers); status != 200 {
			t.Errorf("a large body in turn: %d", status)
		}
	}
}

// Who has too many of his own is told so, and keeps nobody else out.
func TestACallerHasOnlySoManyLargeBodies(t *testing.T) {
	t.Parallel()
	b := setup(t)
	body := `{"features":[1,2]}` + strings.Repeat(" ", largeBody)
	var last func()
	for range callerLarge {
		last, _ = b.server.large.Take("testuser")
	}
	r := b.send(t, "POST", "/predict", "user", body)
	if p := problem(t, r, 429); r.Header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "of yours") {
		t.Errorf("with all his places taken: %v %s", r.Header, r.body)
	}
	if r := b.send(t, "POST", "/predict", "admin", body); r.StatusCode != 200 {
		t.Errorf("another caller: %d %s", r.StatusCode, r.body)
	}
	last()
	if r := b.send(t, "POST", "/predict", "user", body); r.StatusCode != 200 {
		t.Errorf("with a place again: %d %s", r.StatusCode, r.body)
	}
}

// chunked sends a body without its length and returns the status.
func (b *testBundle) chunked(t *testing.T, path, body string) int {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, b.server.URL()+path, io.MultiReader(strings.NewReader(body)))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer user")
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return r.StatusCode
}

// A body takes its place when it is large, and not when it is said to be or may become so: otherwise a few that
// come slowly, or never, would keep all others out. Two callers can't have all places.
func TestLargeIsWhatHasCome(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for path, row := range map[string]string{"/predict": `{"features":[1,2]}`, "/predict/batch": `{"instances":[[1,2]]}`} {
		for name, length := range map[string]string{"of a length": "Content-Length: 1000000", "of unknown length": "Transfer-Encoding: chunked"} {
			c := b.dial(t, "127.0.0.1")
			send := func(s string) {
				if name == "of unknown length" {
					s = fmt.Sprintf("%x\r\n%s\r\n", len(s), s)
				}
				if _, err := fmt.Fprint(c, s); err != nil {
					t.Fatal(err)
				}
			}
			request := "POST " + path + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer user\r\nExpect: 100-continue\r\n" + length + "\r\n\r\n"
			if status := c.Ask(t, request); status != http.StatusContinue { // it is being read
				t.Fatalf("%s %s: status %d", path, name, status)
			}
			send(row + strings.Repeat(" ", largeBody-len(row)))
			if n := b.server.large.InUse(); n != 0 {
				t.Errorf("%s %s: %d places taken before it is large", path, name, n)
			}
			send(" ")
			untilInUse(t, b.server.large, 1)
			c.Close()
			untilInUse(t, b.server.large, 0)
		}
	}
	if 2*callerLarge >= maxLarge {
		t.Errorf("one caller may have %d of %d places", callerLarge, maxLarge)
	}
}

func untilInUse(t *testing.T, p *bounds.Places, want int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); p.InUse() != want; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("%d places are taken after 10 s, want %d", p.InUse(), want)
		}
	}
}
