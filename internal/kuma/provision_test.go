package kuma

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var recordAt = flag.String("record", "", "address of a real Uptime Kuma that nobody has used yet, with which the recording of its version is made anew")

// The versions that recordings were made of: the first of 2, which npm has, and the newest of the image.
var recorded = []string{"2.0.0-dev.0", "2.5.3"}

// scene is one run of Provision against a server that saw those before it.
type scene struct {
	title   string
	change  func(*Options)
	changes []string
	err     error
}

var scenes = []scene{
	{
		title: "an empty server",
		changes: []string{
			"made the account admin",
			"made the notification IA Continu, by Discord",
			"made the monitor API", "made the monitor Worker", "made the monitor Database", "made the monitor periodic_check",
			"made the status page ia-continu",
			"made the API key prometheus, in KEY",
		},
	},
	{title: "the same again"},
	{
		title: "other settings",
		change: func(o *Options) {
			o.DiscordURL = "http://discord/api/webhooks/900100/other-token"
			o.Monitors[0].Interval = 2 * time.Minute
			o.Monitors[1].URL = "http://127.0.0.1:8013/healthz"
			o.Monitors = append(o.Monitors, Monitor{Group: "More", Name: "Cache", URL: "tcp://127.0.0.1:6379", Interval: time.Minute})
		},
		changes: []string{
			"changed the notification IA Continu",
			"changed the monitor API: interval", "changed the monitor Worker: url", "made the monitor Cache",
			"changed the status page ia-continu",
		},
	},
	{
		title:   "the key's file is lost",
		change:  func(o *Options) { o.DiscordURL = ""; o.Monitors = nil; _ = os.Remove(o.KeyFile) },
		changes: []string{"made the API key prometheus, in KEY"},
	},
	{title: "a wrong password", change: func(o *Options) { o.Password = "wrong-pass-1" }, err: ErrCredentials},
}

func sceneOptions(url, keyFile string) Options {
	return Options{
		URL: url, Username: "admin", Password: "correct-pass-1", KeyFile: keyFile,
		DiscordURL: "http://discord/api/webhooks/900100/fake-token",
		Monitors: []Monitor{
			{Group: "Platform", Name: "API", URL: "http://127.0.0.1:8000/health", JSONPath: "status", Expected: "ok", Interval: time.Minute, Retries: 1},
			{Group: "Platform", Name: "Worker", URL: "http://127.0.0.1:8003/healthz", Interval: time.Minute},
			{Group: "Services", Name: "Database", URL: "tcp://127.0.0.1:5432", Interval: time.Minute},
			{Group: "Platform", Name: "periodic_check", PushToken: "a-token-of-a-push", Interval: 150 * time.Second},
		},
	}
}

// run plays the scene, and checks what Provision says of it.
func (s scene) run(t *testing.T, url, keyFile string) {
	t.Helper()
	o := sceneOptions(url, keyFile)
	if s.change != nil {
		s.change(&o)
	}
	report, err := Provision(t.Context(), o)
	if !errors.Is(err, s.err) || s.err == nil && err != nil {
		t.Fatalf("%s: %v, want %v", s.title, err, s.err)
	}
	var changes []string
	for _, c := range report.Changes {
		changes = append(changes, strings.ReplaceAll(c, keyFile, "KEY"))
	}
	if diff := cmp.Diff(s.changes, changes); diff != "" {
		t.Errorf("%s: %s", s.title, diff)
	}
	if s.err == nil {
		checkKeyFile(t, s.title, keyFile)
	}
}

func checkKeyFile(t *testing.T, title, path string) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%s: the key's file: %v, %v; want it for its owner alone", title, info, err)
	}
	if key, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(key), "uk") {
		t.Errorf("%s: the key is %q, %v", title, key, err)
	}
	if others, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".key-*")); others != nil {
		t.Errorf("%s: left behind: %q", title, others)
	}
}

func recordingOf(version string) string { return filepath.Join("testdata", version+".txt") }

// TestProvision plays what real servers of the oldest and the newest version said.
func TestProvision(t *testing.T) {
	t.Parallel()
	if *recordAt != "" {
		t.Skip("the recording is being made")
	}
	for _, version := range recorded {
		t.Run(version, func(t *testing.T) {
			t.Parallel()
			runs := readTranscript(t, recordingOf(version))
			if len(runs) != len(scenes) {
				t.Fatalf("%d recorded, %d to play: make them anew by -record URL", len(runs), len(scenes))
			}
			keyFile := filepath.Join(t.TempDir(), "kuma-key")
			for i, s := range scenes {
				server := play(t, runs[i])
				s.run(t, server.url, keyFile)
				for _, line := range server.rest() { // the server may go on when the client has gone
					if !strings.HasPrefix(line, "< ") {
						t.Errorf("%s: not sent: %s", s.title, line)
					}
				}
			}
		})
	}
}

// TestRecord makes the recording of one version anew.
func TestRecord(t *testing.T) {
	t.Parallel()
	if *recordAt == "" {
		t.Skip("needs a real server that nobody has used: -record URL")
	}
	var text bytes.Buffer
	keyFile := filepath.Join(t.TempDir(), "kuma-key")
	r := newRecorder(t, *recordAt, &text)
	for _, s := range scenes {
		fmt.Fprintln(&text, "#", s.title)
		s.run(t, r.url, keyFile)
	}
	report, err := Provision(t.Context(), sceneOptions(*recordAt, ""))
	if err != nil {
		t.Fatal(err)
	}
	if t.Failed() {
		return
	}
	if err := os.WriteFile(recordingOf(report.Version), text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// greeting is what a server says until a login has been granted.
func greeting(then ...string) transcript {
	return append(transcript{
		`< 0{"sid":"s","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}`, `> 40`, `< 40{"sid":"s"}`,
		`< 42["info",{"primaryBaseURL":null}]`, `> 420["needSetup"]`, `< 430[false]`,
		`> 421["login",{"password":"correct-pass-1","token":"","username":"admin"}]`,
	}, then...)
}

// TestErrors: what a person has to mend is said, and no run waits for ever.
func TestErrors(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		title string
		lines transcript
		err   error
		text  string
	}{
		{"a second factor", greeting(`< 431[{"tokenRequired":true}]`), ErrCredentials, "second factor"},
		{"too many tries", greeting(`< 431[{"ok":false,"msg":"Too frequently, try again later."}]`), ErrCredentials, "wait a minute"},
		{"an old version", greeting(`< 42["info",{"version":"1.23.16"}]`, `< 431[{"ok":true,"token":"t"}]`), ErrVersion, "1.23.16"},
		{"a later version", greeting(`< 42["info",{"version":"3.0.0"}]`, `< 431[{"ok":true,"token":"t"}]`), ErrVersion, "3.0.0"},
		{"the connection ends", greeting(`< END`), ErrUnreachable, "connection is lost"},
		{"the server leaves", greeting(`< 41`), ErrUnreachable, "ends the connection"},
		{"a refused connection", transcript{`< 0{"sid":"s"}`, `> 40`, `< 44{"message":"no"}`}, ErrUnreachable, `\"message\":\"no\"`},
		{"no socket.io", transcript{`< hello`}, ErrUnreachable, "no packet"},
		{"an answer to nothing", greeting(`< 437[true]`), ErrUnreachable, "nobody made"},
		{"silence", greeting(), context.DeadlineExceeded, "login"},
		{"a ping first", append(transcript{`< 2`, `> 3`}, greeting(`< 431[{"tokenRequired":true}]`)...), ErrCredentials, "second factor"},
	} {
		t.Run(c.title, func(t *testing.T) {
			t.Parallel()
			o := sceneOptions(play(t, c.lines).url, "")
			o.Timeout = time.Minute
			if c.err == context.DeadlineExceeded { //nolint:errorlint // which one the table says
				o.Timeout = 50 * time.Millisecond
			}
			_, err := Provision(t.Context(), o)
			if !errors.Is(err, c.err) || !strings.Contains(fmt.Sprint(err), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.err, c.text)
			}
			if strings.Contains(fmt.Sprint(err), o.Password) {
				t.Errorf("the error tells the password: %v", err)
			}
		})
	}
}

func TestNotKuma(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.NotFoundHandler())
	defer other.Close()
	if _, err := Provision(t.Context(), sceneOptions(other.URL, "")); !errors.Is(err, ErrUnreachable) || !strings.Contains(err.Error(), "404") {
		t.Errorf("got %v, want that it is something else", err)
	}
	other.Close()
	if _, err := Provision(t.Context(), sceneOptions(other.URL, "")); !errors.Is(err, ErrUnreachable) {
		t.Errorf("got %v, want that nobody is there", err)
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*Options){
		"Options.URL":           func(o *Options) { o.URL = "localhost:3001" },
		"Options.Username":      func(o *Options) { o.Password = "" },
		`two monitors "API"`:    func(o *Options) { o.Monitors[1].Name = "API" },
		"a name and a group":    func(o *Options) { o.Monitors[0].Group = "" },
		"the interval 1s":       func(o *Options) { o.Monitors[0].Interval = time.Second },
		"the token is not":      func(o *Options) { o.Monitors[3].PushToken = "a token" },
		"the address is none":   func(o *Options) { o.Monitors[2].URL = "tcp://localhost" },
		"-1 retries":            func(o *Options) { o.Monitors[2].Retries = -1 },
		"the address is none o": func(o *Options) { o.Monitors[0].URL = "/health" },
	} {
		o := sceneOptions("http://127.0.0.1:1", "")
		change(&o)
		if _, err := Provision(t.Context(), o); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

// TestMerge: what people set beside what is wanted stays.
func TestMerge(t *testing.T) {
	t.Parallel()
	there := record{"name": "API", "interval": 60.0, "description": "ours", "notificationIDList": map[string]any{"7": true}}
	merged, changed := merge(there, record{"interval": 30.0, "notificationIDList": map[string]any{"1": true}})
	want := record{"name": "API", "interval": 30.0, "description": "ours", "notificationIDList": map[string]any{"1": true, "7": true}}
	if diff := cmp.Diff(want, merged); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"interval", "notificationIDList"}, changed); diff != "" {
		t.Error(diff)
	}
	if _, changed := merge(merged, record{"notificationIDList": map[string]any{"7": true}}); changed != nil {
		t.Errorf("changes %q where nothing is to change", changed)
	}
}
