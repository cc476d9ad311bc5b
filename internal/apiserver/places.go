package apiserver

import "sync"

// places bound how much of something goes on at once: in all, and for one caller.
type places struct {
	all, each int

	mu      sync.Mutex
	taken   int
	callers map[string]int // places of each
}

func newPlaces(all, each int) *places {
	return &places{all: all, each: each, callers: map[string]int{}}
}

// take takes a place, which must be given back. If there is none, giveBack is nil, and own says that
// it is the caller who has too many.
func (p *places) take(caller string) (giveBack func(), own bool) { return p.takeBut(0, caller) }

// takeBut takes a place if so many others are left.
func (p *places) takeBut(left int, caller string) (giveBack func(), own bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if own = p.callers[caller] == p.each; own || p.taken >= p.all-left {
		return nil, own
	}
	p.taken++
	p.callers[caller]++
	return func() { p.giveBack(caller) }, false
}

func (p *places) giveBack(caller string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.callers[caller]--; p.callers[caller] == 0 {
		delete(p.callers, caller)
	}
}
