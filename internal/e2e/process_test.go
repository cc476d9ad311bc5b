package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"iacontinu/internal/api"
)

var built = flag.String("bin", "", "folder of the binaries under test; made anew if it is not given")

// binDir holds the binaries under test.
var binDir string

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		if *built != "" {
			binDir = *built
			return m.Run()
		}
		dir, err := os.MkdirTemp("", "iacontinu-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		binDir = dir
		build := exec.Command("go", "build", "-trimpath", "-ldflags", ldflags, // as make build does
			"-o", dir+string(filepath.Separator), "../../cmd/...")
		build.Stdout, build.Stderr = os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "e2e: build the binaries:", err)
			return 1
		}
		return m.Run()
	}())
}

// revision is the commit that the binaries say they are of.
const revision = "0123456789abcdef0123456789abcdef01234567"

const ldflags = "-X iacontinu/cmd/internal/boot.revision=" + revision

// patience bounds each wait for something that must happen; it is generous because several tests
// share two cores.
const patience = 60 * time.Second

// folder is an empty place to run on.
type folder struct {
	dir string
	env []string // settings of every process
	bin string   // where its binaries are
}

func newFolder(t *testing.T, env ...string) *folder {
	t.Helper()
	return &folder{dir: t.TempDir(), bin: binDir, env: append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(),
		"API_HOST=127.0.0.1", "API_PORT=0", "UI_HOST=127.0.0.1", "UI_PORT=0", "WORKER_PORT=0", "FLOW_PORT=0",
		"IACONTINU_DEMO_USERS=true",
		// No retraining, unless a test asks for it: the first check comes at once, and finds no rows. The
		// next comes when ten years are full, which is no hour that a test may meet.
		"MONITORING_INTERVAL=87600h", "DRIFT_DETECTOR=statistical",
		"MLFLOW_TRACKING_URI=off",
	}, env...)}
}

func (f *folder) database() string { return filepath.Join(f.dir, "data", "ia_continu_solution.db") }

// process is a running binary. Its log is kept and shown if the test fails.
type process struct {
	name string
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended
	err  error         // of Wait, after done

	mu    sync.Mutex
	lines []string
	grown chan struct{} // closed and replaced at each new line
}

// start runs a binary; it is killed at the end of the test if it still runs.
func (f *folder) start(t *testing.T, env []string, name string, args ...string) *process {
	t.Helper()
	cmd := exec.Command(filepath.Join(f.bin, name), args...)
	cmd.Dir = f.dir
	cmd.Env = append(append([]string{}, f.env...), env...)
	return watch(t, name, cmd)
}

// watch starts a command and reads its log.
func watch(t *testing.T, name string, cmd *exec.Cmd) *process {
	t.Helper()
	p := &process{name: name, cmd: cmd, done: make(chan struct{}), grown: make(chan struct{})}
	stderr, err := p.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.read(stderr)
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			p.mu.Lock()
			defer p.mu.Unlock()
			t.Logf("log of %s, without its requests:\n%s", name, strings.Join(slices.DeleteFunc(p.lines, func(line string) bool {
				return strings.Contains(line, `"msg":"request"`)
			}), "\n"))
		}
	})
	return p
}

func (p *process) read(r io.Reader) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		p.mu.Lock()
		p.lines = append(p.lines, lines.Text())
		close(p.grown)
		p.grown = make(chan struct{})
		p.mu.Unlock()
	}
}

// kill ends the process as a power cut would and waits until it is gone.
func (p *process) kill() {
	_ = p.cmd.Process.Kill() // it may have ended already
	<-p.done
}

// stop asks for an ordered stop and checks that it ends within the promised 10 s.
func (p *process) stop(t *testing.T) {
	t.Helper()
	if err := p.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatalf("stop %s: %v", p.name, err)
	}
	select {
	case <-p.done:
		if p.err != nil {
			t.Errorf("%s ended with %v after SIGTERM, want 0", p.name, p.err)
		}
	case <-time.After(11 * time.Second):
		t.Errorf("%s still runs 11 s after SIGTERM", p.name)
		p.kill()
	}
}

// entry is one line of a JSON log.
type entry map[string]any

// logged waits for a line of the log with that message for which ok holds; ok may be nil.
func (p *process) logged(t *testing.T, message string, ok func(entry) bool) entry {
	t.Helper()
	timeout := time.After(patience)
	for seen := 0; ; {
		p.mu.Lock()
		lines, grown := p.lines[seen:], p.grown
		seen = len(p.lines)
		p.mu.Unlock()
		for _, line := range lines {
			var e entry
			if json.Unmarshal([]byte(line), &e) == nil && e["msg"] == message && (ok == nil || ok(e)) {
				return e
			}
		}
		select {
		case <-grown:
		case <-p.done:
			t.Fatalf("%s ended (%v) without logging %q", p.name, p.err, message)
		case <-timeout:
			t.Fatalf("%s did not log %q within %s", p.name, message, patience)
		}
	}
}

// url waits until the API takes requests and returns where.
func (p *process) url(t *testing.T) string {
	t.Helper()
	url, _ := p.logged(t, "ready", nil)["url"].(string)
	if url == "" {
		t.Fatalf("%s: the ready line names no url", p.name)
	}
	return url
}

// run runs a command of the operator to its end.
func (f *folder) run(t *testing.T, env []string, stdin, name string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(f.bin, name), args...)
	cmd.Dir = f.dir
	cmd.Env = append(append([]string{}, f.env...), env...)
	var out, errs strings.Builder
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("run %s %v: %v", name, args, err)
	}
	return out.String(), errs.String(), cmd.ProcessState.ExitCode()
}

// must runs a command of the operator that has to succeed and returns what it prints.
func (f *folder) must(t *testing.T, env []string, args ...string) string {
	t.Helper()
	out, errs, code := f.run(t, env, "", "iacontinu", args...)
	if code != 0 {
		t.Fatalf("iacontinu %s: exit code %d\n%s%s", strings.Join(args, " "), code, out, errs)
	}
	return out
}

// login returns a client that acts as one of the demo users.
func login(t *testing.T, url, username, password string) *api.Client {
	t.Helper()
	token := tokenOf(t, url, username, password)
	client, err := api.New(url, api.Options{Token: func(context.Context) (string, error) { return token, nil }})
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func tokenOf(t *testing.T, url, username, password string) string {
	t.Helper()
	anonymous, err := api.New(url, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := anonymous.Login(t.Context(), username, password)
	if err != nil {
		t.Fatal(err)
	}
	return answer.AccessToken
}

// ready waits until a model serves.
func ready(t *testing.T, url string) {
	t.Helper()
	anonymous, err := api.New(url, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a model serves", func() bool {
		_, err := anonymous.Ready(t.Context())
		return err == nil
	})
}

// eventually asks again until the answer is yes.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	if !within(patience, yes) {
		t.Fatalf("not within %s: %s", patience, what)
	}
}

// within asks again until the answer is yes, for so long.
func within(patience time.Duration, yes func() bool) bool {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for !yes() {
		select {
		case <-tick.C:
		case <-timeout:
			return false
		}
	}
	return true
}
