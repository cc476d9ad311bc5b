package mlflow

import (
	"encoding/json"
	"errors"
	"net/http"
	"testing"

	"iacontinu/internal/mlflow/mlflowtest"
)

// doubted makes the next try the one after so many that ended in a doubtful answer.
func (p *page) doubted(t *testing.T, tries int) {
	t.Helper()
	var n notes
	if err := json.Unmarshal(p.notes, &n); err != nil {
		t.Fatal(err)
	}
	n.Doubts = tries
	text, err := json.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	p.notes = text
}

func permanent(err error) bool {
	var refused interface{ Permanent() bool }
	return errors.As(err, &refused) && refused.Permanent()
}

// MLflow blames the request for whatever its database meets. That is believed after a day of nothing else,
// and then what the server has is closed, and not asked for another day each time it is owed again.
func TestADoubtfulAnswerIsBelievedAfterADay(t *testing.T) {
	t.Parallel()
	server, w, p := mlflowtest.New(), newWorld(), new(page)
	const doubtful = `{"error_code": "BAD_REQUEST", "message": "(psycopg2) 25006"}`
	answer := &refusing{server, "model-versions/create", http.StatusBadRequest, doubtful}
	tracker := w.tracker(t, Options{URL: "http://mlflow", Transport: local{answer}})
	told := w.retraining(1, 2)
	try := func() error {
		_, err := tracker.Track(t.Context(), told, p.notes, p.save)
		return err
	}
	for _, tries := range []int{0, 1, maxDoubts - 2} {
		if tries > 1 {
			p.doubted(t, tries)
		}
		if err := try(); err == nil || permanent(err) {
			t.Fatalf("after %d such tries: %v, want one that passes", tries, err)
		}
	}
	if r := server.Runs()[0]; r.Status != "RUNNING" {
		t.Errorf("the run is %s", r.Status)
	}
	answer.status, answer.body = http.StatusBadGateway, "" // heard in between, it begins anew
	if err := try(); err == nil || permanent(err) {
		t.Errorf("away: %v", err)
	}
	answer.status, answer.body = http.StatusBadRequest, doubtful
	if err := try(); err == nil || permanent(err) {
		t.Errorf("after another answer: %v", err)
	}
	p.doubted(t, maxDoubts-1)
	if err := try(); !permanent(err) || !hasCode(err, "BAD_REQUEST") {
		t.Errorf("after a day: %v, want a permanent error", err)
	}
	if r := server.Runs()[0]; r.Status != runFinished || r.Tags[tagLeftOut] == "" {
		t.Errorf("the run is %s, tags %v", r.Status, r.Tags)
	}
	p.notes = nil
	if err := try(); err == nil || permanent(err) {
		t.Errorf("its run has ended, but no comparison owes it: %v, want one that passes", err)
	}
	told.Aliases = nil
	if err := try(); !permanent(err) {
		t.Errorf("owed again: %v, want a permanent error", err)
	}
	answer.path = "none"
	if err := try(); err != nil || len(server.Versions()) != 1 {
		t.Errorf("mended: %v, %d versions", err, len(server.Versions()))
	}
}
