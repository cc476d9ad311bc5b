package queue

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A lock that passes is no flood of errors: each part of River warns of it once a minute. All else is
// passed on as it is.
func TestRiverWarnsOfALockOnceAMinute(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		l := riverLogger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.LevelKey || a.Key == slog.MessageKey {
					return a
				}
				return slog.Attr{}
			},
		})))
		for range 7 { // each 10 s, for a minute
			l.Error("producer: Error fetching jobs", "err", "database is locked")
			l.With("queue", "retrain").Error("producer: Error fetching jobs", "err", "timed out after 10s: context deadline exceeded")
			l.Error("maintenance.JobScheduler: Error scheduling jobs", "error", errors.New("error starting transaction: database is locked"))
			<-time.After(10 * time.Second)
		}
		l.Error("producer: Error fetching jobs", "err", "database or disk is full")
		l.Error("producer: Error fetching jobs", "err", "database or disk is full")
		l.Info("producer: Heartbeat")
		want := []string{
			`level=WARN msg="producer: Error fetching jobs"`,
			`level=WARN msg="maintenance.JobScheduler: Error scheduling jobs"`,
			`level=WARN msg="producer: Error fetching jobs"`,
			`level=WARN msg="maintenance.JobScheduler: Error scheduling jobs"`,
			`level=ERROR msg="producer: Error fetching jobs"`,
			`level=ERROR msg="producer: Error fetching jobs"`,
		}
		if d := cmp.Diff(want, strings.Split(strings.TrimSpace(out.String()), "\n")); d != "" {
			t.Errorf("logged (-want +got):\n%s", d)
		}
	})
}
