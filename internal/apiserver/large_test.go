package apiserver

import (
	"strings"
	"testing"
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
	for range maxLarge / callerLarge {
		for range callerLarge {
			done, _ := b.server.large.take(strings.Repeat("x", len(leave)/callerLarge+1))
			leave = append(leave, done)
		}
	}
	for path, body := range bodies {
		r := b.send(t, "POST", path, "user", body)
		if p := problem(t, r, 503); r.Header.Get("Retry-After") == "" || !strings.Contains(p.Detail, "large bodies") {
			t.Errorf("%s without a place: %v %s", path, r.Header, r.body)
		}
	}
	passes()
	for _, done := range leave {
		done()
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
