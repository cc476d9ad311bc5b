package presence_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"iacontinu/internal/ml"
	"iacontinu/internal/presence"
)

// TestMain lets the test binary be its own child: one that is present until it is killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("PRESENCE_CHILD"); dir != "" {
		os.Exit(child(dir, os.Getenv("PRESENCE_EXCLUSIVE")))
	}
	os.Exit(m.Run())
}

func child(dir, exclusive string) int {
	join := func() (*presence.Member, error) { return presence.Join(dir, "worker") }
	if exclusive != "" {
		join = func() (*presence.Member, error) { return presence.Exclusive(dir, exclusive) }
	}
	member, err := join()
	if err != nil {
		fmt.Println("error:", err)
		return 1
	}
	fmt.Println(member.ID())
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the parent kills us
	return 0
}

// startChild runs a child and returns it with the id under which it joined.
func startChild(t *testing.T, dir, exclusive string) (*exec.Cmd, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "PRESENCE_CHILD="+dir, "PRESENCE_EXCLUSIVE="+exclusive)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = stdin.Close(); _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return cmd, strings.TrimSpace(line)
}

func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) {
		t.Fatal(err)
	}
}

func mustAlive(t *testing.T, dir, id string, want bool) {
	t.Helper()
	got, err := presence.Alive(dir, id)
	if err != nil {
		t.Fatal(err)
	}
	if got != want {
		t.Errorf("Alive(%q) = %v, want %v", id, got, want)
	}
}

func TestMemberLivesUntilKilled(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, id := startChild(t, dir, "")
	if !strings.HasPrefix(id, "worker-"+strconv.Itoa(cmd.Process.Pid)+"-") {
		t.Errorf("id %q does not name the process %d", id, cmd.Process.Pid)
	}
	mustAlive(t, dir, id, true)
	kill(t, cmd)
	mustAlive(t, dir, id, false)
}

func TestMemberLivesUntilClosed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, err := presence.Join(dir, "api")
	if err != nil {
		t.Fatal(err)
	}
	mustAlive(t, dir, m.ID(), true)
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
	mustAlive(t, dir, m.ID(), false)
}

func TestAliveOfStrangers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	mustAlive(t, dir, "", false)
	mustAlive(t, dir, "worker-1-never", false)
	for _, id := range []string{"../worker", "a/b", ".."} {
		if _, err := presence.Alive(dir, id); err == nil {
			t.Errorf("Alive(%q) has no error", id)
		}
	}
}

func TestExclusiveNamesItsHolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	cmd, id := startChild(t, dir, "up")
	if id != "up" {
		t.Fatalf("child: %s", id)
	}
	_, err := presence.Exclusive(dir, "up")
	if ml.CodeOf(err) != ml.CodeConflict {
		t.Fatalf("error %v has code %q", err, ml.CodeOf(err))
	}
	for _, want := range []string{`"up"`, "process " + strconv.Itoa(cmd.Process.Pid), dir} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %s", err, want)
		}
	}
	if other, err := presence.Exclusive(dir, "restore"); err != nil {
		t.Errorf("another name is refused: %v", err)
	} else if err := other.Close(); err != nil {
		t.Error(err)
	}
	kill(t, cmd)
	m, err := presence.Exclusive(dir, "up")
	if err != nil {
		t.Fatalf("after the holder's death: %v", err)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestJoinRemovesTheFilesOfTheDead(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	dead, deadID := startChild(t, dir, "")
	_, liveID := startChild(t, dir, "")
	kill(t, dead)
	m, err := presence.Join(dir, "worker")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	if _, err := os.Stat(filepath.Join(dir, "run", deadID+".lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead member's file is still there: %v", err)
	}
	mustAlive(t, dir, liveID, true)
	mustAlive(t, dir, m.ID(), true)
}

// Members that join while others remove dead files must never lose their own.
func TestManyJoinAtOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 50 {
				m, err := presence.Join(dir, "worker")
				if err != nil {
					t.Error(err)
					return
				}
				if alive, err := presence.Alive(dir, m.ID()); err != nil || !alive {
					t.Errorf("%s joined and is not alive: %v", m.ID(), err)
				}
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
}

// Of many that want one name, one at a time has it.
func TestExclusiveIsExclusive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var mu sync.Mutex
	holders, won := 0, 0
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				m, err := presence.Exclusive(dir, "up")
				if ml.CodeOf(err) == ml.CodeConflict {
					continue
				}
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				holders++
				won++
				if holders > 1 {
					t.Errorf("%d hold the name", holders)
				}
				mu.Unlock()
				mu.Lock()
				holders--
				mu.Unlock()
				if err := m.Close(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if won == 0 {
		t.Error("no one got the name")
	}
}

func TestAMemberLeavesWord(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	m, err := presence.Join(dir, "flow")
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	for _, text := range []string{"a long word for all", "short", ""} {
		if err := m.Note(text); err != nil {
			t.Fatal(err)
		}
		if got := presence.Note(dir, m.ID()); got != text {
			t.Errorf("noted %q, read %q", text, got)
		}
	}
	if got := presence.Note(dir, "flow-1-nobody"); got != "" {
		t.Errorf("nobody noted %q", got)
	}
}
