package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

// colour answers as an API does, with what the test sets.
type colour struct {
	url     string
	looks   atomic.Int64 // at whether it is ready
	scrapes atomic.Int64
	ready   func(look int64) bool
	active  func(scrape int64) int64
	failed  func(scrape int64) int64 // of 1000 answers and these
	started func(scrape int64) int64
	model   bool
	predict http.HandlerFunc
}

func newColour(t *testing.T) *colour {
	t.Helper()
	var process int64
	c := &colour{
		ready:   func(int64) bool { return true },
		active:  func(int64) int64 { return 1 },
		failed:  func(int64) int64 { return 0 },
		started: func(int64) int64 { return process },
		model:   true,
		predict: problem(http.StatusUnauthorized),
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/health/ready", func(w http.ResponseWriter, _ *http.Request) {
		if !c.ready(c.looks.Add(1)) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		fmt.Fprint(w, `{"status":"ok","version":"v2"}`)
	})
	mux.HandleFunc("/model/info", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, `{"model_loaded":%t,"features":["a"]}`, c.model)
	})
	mux.HandleFunc("POST /predict", func(w http.ResponseWriter, r *http.Request) { c.predict(w, r) })
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		n := c.scrapes.Add(1)
		fmt.Fprintf(w, `# TYPE api_requests_total counter
api_requests_total{method="POST",endpoint="/predict",status_code="200"} %d
api_requests_total{method="POST",endpoint="/predict",status_code="500"} %d
api_requests_total{method="GET",endpoint="/health/ready",status_code="503"} %d
# TYPE api_active_requests gauge
api_active_requests %d
# TYPE process_start_time_seconds gauge
process_start_time_seconds %d
`, 1000*n, c.failed(n), 1000*n, c.active(n), c.started(n))
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c.url, process = server.URL, int64(server.Listener.Addr().(*net.TCPAddr).Port)
	return c
}

func problem(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		fmt.Fprintf(w, `{"status":%d,"title":%q}`, status, http.StatusText(status))
	}
}

// newProxy leads as the Caddyfile does: to the colour that a folder names, and to the other if nobody listens there.
func newProxy(t *testing.T, dir string, colours map[string]string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		to, other := "blue", "green"
		if _, err := os.Stat(filepath.Join(dir, "green")); err == nil {
			to, other = other, to
		}
		lead := func(to string) *httputil.ReverseProxy {
			target, err := url.Parse(colours[to])
			if err != nil {
				t.Error(err)
			}
			return httputil.NewSingleHostReverseProxy(target)
		}
		first := lead(to)
		first.ErrorHandler = func(w http.ResponseWriter, r *http.Request, _ error) { lead(other).ServeHTTP(w, r) }
		first.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestSwitch(t *testing.T) {
	t.Parallel()
	const nobody = "http://127.0.0.1:1"
	for name, tt := range map[string]struct {
		from  string
		set   func(blue, green *colour, o *options)
		error string
		says  string
		after string
	}{
		"well":          {says: "nothing runs on blue any more", after: "green"},
		"there already": {from: "green", says: "green serves already, and is well: version v2", after: "green"},
		"late": {
			set:  func(_, g *colour, _ *options) { g.ready = func(look int64) bool { return look > 2 } },
			says: "green serves: version v2", after: "green",
		},
		"never ready": {
			set: func(_, g *colour, o *options) {
				g.ready, o.wait = func(int64) bool { return false }, 300*time.Millisecond
			},
			error: "green is not ready, the traffic stays on blue", after: "blue",
		},
		"without a model": {
			set:   func(_, g *colour, _ *options) { g.model = false },
			error: "green does not work, the traffic stays on blue: no model serves", after: "blue",
		},
		"500 to every POST": {
			set:   func(_, g *colour, _ *options) { g.predict = problem(http.StatusInternalServerError) },
			error: "green does not work, the traffic stays on blue: predict without an account: 500", after: "blue",
		},
		"for everybody": {
			set: func(_, g *colour, _ *options) {
				g.predict = func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{}`) }
			},
			error: "green does not work, the traffic stays on blue: it predicts without an account", after: "blue",
		},
		"sick under load": {
			set:   func(_, g *colour, _ *options) { g.ready = func(look int64) bool { return look < 2 } },
			error: "green failed under traffic, blue serves again", after: "blue",
		},
		"one look failed": {
			set:  func(_, g *colour, _ *options) { g.ready = func(look int64) bool { return look != 2 } },
			says: "nothing runs on blue any more", after: "green",
		},
		"errors under load": {
			set:   func(_, g *colour, _ *options) { g.failed = func(scrape int64) int64 { return 20 * scrape } },
			error: "green failed under traffic, blue serves again: of ", after: "blue",
		},
		"few errors under load, and old ones": {
			set:  func(_, g *colour, _ *options) { g.failed = func(scrape int64) int64 { return 10_000 + 5*scrape } },
			says: "nothing runs on blue any more", after: "green",
		},
		"ended under load": {
			set: func(_, g *colour, _ *options) {
				g.started = func(scrape int64) int64 { return 1_000_000 + min(scrape, 2) }
			},
			error: "green failed under traffic, blue serves again: it has started anew", after: "blue",
		},
		"another folder than the proxy's": {
			set:   func(_, _ *colour, o *options) { o.proxy = newProxy(t, t.TempDir(), o.colours) },
			error: "blue serves again: the proxy leads to another process", after: "blue",
		},
		"there already, by another folder": {
			from:  "green",
			set:   func(_, _ *colour, o *options) { o.proxy = newProxy(t, t.TempDir(), o.colours) },
			error: "the proxy leads to another process", after: "green",
		},
		"a proxy that leads to green before": {
			set: func(_, g *colour, o *options) {
				o.proxy = newProxy(t, o.dir, map[string]string{"blue": g.url, "green": g.url})
			},
			error: "the traffic stays on blue: the proxy", after: "blue",
		},
		"no proxy": {
			set:   func(_, _ *colour, o *options) { o.proxy = nobody },
			error: "the traffic stays on blue: ask through the proxy", after: "blue",
		},
		"one process by two addresses": {
			set: func(_, g *colour, o *options) {
				o.colours["blue"] = strings.Replace(g.url, "127.0.0.1", "localhost", 1)
			},
			error: "-blue and -green lead to one process", after: "blue",
		},
		"requests end": {
			set:  func(b, _ *colour, _ *options) { b.active = func(scrape int64) int64 { return max(5-scrape, 1) } },
			says: "nothing runs on blue any more", after: "green",
		},
		"streams are left": {
			set:  func(b, _ *colour, _ *options) { b.active = func(int64) int64 { return 3 } },
			says: "2 requests still run on blue", after: "green",
		},
		"the old one ended": {
			set:  func(_, _ *colour, o *options) { o.colours["blue"] = nobody },
			says: "whether requests still run on blue is not known", after: "green",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blue, green := newColour(t), newColour(t)
			var said []string
			o := options{
				colours: map[string]string{"blue": blue.url, "green": green.url}, dir: t.TempDir(), to: "green", anonymous: true,
				wait: time.Minute, watch: 500 * time.Millisecond, drain: time.Second,
				say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
			}
			o.proxy = newProxy(t, o.dir, o.colours)
			if tt.set != nil {
				tt.set(blue, green, &o)
			}
			at := selector{o.dir}
			if tt.from != "" {
				if err := at.point(tt.from); err != nil {
					t.Fatal(err)
				}
			}
			err := o.run(t.Context())
			if tt.error == "" && err != nil || tt.error != "" && (err == nil || !strings.Contains(err.Error(), tt.error)) {
				t.Errorf("got %v, want %q", err, tt.error)
			}
			if !strings.Contains(strings.Join(said, "\n"), tt.says) {
				t.Errorf("says %q, want %q", said, tt.says)
			}
			if serves, err := at.colour(); serves != tt.after || err != nil {
				t.Errorf("%s serves, want %s; %v", serves, tt.after, err)
			}
		})
	}
}

func TestArguments(t *testing.T) {
	t.Parallel()
	there := t.TempDir()
	for _, tt := range []struct {
		args  []string
		error string
	}{
		{[]string{}, "say which colour"},
		{[]string{"red"}, "say which colour"},
		{[]string{"green", "blue"}, "say which colour"},
		{[]string{"-blue", "a:8000", "green"}, "-blue: "},
		{[]string{"-green", "", "green"}, "-green: "},
		{[]string{"-proxy", "", "green"}, "-proxy: "},
		{[]string{"-blue", "http://b/", "green"}, "-blue and -green are one address"},
		{[]string{"-proxy", "http://b", "green"}, "-green and -proxy are one address"},
		{[]string{"-switch", filepath.Join(there, "no"), "green"}, "-switch: "},
		{[]string{"-user", "u", "green"}, "-user and -password-file belong together"},
		{[]string{"-anonymous=false", "green"}, "say with -user who tries the colour out"},
		{[]string{"-user", "u", "-password-file", "f", "green"}, "say with -user who tries the colour out"},
		{[]string{"-no"}, "not defined"},
	} {
		var stderr strings.Builder
		code := run(append([]string{"-switch", there, "-blue", "http://a", "-green", "http://b", "-anonymous"}, tt.args...), &stderr)
		if code != 2 || !strings.Contains(stderr.String(), tt.error) {
			t.Errorf("%q: exit code %d, %s; want 2, %q", tt.args, code, &stderr, tt.error)
		}
	}
}

// The compose file adds green and the proxy to what is there, on the ports that the README names.
func TestCompose(t *testing.T) {
	t.Parallel()
	type services struct {
		Services map[string]struct {
			Ports, Volumes []string
			Extends        struct{ File, Service string }
			Environment    map[string]string
		}
	}
	var ours, root services
	for path, into := range map[string]*services{"compose.yml": &ours, "../../docker-compose.yml": &root} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := yaml.Unmarshal(text, into); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	for name, s := range ours.Services {
		if _, there := root.Services[name]; !there && name != "app-green" && name != "proxy" {
			t.Errorf("%s is no service of docker-compose.yml", name)
		}
		if url := s.Environment["API_URL"]; url != "" && url != "http://proxy:8000" {
			t.Errorf("%s asks the API at %q", name, url)
		}
	}
	for name, want := range map[string][]string{"proxy": root.Services["app"].Ports, "app": {"127.0.0.1:8010:8000"}, "app-green": {"127.0.0.1:8011:8000"}} {
		if got := ours.Services[name].Ports; !slices.Equal(got, want) {
			t.Errorf("%s has the ports %q, want %q", name, got, want)
		}
	}
	if e := ours.Services["app-green"].Extends; e.Service != "app" {
		t.Errorf("green extends %+v", e)
	}
	for name, s := range root.Services {
		if s.Environment["API_URL"] != "" && name != "app" && ours.Services[name].Environment["API_URL"] == "" {
			t.Errorf("%s asks blue, whoever serves", name)
		}
	}
}

// Who serves must outlive whoever tidies up, and the folder is there before Docker would make it, as root's.
func TestSwitchFolder(t *testing.T) {
	t.Parallel()
	const folder = "deploy/bluegreen/switch"
	for path, want := range map[string]string{
		"compose.yml": "- ./" + folder + ":/run/switch:ro",
		"README.md":   "-switch " + folder + " ",
	} {
		if text := read(t, path); !strings.Contains(text, want) || strings.Contains(text, "build/switch") {
			t.Errorf("%s does not say %q", path, want)
		}
	}
	_, rest, _ := strings.Cut(read(t, "../../Makefile"), "\nclean:")
	removed, _, _ := strings.Cut(rest, "\n\n")
	if !strings.Contains(removed, "rm -rf bin build") {
		t.Fatalf("make clean does %q", removed)
	}
	for _, name := range strings.Fields(removed) {
		if strings.HasPrefix(folder+"/", name+"/") {
			t.Errorf("make clean removes %s", name)
		}
	}
	if keeps := read(t, "switch/.gitignore"); !strings.Contains(keeps, "\n*\n!.gitignore\n") {
		t.Errorf("who serves would be committed, or the folder not: %s", keeps)
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
