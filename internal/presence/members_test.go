package presence

import (
	"slices"
	"testing"
)

func TestMembersAreThoseThatLive(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	worker, err := Join(dir, "worker")
	if err != nil {
		t.Fatal(err)
	}
	api, err := Join(dir, "api")
	if err != nil {
		t.Fatal(err)
	}
	check := func(want ...string) {
		t.Helper()
		got, err := Members(dir)
		slices.Sort(got)
		slices.Sort(want)
		if err != nil || !slices.Equal(got, want) {
			t.Fatalf("Members = %v, %v; want %v", got, err, want)
		}
	}
	check(api.ID(), worker.ID())
	if err := worker.Close(); err != nil {
		t.Fatal(err)
	}
	check(api.ID())
	if err := api.Close(); err != nil {
		t.Fatal(err)
	}
	check()
}
