package boot

import (
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

// Two who scrape, one right after the other, see the same load: not the first that of a minute, and the
// second that of the moment since.
func TestTwoScrapersSeeTheSameLoad(t *testing.T) {
	t.Parallel()
	at, host := time.Unix(1000, 0), cpuTime{busy: 500, idle: 1500}
	l := newCPULoad(func() time.Time { return at }, func() (cpuTime, error) { return host, nil })
	pass := func(d time.Duration, share float64) {
		at = at.Add(d)
		host.busy += share * d.Seconds()
		host.idle += (1 - share) * d.Seconds()
	}
	expect := func(when string, want float64) {
		t.Helper()
		if _, got, err := l.read(); err != nil || got < want-0.1 || got > want+0.1 {
			t.Errorf("%s: %.2f %%, %v; want %v", when, got, err, want)
		}
	}
	expect("at the start", 0)
	for range 4 {
		pass(15*time.Second, 0.4)
		expect("the first scraper", 40)
		pass(10*time.Millisecond, 1) // busy with that scrape
		expect("the second scraper", 40)
		expect("the second scraper again", 40)
	}
	for range 8 { // a busy host is seen as soon as the time is full
		pass(2*time.Second, 1)
		_, _, _ = l.read()
	}
	if _, got, _ := l.read(); got < 60 {
		t.Errorf("after 16 s of all cores busy: %.0f %%", got)
	}
}

func TestTheCountersOfTheHostNeverFall(t *testing.T) {
	t.Parallel()
	answers := []cpuTime{{10, 20}, {11, 20}, {12, 19}}
	broken := errors.New("no /proc")
	l := newCPULoad(time.Now, func() (cpuTime, error) {
		if len(answers) == 0 {
			return cpuTime{}, broken
		}
		next := answers[0]
		answers = answers[1:]
		return next, nil
	})
	if got, percent, _ := l.read(); got != (cpuTime{11, 20}) || percent != 100 {
		t.Errorf("got %v, %v %%", got, percent)
	}
	if got, _, _ := l.read(); got != (cpuTime{12, 20}) {
		t.Errorf("got %v: idle time that the host takes back looks like a restart", got)
	}
	if _, _, err := l.read(); !errors.Is(err, broken) {
		t.Errorf("got %v, want the host's error", err)
	}
}

func TestTheHostIsTold(t *testing.T) {
	t.Parallel()
	reg := prometheus.NewRegistry()
	if err := RegisterBasics(reg, "test", "development", t.TempDir()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{
		"system_cpu_usage_percent": 1, "system_cpu_seconds_total": 2, "system_memory_usage_bytes": 2,
		"system_disk_usage_bytes": 2, "system_network_bytes_total": 2, "system_disk_io_bytes_total": 2, "app_info": 1,
	} {
		if n, err := testutil.GatherAndCount(reg, name); err != nil || n != want {
			t.Errorf("%s: %d series, %v; want %d", name, n, err, want)
		}
	}
	busy, err := cpuTimes()
	if err != nil || busy.busy <= 0 || busy.idle <= 0 {
		t.Errorf("cores: %+v, %v", busy, err)
	}
}
