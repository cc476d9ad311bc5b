package apiserver

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// A client that is refused thousands of times a second leaves some lines and a count, and hides nothing
// that others do.
func TestRefusalsAreSampled(t *testing.T) {
	t.Parallel()
	var second atomic.Int64
	b := setup(t, func(_ *world, o *Options) {
		o.Clock = func() time.Time { return testNow.Add(time.Duration(second.Load()) * time.Second) }
	})
	refused := func(n int) {
		for range n {
			problem(t, b.send(t, "POST", "/predict", "user", `{}`), 422)
		}
	}
	lines := func(text string) int { return strings.Count(b.log.String(), text) }
	refused(refusalLines + 7)
	problem(t, b.send(t, "GET", "/predictions/history/all", "user", ""), 403) // not asked for many times a minute
	for lines(`"endpoint":"/predictions/history/all"`) == 0 {                 // the line comes just after the answer
	}
	if n := lines(`"endpoint":"/predict"`); n != refusalLines {
		t.Errorf("%d lines of refusals in a second, want %d", n, refusalLines)
	}
	if n := lines("suppressed"); n != 0 {
		t.Errorf("the count is told %d times before the second is over", n)
	}
	second.Store(1)
	refused(refusalLines + 3)
	for lines(`"suppressed":7`) == 0 {
	}
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{`"suppressed":7`, `"suppressed":3`} {
		if lines(text) != 1 {
			t.Errorf("%s is told %d times, want once:\n%s", text, lines(text), b.log)
		}
	}
	if n, want := lines(`"endpoint":"/predict"`), 2*refusalLines; n != want {
		t.Errorf("%d lines of refusals in two seconds, want %d", n, want)
	}
}

// Strangers can't fill the log, and drive out of it what was done before, whatever they ask for.
func TestStrangersAreSampled(t *testing.T) {
	t.Parallel()
	var minute atomic.Int64
	b := setup(t, func(_ *world, o *Options) {
		o.Clock = func() time.Time { return testNow.Add(time.Duration(minute.Load()) * time.Minute) }
	})
	asked := 0
	for range strangerLines {
		problem(t, b.send(t, "GET", "/nowhere", "", ""), 404)
		problem(t, b.send(t, "POST", "/retrain", "", "{}"), 401)
		problem(t, b.send(t, "GET", "/auth/me", "forged", ""), 401)
		b.send(t, "GET", "/model/info", "", "")
		asked += 4
	}
	lines := func(text string) int { return strings.Count(b.log.String(), text) }
	b.send(t, "GET", "/auth/me", "user", "")
	for lines(`"user":"testuser"`) == 0 { // the line comes just after the answer
	}
	if n := lines(`"msg":"request"`); n != strangerLines+1 {
		t.Errorf("%d lines in a minute, want %d of strangers and one of a user", n, strangerLines)
	}
	minute.Store(1)
	b.send(t, "GET", "/model/info", "", "")
	told := fmt.Sprintf(`"suppressed":%d`, asked-strangerLines)
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if lines(told) != 1 || lines(`"msg":"request"`) != strangerLines+2 {
		t.Errorf("want %s once, and a line for the next minute:\n%s", told, b.log)
	}
}
