package webui

import (
	"bufio"
	"context"
	"net/http"
	"strings"
	"testing"
	"time"
)

// events are those of an open page, until the test ends.
func (v *visitor) events(path string) (next func() (event, data string), leave func()) {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), 10*time.Second)
	v.t.Cleanup(cancel)
	res, err := v.client.Do(v.request(http.MethodGet, path, nil).WithContext(ctx))
	if err != nil {
		v.t.Fatal(err)
	}
	v.t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		v.t.Fatalf("%s: %s, %v", path, res.Status, res.Header)
	}
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	return func() (event, data string) {
		for lines.Scan() {
			switch name, value, _ := strings.Cut(lines.Text(), ": "); name {
			case "event":
				event = value
			case "data":
				data += value + "\n"
			case "":
				if event != "" {
					return event, data
				}
			}
		}
		return "end", ""
	}, cancel
}

func TestLiveSendsWhatChanged(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	next, _ := v.events("/live/overview")
	for _, id := range []string{"banner", "overview-now", "overview-checks", "overview-history"} {
		if event, data := next(); event != "part" || !strings.Contains(data, `id="`+id+`"`) {
			t.Fatalf("%s %s, want %s", event, data, id)
		}
	}
	f.set(func() { f.overview.Model.Accuracy = 0.777 })
	if _, data := next(); !strings.Contains(data, `id="overview-now"`) || !strings.Contains(data, "77.7%") {
		t.Fatalf("after a change of the accuracy: %s", data)
	}
	f.set(func() { f.down = true })
	if _, data := next(); !strings.Contains(data, "does not answer") {
		t.Fatalf("after the API went: %s", data)
	}
	f.set(func() { f.down = false })
	if _, data := next(); !strings.Contains(data, `id="banner"`) || strings.Contains(data, "does not answer") {
		t.Fatalf("after the API came back: %s", data)
	}
	f.set(func() { delete(f.roles, "tok-ann") })
	if event, _ := next(); event != "login" {
		t.Fatalf("after the token died: %s", event)
	}
	if event, _ := next(); event != "end" {
		t.Fatalf("after that: %s", event)
	}
}

// Open pages are bounded, and one that is closed makes room.
func TestLiveIsBounded(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t), "ann", func(o *Options) { o.MaxStreams = 1 })
	next, leave := v.events("/live/overview")
	next()
	if page := v.get("/live/overview"); page.status != http.StatusServiceUnavailable {
		t.Errorf("a second page: %d", page.status)
	}
	leave()
	select {
	case v.server.streams <- struct{}{}: // its place
	case <-time.After(10 * time.Second):
		t.Error("the place of a closed page is not free")
	}
}

func TestLiveNeedsASession(t *testing.T) {
	t.Parallel()
	if page := setup(t, newFakeAPI(t), "").get("/live/overview"); page.status != http.StatusNoContent {
		t.Errorf("without a session: %d", page.status)
	}
}

// Open pages do not hold up the stop.
func TestRunStops(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t)
	v := setup(t, f, "ann")
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- v.server.Run(ctx) }()
	v.base = v.server.URL()
	r := v.request(http.MethodGet, "/live/overview", nil)
	r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "tok-ann"})
	res, err := v.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	stop()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(4 * time.Second):
		t.Error("it still runs")
	}
}
