package bounds

import "sync"

// Places bound how much of something goes on at once: in all, and for one caller.
type Places struct {
	all, each int

	mu      sync.Mutex
	taken   int
	callers map[string]int // places of each
}

// NewPlaces returns so many places in all, of which one caller may have so many.
func NewPlaces(all, each int) *Places {
	return &Places{all: all, each: each, callers: map[string]int{}}
}

// Take takes a place, which must be given back. If there is none, giveBack is nil, and own says that
// it is the caller who has too many.
func (p *Places) Take(caller string) (giveBack func(), own bool) { return p.TakeBut(0, caller) }

// TakeBut takes a place if so many others are left.
func (p *Places) TakeBut(left int, caller string) (giveBack func(), own bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if own = p.callers[caller] == p.each; own || p.taken >= p.all-left {
		return nil, own
	}
	p.taken++
	p.callers[caller]++
	return func() { p.giveBack(caller) }, false
}

func (p *Places) giveBack(caller string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.taken--
	if p.callers[caller]--; p.callers[caller] == 0 {
		delete(p.callers, caller)
	}
}

// InUse is how many places are taken.
func (p *Places) InUse() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.taken
}
