package apiserver

import (
	"errors"
	"fmt"
	"runtime"
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
	b.untilLogged(t, `"endpoint":"/predictions/history/all"`)
	if n := lines(`"endpoint":"/predict"`); n != refusalLines {
		t.Errorf("%d lines of refusals in a second, want %d", n, refusalLines)
	}
	if n := lines("suppressed"); n != 0 {
		t.Errorf("the count is told %d times before the second is over", n)
	}
	second.Store(1)
	refused(refusalLines + 3)
	b.untilLogged(t, `"suppressed":7`)
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
	b.untilLogged(t, `"user":"testuser"`)
	if n := lines(`"msg":"request"`); n != strangerLines+1 {
		t.Errorf("%d lines in a minute, want %d of strangers and one of a user", n, strangerLines)
	}
	b.fail = errors.New("no such table: datasets")
	problem(t, b.send(t, "GET", "/datasets/list", "", ""), 500)
	b.untilLogged(t, `"status":500`) // who asked is not the cause
	minute.Store(1)
	b.send(t, "GET", "/model/info", "", "")
	told := fmt.Sprintf(`"suppressed":%d`, asked-strangerLines)
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if lines(told) != 1 || lines(`"msg":"request"`) != strangerLines+3 {
		t.Errorf("want %s once, a line of the failure and one of the next minute:\n%s", told, b.log)
	}
}

// untilLogged waits for a line with the text, which comes just after the answer.
func (b *testBundle) untilLogged(t *testing.T, text string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !strings.Contains(b.log.String(), text); runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatalf("no line with %s within 10 s:\n%s", text, b.log)
		}
	}
}
