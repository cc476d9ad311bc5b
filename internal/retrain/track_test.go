package retrain

import (
	"context"
	"database/sql"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/ml"
)

// tracked is one call of Options.Track.
type tracked struct {
	inTx bool
	run  ml.TrackedRun
	flow flowrun.Run
}

// tracking returns a retrainer whose calls of Track are kept.
func (w *world) tracking(t *testing.T, calls *[]tracked) *Retrainer {
	t.Helper()
	return w.retrainer(t, func(o *Options) {
		o.Track = func(_ context.Context, tx *sql.Tx, run ml.TrackedRun, flow flowrun.Run) error {
			*calls = append(*calls, tracked{tx != nil && tx == w.tx, run, flow})
			return nil
		}
	})
}

func TestAVerdictIsTrackedInItsTransaction(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(ml.GeneratedSchema(), sample(400, 1, plane))
	var calls []tracked
	rec := flowrun.NewRecorder(flowrun.Run{Flow: FlowName, Key: "job-7"}, nil)
	args := ml.RetrainArgs{Reason: ml.ReasonDrift, Trigger: &ml.Trigger{Report: ml.DriftReport{Slot: 3}}}
	if err := w.tracking(t, &calls).Run(t.Context(), 7, testCreated(), args, rec); err != nil {
		t.Fatal(err)
	}
	if len(calls) != 1 || !calls[0].inTx {
		t.Fatalf("tracked %+v", calls)
	}
	run, flow := calls[0].run, calls[0].flow
	result := w.result(t, 7)
	if run.JobID != 7 || run.Result == nil || run.Result.Candidate != result.Candidate || run.Version.Name != result.Candidate ||
		run.Args.Trigger.Report.Slot != 3 || run.Failure != "" {
		t.Errorf("run %+v", run)
	}
	if flow.State != flowrun.Completed || flow.Key != "job-7" || !strings.Contains(flow.Message, "activated") {
		t.Errorf("the flow is %s: %s", flow.State, flow.Message)
	}
	for _, s := range flow.Steps {
		if s.State != flowrun.Completed {
			t.Errorf("step %s is %s", s.Name, s.State)
		}
	}
	var said []string
	for _, line := range flow.Lines {
		said = append(said, line.Step)
	}
	if d := cmp.Diff([]string{"data", "split", "train", "evaluate", "gate", "save"}, said); d != "" {
		t.Errorf("lines (-want +got):\n%s", d)
	}
}

func TestAFailedRetrainingIsTrackedWithItsReason(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var calls []tracked
	r := w.tracking(t, &calls)
	rec := flowrun.NewRecorder(flowrun.Run{}, nil)
	err := r.Run(t.Context(), 4, testCreated(), ml.RetrainArgs{DatasetID: 99}, rec)
	if ml.CodeOf(err) == "" {
		t.Fatalf("with a dataset that is not there: %v", err)
	}
	for _, test := range []struct {
		cause error
		rec   *flowrun.Recorder
		says  string
	}{{err, rec, "99"}, {errors.New("secret path"), nil, "internal error"}} {
		calls = nil
		if err := r.Failed(t.Context(), 4, testCreated(), ml.RetrainArgs{}, test.rec, test.cause); err != nil {
			t.Fatal(err)
		}
		if len(calls) != 1 || calls[0].inTx || !strings.Contains(calls[0].run.Failure, test.says) || calls[0].run.Result != nil {
			t.Errorf("%v: tracked %+v", test.cause, calls)
			continue
		}
		if flow := calls[0].flow; test.rec != nil && (flow.State != flowrun.Failed || flow.Steps[0].State != flowrun.Failed || flow.Steps[1].State != flowrun.Skipped) {
			t.Errorf("the flow is %+v", flow)
		}
	}
}

func TestNothingIsTrackedOfATransactionThatDoesNotCommit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.add(ml.GeneratedSchema(), sample(400, 1, plane))
	refused := errors.New("the outbox is full")
	r := w.retrainer(t, func(o *Options) {
		o.Track = func(context.Context, *sql.Tx, ml.TrackedRun, flowrun.Run) error { return refused }
	})
	if err := r.Run(t.Context(), 1, testCreated(), ml.RetrainArgs{}, nil); !errors.Is(err, refused) || len(w.versions) != 0 {
		t.Errorf("error %v, versions %v", err, w.versions)
	}
}
