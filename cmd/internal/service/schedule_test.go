package service

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

// A check that is missing is told of, and who says when to check.
func TestHealthTellsOfMissingChecks(t *testing.T) {
	t.Parallel()
	p, err := Open(t.Context(), killFolder(t.TempDir()), "flow", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	is := func(status string, words ...string) {
		t.Helper()
		check := p.flowCheck(t.Context())
		for _, w := range words {
			if check.Status != status || !strings.Contains(check.Detail, w) {
				t.Errorf("%s, %q; want %s, %q", check.Status, check.Detail, status, w)
			}
		}
	}
	says := p.noter(30 * time.Second)
	is(stateOK, "")
	checked := func(ago time.Duration) {
		if _, err := p.Store.RecordCheck(t.Context(), ml.DriftReport{Method: "random", CreatedAt: time.Now().Add(-ago)}); err != nil {
			t.Fatal(err)
		}
	}
	checked(20 * time.Second)
	is(stateOK, "last check 2")
	says("part.without_prefect")
	is(stateOK, "last check 2", "; without Prefect")
	if err := p.member.Note(`{"every":5000000000,"since":"2026-01-01T00:00:00Z","says":"part.prefect_paused"}`); err != nil {
		t.Fatal(err)
	}
	is(stateWarning, "no check for 2", "due every 5s", "; paused in Prefect")
}
