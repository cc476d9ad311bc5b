package boot

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

func TestAStopIsBounded(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	deaf := func() error { cancel(); <-release; return nil }
	if err := bounded(ctx, time.Millisecond, deaf); err == nil || !strings.Contains(err.Error(), "given up") {
		t.Errorf("a program that is deaf to its stop: %v", err)
	}
}

func TestAStopInTimeSaysWhatTheProgramSays(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for _, before := range []bool{false, true} { // before the stop, after it
		err := bounded(ctx, time.Minute, func() error {
			if before {
				cancel()
			}
			return broken
		})
		if !errors.Is(err, broken) {
			t.Errorf("%v, want the program's own error", err)
		}
	}
}
