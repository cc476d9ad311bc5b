package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
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
	url    string
	looks  atomic.Int64 // at whether it is ready
	ready  func(look int64) bool
	active func() int
	model  bool
}

func newColour(t *testing.T) *colour {
	t.Helper()
	c := &colour{ready: func(int64) bool { return true }, active: func() int { return 1 }, model: true}
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
	mux.HandleFunc("/metrics", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintf(w, "api_requests_total{} 7\napi_active_requests %d\n", c.active())
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func TestSwitch(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		from  string
		set   func(blue, green *colour)
		error string
		says  string
		after string
	}{
		"well":              {says: "nothing runs on blue any more", after: "green"},
		"there already":     {from: "green", says: "green serves already, and is well: version v2", after: "green"},
		"late":              {set: func(_, g *colour) { g.ready = func(look int64) bool { return look > 2 } }, says: "green serves: version v2", after: "green"},
		"never ready":       {set: func(_, g *colour) { g.ready = func(int64) bool { return false } }, error: "green is not ready, the traffic stays on blue", after: "blue"},
		"without a model":   {set: func(_, g *colour) { g.model = false }, error: "green does not work, the traffic stays on blue: no model serves", after: "blue"},
		"sick under load":   {set: func(_, g *colour) { g.ready = func(look int64) bool { return look < 2 } }, error: "green failed under traffic, blue serves again", after: "blue"},
		"one look failed":   {set: func(_, g *colour) { g.ready = func(look int64) bool { return look != 2 } }, says: "nothing runs on blue any more", after: "green"},
		"streams are left":  {set: func(b, _ *colour) { b.active = func() int { return 3 } }, says: "2 requests still run on blue", after: "green"},
		"the old one ended": {set: func(b, _ *colour) { b.url = "http://127.0.0.1:1" }, says: "whether requests still run on blue is not known", after: "green"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			blue, green := newColour(t), newColour(t)
			if tt.set != nil {
				tt.set(blue, green)
			}
			wait := time.Minute
			if strings.HasPrefix(tt.error, "green is not ready") {
				wait = 300 * time.Millisecond
			}
			var said []string
			o := options{
				colours: map[string]string{"blue": blue.url, "green": green.url}, dir: t.TempDir(), to: "green",
				wait: wait, watch: 300 * time.Millisecond, drain: 300 * time.Millisecond,
				say: func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) },
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
	for _, args := range [][]string{
		{"-switch", there, "-blue", "http://a", "-green", "http://b"},
		{"-switch", there, "-blue", "http://a", "-green", "http://b", "red"},
		{"-switch", there, "-blue", "http://a", "-green", "http://b", "green", "blue"},
		{"-switch", there, "-blue", "a:8000", "-green", "http://b", "green"},
		{"-switch", there, "-blue", "http://a", "green"},
		{"-switch", filepath.Join(there, "no"), "-blue", "http://a", "-green", "http://b", "green"},
		{"-switch", there, "-blue", "http://a", "-green", "http://b", "-user", "u", "green"},
		{"-no"},
	} {
		if code := run(args); code != 2 {
			t.Errorf("%q: exit code %d, want 2", args, code)
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
