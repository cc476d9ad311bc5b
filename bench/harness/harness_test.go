package harness

import (
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	t.Parallel()
	const line = "42 (a (b) c) S 7 42 42 0 -1 4194560 100 0 0 0 150 50 9 9 20 0 1 0 1000 5000000 321 18446744073709551615 1"
	got, err := parseStat(line)
	if err != nil {
		t.Fatal(err)
	}
	if want := (stat{pid: 42, parent: 7, ticks: 200, pages: 321}); got != want {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for _, bad := range []string{"", "42", "42 (x) S 1 2", "42 (x) S x 42 42 0 -1 1 1 0 0 0 1 5 9 9 20 0 1 0 1 5 3 1 1"} {
		if _, err := parseStat(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}

func TestTreeFollowsDescendants(t *testing.T) {
	t.Parallel()
	// The grandchild comes before its parent.
	stats := []stat{{pid: 3, parent: 2, ticks: 1}, {pid: 1, ticks: 10}, {pid: 2, parent: 1, ticks: 100}, {pid: 9, parent: 8, ticks: 1000}}
	var ticks int64
	for _, s := range tree(stats, []int{1}) {
		ticks += s.ticks
	}
	if ticks != 111 {
		t.Fatalf("counted %d ticks, want 111", ticks)
	}
}

func TestStartPassesTheEnvironment(t *testing.T) {
	t.Parallel()
	log := filepath.Join(t.TempDir(), "out")
	p, err := Start(t.Context(), Command{Args: []string{"sh", "-c", "echo $WORD"}, Env: []string{"WORD=here"}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	<-p.done
	out, err := os.ReadFile(log)
	if err != nil || string(out) != "here\n" {
		t.Errorf("output %q, %v", out, err)
	}
	if _, err := p.WaitReady(t.Context(), "http://127.0.0.1:1/", time.Minute); err == nil || !strings.Contains(err.Error(), "here") {
		t.Errorf("waiting for a process that has ended: %v, want its output", err)
	}
}

// TestStopReachesTheGroup: a server's own children must not outlive it.
func TestStopReachesTheGroup(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := Start(t.Context(), Command{Args: []string{"sh", "-c", "exec 3>fifo; sleep 60 & wait"}, Dir: dir, Log: filepath.Join(dir, "out")})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(fifo) // returns once the shell has opened it
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if rss, err := RSS(p.PID()); err != nil || rss <= 0 {
		t.Errorf("resident memory %d, %v", rss, err)
	}
	if err := p.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := io.ReadAll(f); err != nil { // ends when the last process that holds the fifo is gone
		t.Error(err)
	}
}

func TestMedian(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		in   []float64
		want float64
	}{{[]float64{3, 1, 2}, 2}, {[]float64{4, 1}, 2.5}, {[]float64{5}, 5}} {
		if got := Median(test.in); got != test.want {
			t.Errorf("Median(%v) = %v, want %v", test.in, got, test.want)
		}
	}
	if !math.IsNaN(Median(nil)) {
		t.Error("the median of nothing is a number")
	}
}
