//go:build integration

package e2e

import (
	"context"
	"flag"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"iacontinu/internal/api"
)

var previous = flag.String("previous", "", "folder of the previous release's binaries, which are blue; this release's if it is not given")

// twoColours are two API processes on one folder behind Caddy.
type twoColours struct {
	blue, green string // where they are
	proxy       string // and where clients ask
	sick        atomic.Bool
	processes   map[string]*process
	command     []string // that switches
}

// startColours starts a worker, both colours and the proxy. Between proxy and green is what can make green sick.
func startColours(t *testing.T) *twoColours {
	t.Helper()
	f := newFolder(t)
	c := &twoColours{processes: map[string]*process{}}
	blue := f
	if *previous != "" {
		old := *f
		old.bin, blue = *previous, &old
	}
	// Blue made the folder, at its version of the schema; green comes with its own beside it.
	c.processes["blue"] = blue.start(t, nil, "api")
	c.blue = c.processes["blue"].url(t)
	blue.start(t, nil, "worker")
	ready(t, c.blue)
	c.processes["green"] = f.start(t, nil, "api")
	green := c.processes["green"].url(t)
	c.green = c.between(t, green)

	switches, dir := t.TempDir(), t.TempDir()
	c.proxy, _ = freePort(t)
	caddy := exec.Command("caddy", "run", "--adapter", "caddyfile", "--config", "../../deploy/bluegreen/Caddyfile")
	caddy.Env = []string{
		"HOME=" + dir, "LISTEN=" + c.proxy, "SWITCH=" + switches,
		"BLUE=" + strings.TrimPrefix(c.blue, "http://"), "GREEN=" + strings.TrimPrefix(c.green, "http://"),
	}
	caddy.Stderr = t.Output()
	if err := caddy.Start(); err != nil {
		t.Fatalf("caddy (Debian: apt-get install caddy): %v", err)
	}
	t.Cleanup(func() {
		_ = caddy.Process.Kill() // it may have ended
		_ = caddy.Wait()
	})
	ready(t, c.proxy)

	password := filepath.Join(dir, "password")
	if err := os.WriteFile(password, []byte("test123\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	command := filepath.Join(dir, "bluegreen")
	if out, err := exec.Command("go", "build", "-o", command, "../../deploy/bluegreen").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c.command = []string{
		command, "-switch", switches, "-proxy", c.proxy, "-blue", c.blue, "-green", c.green,
		"-user", "testuser", "-password-file", password, "-wait", "3s", "-watch", "3s",
	}
	return c
}

// between leads to a colour, and answers for it that it is not ready while c.sick is set.
func (c *twoColours) between(t *testing.T, to string) string {
	t.Helper()
	target, err := url.Parse(to)
	if err != nil {
		t.Fatal(err)
	}
	through := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c.sick.Load() && r.URL.Path == api.PathReady {
			http.Error(w, "sick", http.StatusServiceUnavailable)
			return
		}
		through.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// turn has the command switch to the colour that the last argument names.
func (c *twoColours) turn(t *testing.T, args ...string) (output string, ok bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	out, err := exec.CommandContext(ctx, c.command[0], append(c.command[1:len(c.command):len(c.command)], args...)...).CombinedOutput()
	return string(out), err == nil
}

// crowd predicts by the proxy without a pause, and counts what it gets.
type crowd struct {
	answered atomic.Int64
	mu       sync.Mutex
	failed   []string
}

func startCrowd(t *testing.T, url string, clients int) *crowd {
	t.Helper()
	c := &crowd{}
	token := tokenOf(t, url, "testuser", "test123")
	transport := &http.Transport{MaxIdleConnsPerHost: clients}
	client, err := api.New(url, api.Options{
		Token:      func(context.Context) (string, error) { return token, nil },
		HTTPClient: &http.Client{Transport: transport, Timeout: 10 * time.Second},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var all sync.WaitGroup
	for i := range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				_, err := client.Predict(context.Background(), []float64{float64(i), 1}) // one that has begun is to end
				if err == nil {
					c.answered.Add(1)
					continue
				}
				c.mu.Lock()
				c.failed = append(c.failed, err.Error())
				c.mu.Unlock()
			}
		})
	}
	t.Cleanup(func() {
		cancel()
		all.Wait()
		transport.CloseIdleConnections()
	})
	return c
}

// goesOn waits for more answers, and reports those that failed so far.
func (c *crowd) goesOn(t *testing.T, when string) {
	t.Helper()
	have := c.answered.Load()
	eventually(t, "the crowd is answered "+when, func() bool { return c.answered.Load() > have+200 })
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.failed) > 0 {
		t.Fatalf("%s, %d requests have failed and %d not; the first: %s", when, len(c.failed), c.answered.Load(), c.failed[0])
	}
}

// served is the number of predictions that a colour answered.
func served(t *testing.T, url string) string {
	t.Helper()
	res, err := http.Get(url + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.SplitSeq(string(text), "\n") {
		if strings.HasPrefix(line, "api_requests_total{") && strings.Contains(line, `endpoint="/predict"`) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// serves checks that one colour has the traffic, and the other none.
func (c *twoColours) serves(t *testing.T, crowd *crowd, colour, other, when string) {
	t.Helper()
	at, idle := served(t, colour), served(t, other)
	crowd.goesOn(t, when)
	if served(t, colour) == at || served(t, other) != idle {
		t.Fatalf("%s: who should serve went from %q to %q, the other from %q to %q", when, at, served(t, colour), idle, served(t, other))
	}
}

// Traffic changes its colour, and changes back from a broken one, and no client notices.
func TestIntegrationBlueGreen(t *testing.T) {
	t.Parallel()
	c := startColours(t)
	crowd := startCrowd(t, c.proxy, 8)
	c.serves(t, crowd, c.blue, c.green, "at first")

	// A folder that the proxy does not look into switches nothing.
	out, ok := c.turn(t, "-switch", t.TempDir(), "green")
	if ok || strings.Contains(out, "green serves") || !strings.Contains(out, "the proxy leads to another process") {
		t.Fatalf("by another folder:\n%s", out)
	}
	c.serves(t, crowd, c.blue, c.green, "after a switch that was none")
	out, ok = c.turn(t, "green")
	if !ok || !strings.Contains(out, "green is ready and predicts with v") || !strings.Contains(out, "nothing runs on blue any more") {
		t.Fatalf("to green:\n%s", out)
	}
	c.serves(t, crowd, c.green, c.blue, "after the switch to green")
	if out, ok = c.turn(t, "blue"); !ok || !strings.Contains(out, "nothing runs on green any more") {
		t.Fatalf("and back:\n%s", out)
	}
	c.serves(t, crowd, c.blue, c.green, "after the switch back to blue")

	// Green turns sick when it has the traffic: blue gets it back.
	done := make(chan struct{})
	go func() {
		defer close(done)
		within(patience, func() bool { _, err := os.Stat(filepath.Join(c.command[2], "green")); return err == nil })
		c.sick.Store(true)
	}()
	out, ok = c.turn(t, "green")
	<-done
	if ok || !strings.Contains(out, "green serves") || !strings.Contains(out, "green failed under traffic, blue serves again") {
		t.Fatalf("to a green that turns sick:\n%s", out)
	}
	c.serves(t, crowd, c.blue, c.green, "after green turned sick")
	// While it is sick it gets none.
	if out, ok = c.turn(t, "green"); ok || !strings.Contains(out, "green is not ready, the traffic stays on blue") {
		t.Fatalf("to a sick green:\n%s", out)
	}
	c.serves(t, crowd, c.blue, c.green, "after green was refused")
	c.sick.Store(false)
	if out, ok = c.turn(t, "green"); !ok {
		t.Fatalf("to green, well again:\n%s", out)
	}
	// Who has no traffic is stopped for the next release.
	c.processes["blue"].stop(t)
	crowd.goesOn(t, "without blue")
	if out, ok = c.turn(t, "blue"); ok || !strings.Contains(out, "blue is not ready, the traffic stays on green") {
		t.Fatalf("to a blue that was stopped:\n%s", out)
	}
	crowd.goesOn(t, "at the end")
	t.Logf("figure: six switches, two of them refused and two taken back: %d predictions answered, none failed", crowd.answered.Load())
}
