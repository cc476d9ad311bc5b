package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"
)

// progress shows on a terminal how far long work has come; elsewhere, and of work of unknown size, it shows nothing.
type progress struct {
	out         io.Writer
	verb        string
	done, total int64
	next        time.Time
	shown       bool
}

func newProgress(out io.Writer, verb string, total int64) *progress {
	p := &progress{verb: verb, total: total}
	if total > 0 && isTerminal(out) {
		p.out = out
	}
	return p
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// Write counts bytes, so that a progress can sit behind an io.TeeReader.
func (p *progress) Write(b []byte) (int, error) {
	p.set(p.done + int64(len(b)))
	return len(b), nil
}

func (p *progress) set(done int64) {
	p.done = done
	if now := time.Now(); p.out != nil && now.After(p.next) {
		p.next, p.shown = now.Add(200*time.Millisecond), true
		fmt.Fprintf(p.out, "\r%3d%% %s", 100*done/p.total, p.verb)
	}
}

func (p *progress) end() {
	if p.shown {
		fmt.Fprint(p.out, "\r\033[K")
	}
}
