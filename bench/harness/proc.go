package harness

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// clockTick is the unit of times in /proc/<pid>/stat: USER_HZ, 100 a second on Linux.
const clockTick = 10 * time.Millisecond

// CPU is the processor time that the processes and their living descendants have used.
func CPU(pids ...int) (time.Duration, error) {
	stats, err := readStats()
	if err != nil {
		return 0, err
	}
	var ticks int64
	for _, s := range tree(stats, pids) {
		ticks += s.ticks
	}
	return time.Duration(ticks) * clockTick, nil
}

// RSS is the resident memory of the processes and their descendants in bytes.
func RSS(pids ...int) (int64, error) {
	stats, err := readStats()
	if err != nil {
		return 0, err
	}
	var pages int64
	for _, s := range tree(stats, pids) {
		pages += s.pages
	}
	return pages * int64(os.Getpagesize()), nil
}

type stat struct {
	pid, parent  int
	ticks, pages int64
}

func tree(stats []stat, roots []int) []stat {
	in := map[int]bool{}
	for _, pid := range roots {
		in[pid] = true
	}
	for grown := true; grown; {
		grown = false
		for _, s := range stats {
			if !in[s.pid] && in[s.parent] {
				in[s.pid], grown = true, true
			}
		}
	}
	var out []stat
	for _, s := range stats {
		if in[s.pid] {
			out = append(out, s)
		}
	}
	return out
}

func readStats() ([]stat, error) {
	files, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return nil, err
	}
	var out []stat
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			continue // it ended meanwhile
		}
		s, err := parseStat(string(b))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f, err)
		}
		out = append(out, s)
	}
	return out, nil
}

// parseStat reads a line of proc(5): the name in parentheses may hold blanks and parentheses.
func parseStat(line string) (stat, error) {
	open, end := strings.IndexByte(line, '('), strings.LastIndexByte(line, ')')
	if open < 1 || end < open {
		return stat{}, fmt.Errorf("not a stat line: %q", line)
	}
	fields := strings.Fields(line[end+1:])
	const state = 3 // fields[0] is field 3 in the manual's counting
	if len(fields) < 25-state {
		return stat{}, fmt.Errorf("only %d fields", len(fields))
	}
	var firstErr error
	num := func(field int) int64 {
		n, err := strconv.ParseInt(fields[field-state], 10, 64)
		if err != nil && firstErr == nil {
			firstErr = err
		}
		return n
	}
	pid, err := strconv.Atoi(strings.TrimSpace(line[:open]))
	if err != nil {
		return stat{}, err
	}
	s := stat{pid: pid, parent: int(num(4)), ticks: num(14) + num(15), pages: num(24)}
	return s, firstErr
}
