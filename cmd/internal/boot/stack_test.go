package boot

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestStackStopsLastFirstWhateverFails(t *testing.T) {
	t.Parallel()
	var order []string
	var s Stack
	for _, name := range []string{"store", "queue", "listener"} {
		s.OnStop(name, func() error {
			order = append(order, name)
			if name == "queue" {
				return errors.New("is stuck")
			}
			return nil
		})
	}
	err := s.Stop()
	if err == nil || !strings.Contains(err.Error(), "close queue: is stuck") {
		t.Fatalf("error %v, want the queue's", err)
	}
	if err := s.Stop(); err != nil {
		t.Fatalf("second Stop: %v", err)
	}
	if want := []string{"listener", "queue", "store"}; !slices.Equal(order, want) {
		t.Fatalf("stopped in order %v, want %v", order, want)
	}
}
