package apiserver

import (
	"sync"
	"testing"
	"time"
)

// Services are asked no more often than every five seconds, however many look.
func TestServicesAreSpared(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	now := testNow
	b := setup(t, func(_ *world, o *Options) {
		o.Clock = func() time.Time { mu.Lock(); defer mu.Unlock(); return now }
	})
	for _, tt := range []struct {
		later time.Duration
		asked int
	}{{0, 1}, {time.Second, 1}, {3 * time.Second, 1}, {2 * time.Second, 2}} {
		mu.Lock()
		now = now.Add(tt.later)
		mu.Unlock()
		got, err := b.client(t, "user").Services(t.Context())
		if err != nil || len(got.Services) != 1 || got.Services[0].Name != "mlflow" || b.asked != tt.asked {
			t.Errorf("%v later: %+v, %v, asked %d times, want %d", tt.later, got, err, b.asked, tt.asked)
		}
	}
}
