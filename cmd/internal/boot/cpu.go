package boot

import (
	"errors"
	"sync"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
)

// cpuWindow is the least time over which the load is measured. Two who scrape one after the other would
// otherwise each see the moment between them, and an alert would hang on that.
const cpuWindow = 10 * time.Second

// cpuTime is the time that all cores have spent since the host's start, in seconds.
type cpuTime struct{ busy, idle float64 }

// cpuLoad measures the busy share of the cores between now and a mark that lies cpuWindow back or more,
// however often it is read.
type cpuLoad struct {
	clock func() time.Time
	times func() (cpuTime, error)

	mu     sync.Mutex
	latest cpuTime // never less than before: idle time that a host takes back would look like a restart
	mark   cpuTime
	next   cpuTime // becomes the mark once it is old enough
	nextAt time.Time
}

func newCPULoad(clock func() time.Time, times func() (cpuTime, error)) *cpuLoad {
	l := &cpuLoad{clock: clock, times: times, nextAt: clock()}
	if t, err := times(); err == nil { // the first scrape tells an error
		l.latest, l.mark, l.next = t, t, t
	}
	return l
}

// read returns the times and the busy share in percent since the mark.
func (l *cpuLoad) read() (cpuTime, float64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t, err := l.times()
	if err != nil {
		return cpuTime{}, 0, err
	}
	l.latest = cpuTime{max(l.latest.busy, t.busy), max(l.latest.idle, t.idle)}
	if now := l.clock(); now.Sub(l.nextAt) >= cpuWindow {
		l.mark, l.next, l.nextAt = l.next, l.latest, now
	}
	busy, idle := l.latest.busy-l.mark.busy, l.latest.idle-l.mark.idle
	if busy+idle <= 0 {
		return l.latest, 0, nil
	}
	return l.latest, 100 * busy / (busy + idle), nil
}

// cpuTimes reads the host. Time that waits for a disk is idle, and a guest's is its host's busy time.
func cpuTimes() (cpuTime, error) {
	all, err := cpu.Times(false)
	if err != nil {
		return cpuTime{}, err
	}
	if len(all) != 1 {
		return cpuTime{}, errors.New("the host tells no time of its cores")
	}
	t := all[0]
	return cpuTime{busy: t.User + t.System + t.Nice + t.Irq + t.Softirq + t.Steal, idle: t.Idle + t.Iowait}, nil
}
