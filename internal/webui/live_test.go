package webui

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"iacontinu/internal/api"
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

// Open pages are bounded, in all and for one account; one too many is told so, and one that is closed makes room.
func TestLiveIsBounded(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t)
	v := setup(t, f, "ann", func(o *Options) { o.MaxStreams = accountStreams + 1 })
	open := func(want string) (leave func()) {
		t.Helper()
		next, leave := v.events("/live/overview")
		if event, _ := next(); event != want {
			t.Errorf("a page is sent %s, want %s", event, want)
		}
		if want == "full" {
			if event, _ := next(); event != "end" {
				t.Errorf("a page that is one too many goes on with %s", event)
			}
		}
		return leave
	}
	var leave func()
	for range accountStreams {
		leave = open("part")
	}
	open("full")
	f.set(func() { f.name = "bob" }) // who has the last place
	open("part")
	open("full")
	leave()
	for deadline := time.Now().Add(10 * time.Second); v.server.streams.InUse() > accountStreams; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the place of a closed page is not free")
		}
	}
	open("part")
}

// inProcess is an API that is asked without a network.
type inProcess struct{ http.Handler }

func (a inProcess) RoundTrip(r *http.Request) (*http.Response, error) {
	w := httptest.NewRecorder()
	a.ServeHTTP(w, r)
	return w.Result(), nil
}

// openPage takes what a page is sent for as long as it comes.
type openPage struct{ *httptest.ResponseRecorder }

func (openPage) SetWriteDeadline(time.Time) error { return nil }

// Pages that were opened at one moment, as after a restart, do not ask the API at one moment ever after, and each
// still asks at its pace.
func TestPagesDoNotAskTogether(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann", func(o *Options) { o.Pace = 2 * time.Second })
	synctest.Test(t, func(t *testing.T) {
		began, rounds := time.Now(), map[time.Duration]int{}
		v.server.calls = &http.Client{Transport: inProcess{http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == api.PathMe {
				f.set(func() { rounds[time.Since(began)]++ })
			}
			f.ServeHTTP(w, r)
		})}}
		ctx, cancel := context.WithCancel(t.Context())
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/live/data", nil)
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "tok-ann"})
		const pages = 8
		for range pages {
			go v.server.ServeHTTP(openPage{httptest.NewRecorder()}, r)
		}
		<-time.After(10*time.Second - 1)
		cancel()
		synctest.Wait()
		looks, together := 0, 0
		for at, n := range rounds {
			if looks += n; at > 0 {
				together = max(together, n)
			}
		}
		if together > pages/2 {
			t.Errorf("%d of %d pages asked at one moment", together, pages)
		}
		if least, most := 6*pages, 7*pages; looks < least || looks > most { // who it is, at once, and every 2 s
			t.Errorf("%d pages asked %d times in 10 s, want %d to %d", pages, looks, least, most)
		}
	})
}

// quietPage is an open page that says how long it was given to take each thing it was sent.
type quietPage struct {
	*httptest.ResponseRecorder
	given []time.Duration
}

func (q *quietPage) SetWriteDeadline(at time.Time) error {
	q.given = append(q.given, time.Until(at))
	return nil
}

// Where nothing changes something is sent now and then, by which proxies keep the stream; and who takes nothing of it
// is not waited for.
func TestLiveInALongSilence(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann", func(o *Options) { o.Pace = 2 * time.Second })
	synctest.Test(t, func(t *testing.T) {
		v.server.calls = &http.Client{Transport: inProcess{f}}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/live/data", nil)
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: "tok-ann"})
		page := &quietPage{ResponseRecorder: httptest.NewRecorder()}
		v.server.ServeHTTP(page, r)
		if n := strings.Count(page.Body.String(), "\n: \n"); n < 2 || n > 3 {
			t.Errorf("%d comments in a minute in which nothing changed, want one every 20 s:\n%s", n, page.Body)
		}
		for _, given := range page.given {
			if given <= 0 || given > 2*readPatience {
				t.Errorf("the page has %v to take what it is sent", given)
			}
		}
		if len(page.given) < 3 {
			t.Errorf("%d deadlines", len(page.given))
		}
	})
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
