package prefect

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/prefect/prefecttest"
)

// A link by itself makes no run, and waits for none that it would be part of.
func TestWhatIsAttachedMakesNoRun(t *testing.T) {
	t.Parallel()
	s := prefecttest.New()
	var log bytes.Buffer
	c := client(t, Options{Transport: s, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	run := full("retrain")
	link := flowrun.Artifact{Key: "mlflow-run", Kind: flowrun.Link, Data: []byte(`"http://mlflow/1"`)}
	attached := flowrun.Run{
		Flow: run.Flow, Key: run.Key, State: flowrun.Completed, Ended: time.Now(), Artifacts: []flowrun.Artifact{link},
		Parent: &flowrun.Parent{Flow: "periodic_check", Key: "slot-0", Step: "trigger_retrain"},
	}
	if err := c.Attach(t.Context(), attached); err != nil || len(s.Runs()) != 0 || s.Count("/artifacts/") != 0 {
		t.Errorf("attached to nothing: %d runs, %v; error %v", len(s.Runs()), s.Requests(), err)
	}
	if !strings.Contains(log.String(), "level=DEBUG") || !strings.Contains(log.String(), "key="+run.Key) {
		t.Errorf("nobody is told of what was dropped: %q", log.String())
	}
	id, err := c.Report(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	before := s.Run(id)
	for range 2 { // the answer to the first may have been lost
		if err := c.Attach(t.Context(), attached); err != nil {
			t.Fatal(err)
		}
	}
	if got := s.Artifacts(id); len(got) != len(run.Artifacts)+1 || got[len(got)-1].Key != link.Key {
		t.Errorf("artifacts %+v", got)
	}
	if diff := cmp.Diff(before, s.Run(id)); diff != "" || len(s.Runs()) != 1 {
		t.Errorf("the run is another (-before +after):\n%s", diff)
	}
}
