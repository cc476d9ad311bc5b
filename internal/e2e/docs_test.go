package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"iacontinu/docs"
)

// TestTheReadmeIsTrue types in what README.md and docs/operations.md say of make run, in a copy of this tree.
func TestTheReadmeIsTrue(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "iacontinu")
	copyTree(t, dir)
	if err := os.CopyFS(filepath.Join(dir, "bin"), os.DirFS(binDir)); err != nil {
		t.Fatal(err)
	}
	url, apiPort := freePort(t)
	_, uiPort := freePort(t)
	reader := &reader{dir: dir, apiPort: apiPort, env: append(os.Environ(),
		"API_PORT="+apiPort, "UI_PORT="+uiPort, "API_URL="+url,
		"MONITORING_INTERVAL=87600h", "DRIFT_DETECTOR=statistical")}

	run := reader.blocks(t, "run")
	if first, _, _ := strings.Cut(run[0].Commands[0].Text, " "); first != "make" {
		t.Fatalf("%s does not begin by make run", run[0].Where)
	}
	cmd := exec.Command("make", "run", "LDFLAGS="+ldflags) // what was built is up to date then
	cmd.Dir, cmd.Env, cmd.SysProcAttr = dir, reader.env, &syscall.SysProcAttr{Setpgid: true}
	platform := watch(t, "make run", cmd)
	t.Cleanup(func() { _ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }) // it may have ended
	platform.logged(t, "model swapped", nil)
	for _, block := range run[1:] {
		reader.typeIn(t, block)
	}

	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil { // Ctrl-C
		t.Fatal(err)
	}
	select {
	case <-platform.done:
	case <-time.After(11 * time.Second):
		t.Fatal("it still runs 11 s after Ctrl-C")
	}
	reader.before = ""
	for _, block := range reader.blocks(t, "stopped") {
		reader.typeIn(t, block)
	}
	if _, err := os.Stat(filepath.Join(dir, "data", "ia_continu_solution.db")); err != nil {
		t.Errorf("after the restore: %v", err)
	}
}

// reader types in what a page says.
type reader struct {
	dir, apiPort string
	env          []string
	before       string   // blocks of sh: they set what later ones use
	numbers      []string // of data sets: what the page says, and what it is here
}

func (r *reader) blocks(t *testing.T, mark string) []docs.Block {
	t.Helper()
	var all []docs.Block
	for _, page := range []string{"README.md", "docs/operations.md"} {
		text, err := os.ReadFile(filepath.Join(r.dir, page))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, docs.Executed(page, string(text), mark)...)
	}
	if len(all) == 0 {
		t.Fatalf("no block is marked %q", mark)
	}
	return all
}

func (r *reader) typeIn(t *testing.T, block docs.Block) {
	t.Helper()
	for _, command := range block.Commands {
		text := strings.NewReplacer(append([]string{"localhost:8000", "127.0.0.1:" + r.apiPort}, r.numbers...)...).Replace(command.Text)
		cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail", "-c", r.before+text)
		cmd.Dir, cmd.Env = r.dir, r.env
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s: %s: %v\n%s", block.Where, text, err, out)
		}
		if block.Console {
			r.compare(t, block.Where, command, string(out))
		} else {
			r.before += text
		}
	}
}

var (
	key     = regexp.MustCompile(`"[a-z_]+":`)
	figure  = regexp.MustCompile(`v\d{8}-\d{6}-\d+|\d+(\.\d+)?(ms|µs|s)?`)
	setting = regexp.MustCompile(`[A-Z_]+=\S+ `) // those that this reader has, in a command that an answer advises
	dataset = regexp.MustCompile(`^dataset (\d+):`)
)

// compare holds an answer to that of the page: JSON by its fields, text by all but its figures.
func (r *reader) compare(t *testing.T, where string, command docs.Command, got string) {
	t.Helper()
	if strings.HasPrefix(command.Answer, "{") {
		for _, field := range key.FindAllString(command.Answer, -1) {
			if !strings.Contains(got, field) {
				t.Errorf("%s: the answer to %s lacks %s:\n%s", where, command.Text, field, got)
			}
		}
		return
	}
	want, got := strings.TrimSpace(command.Answer), setting.ReplaceAllString(strings.TrimSpace(got), "")
	if said, is := dataset.FindStringSubmatch(want), dataset.FindStringSubmatch(got); said != nil && is != nil {
		r.numbers = append(r.numbers, "--dataset "+said[1], "--dataset "+is[1])
	}
	if figure.ReplaceAllString(got, "#") != figure.ReplaceAllString(want, "#") {
		t.Errorf("%s: %s answers\n%s\nthe page says\n%s", where, command.Text, got, want)
	}
}

// copyTree is what a clone would have, with what has been changed since.
func copyTree(t *testing.T, dir string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others", "--exclude-standard", "-z")
	list.Dir = "../.."
	out, err := list.Output()
	if err != nil {
		t.Fatalf("list the files of the repository: %v", err)
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(out), "\x00"), "\x00") {
		from := filepath.Join("../..", name)
		info, err := os.Stat(from)
		if os.IsNotExist(err) { // removed since
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, b, info.Mode().Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}
