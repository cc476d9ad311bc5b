package prefect

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/prefect/prefecttest"
)

// names are the states of a history.
func names(history []prefecttest.State) []string {
	var out []string
	for _, s := range history {
		out = append(out, s.Name)
	}
	return out
}

func TestARunIsToldOnceHoweverOften(t *testing.T) {
	t.Parallel()
	s := prefecttest.New()
	run := full("periodic_check")
	var id string
	for range 3 { // each time a process that knows nothing of the others
		got, err := client(t, Options{Transport: s}).Report(t.Context(), run)
		if err != nil || (id != "" && got != id) {
			t.Fatalf("reported as %s, then %s: %v", id, got, err)
		}
		id = got
	}
	got := s.Run(id)
	if diff := cmp.Diff([]string{"", "Running", "Failed"}, names(got.History)); diff != "" {
		t.Errorf("states (-want +got):\n%s", diff)
	}
	if !strings.HasPrefix(got.State.Message, "notify failed (") || !strings.Contains(got.State.Message, told(run.Ended)) {
		t.Errorf("message %q does not tell of the true times", got.State.Message)
	}
	if !got.Expected.Equal(run.Started) {
		t.Errorf("expected at %s, started at %s", got.Expected, run.Started)
	}
	if n := len(s.Lines(id)); n != len(run.Lines) {
		t.Errorf("%d lines, want %d", n, len(run.Lines))
	}
	if n := len(s.Artifacts(id)); n != len(run.Artifacts) {
		t.Errorf("%d artifacts, want %d", n, len(run.Artifacts))
	}
	want := map[string][]string{
		"health_check": {"Pending", "Running", "AwaitingRetry", "Retrying", "Completed"}, "draw": {"Pending", "Running", "Completed"},
		"trigger_retrain": {"Pending", "Skipped"}, "notify": {"Pending", "Running", "Failed"},
	}
	for name, states := range want {
		if diff := cmp.Diff(states, names(s.Tasks(id)[name].History)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestAGrowingRunIsToldByItsChanges(t *testing.T) {
	t.Parallel()
	s := prefecttest.New()
	r := client(t, Options{Transport: s}).NewReporter()
	rec := flowrun.NewRecorder(flowrun.Run{Flow: "periodic_check", Key: "slot-1"}, nil)
	report := func(want int) string {
		t.Helper()
		before := len(s.Requests())
		id, err := r.Report(t.Context(), rec.Snapshot())
		if n := len(s.Requests()) - before; err != nil || n != want {
			t.Errorf("%d requests, want %d: %v; error %v", n, want, s.Requests()[before:], err)
		}
		return id
	}
	rec.Start(flowrun.Step{Name: "draw"}, flowrun.Step{Name: "detect", After: []string{"draw"}})
	report(5) // token, flow, run, running, events
	report(0)
	rec.Log("draw", flowrun.Info, "one")
	report(1)
	rec.Show(flowrun.Artifact{Key: "progress", Kind: flowrun.Progress}, 10.0)
	report(1)
	rec.Show(flowrun.Artifact{Key: "progress", Kind: flowrun.Progress}, 90.0)
	id := report(1)
	if got := s.Artifacts(id); len(got) != 1 || got[0].Data != 90.0 {
		t.Errorf("artifacts %+v", got)
	}
	_ = rec.Step(t.Context(), "draw", flowrun.Retries{}, func(context.Context) error { return nil })
	report(1)
	rec.End(flowrun.Completed, "no drift")
	report(2) // events, completed
	report(0)
	if got := s.Run(id).State; got.Name != "Completed" || got.Message != "no drift" {
		t.Errorf("state %+v", got)
	}
}

func TestALostAnswerDoublesNothing(t *testing.T) {
	t.Parallel()
	for _, lost := range []string{"/logs/", "/artifacts/", "/events", "/set_state", "/flow_runs/"} {
		t.Run(lost, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s, done := prefecttest.New(), false
				s.SetFault(func(r *http.Request) *prefecttest.Fault {
					if !done && strings.HasSuffix(r.URL.Path, lost) {
						done = true
						return &prefecttest.Fault{Lost: true}
					}
					return nil
				})
				r, run := client(t, Options{Transport: s}).NewReporter(), full("periodic_check")
				id, err := r.Report(t.Context(), run)
				if err != nil {
					if id, err = r.Report(t.Context(), run); err != nil {
						t.Fatal(err)
					}
				}
				if len(s.Runs()) != 1 || len(s.Lines(id)) != len(run.Lines) || len(s.Artifacts(id)) != len(run.Artifacts) || !done {
					t.Errorf("%d runs, %d lines, %d artifacts", len(s.Runs()), len(s.Lines(id)), len(s.Artifacts(id)))
				}
				if got := names(s.Run(id).History); len(got) != 3 {
					t.Errorf("states %v", got)
				}
			})
		})
	}
}

func TestWhatHappenedIsToldAgainstTheServersRules(t *testing.T) {
	t.Parallel()
	s := prefecttest.New()
	run := full("periodic_check")
	run.ServerID = s.Add(prefecttest.Run{})
	s.SetState(run.ServerID, typeCrashed, "Crashed") // its heartbeats did not arrive
	id, err := client(t, Options{Transport: s}).Report(t.Context(), run)
	if err != nil || id != run.ServerID || s.Run(id).State.Name != "Failed" {
		t.Errorf("run %s is %+v, error %v", id, s.Run(id).State, err)
	}
}

func TestNoEventsAreSentOfARunThatSomebodyDeleted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := prefecttest.New()
		r := client(t, Options{Transport: s}).NewReporter()
		rec := flowrun.NewRecorder(flowrun.Run{Flow: "retrain", Key: "slot-1"}, nil)
		rec.Start(flowrun.Step{Name: "draw"})
		deleted, err := r.Report(t.Context(), rec.Snapshot())
		if err != nil {
			t.Fatal(err)
		}
		s.Forget()
		sleep(t.Context(), 2*time.Second)
		_ = rec.Step(t.Context(), "draw", flowrun.Retries{}, func(context.Context) error { return nil })
		if _, err := r.Report(t.Context(), rec.Snapshot()); err == nil {
			t.Error("no error")
		}
		if got := s.Tasks(deleted)["draw"].State.Name; got != "Pending" {
			t.Errorf("the step of the deleted run came to %s", got)
		}
		id, err := r.Report(t.Context(), rec.Snapshot())
		if err != nil || id == deleted || s.Tasks(id)["draw"].State.Name != "Completed" {
			t.Errorf("run %s, steps %+v, error %v", id, s.Tasks(id), err)
		}
	})
}

func TestARunThatIsBegunAgainGoesOn(t *testing.T) {
	t.Parallel()
	s := prefecttest.New()
	report := func(run flowrun.Run) string {
		t.Helper()
		id, err := client(t, Options{Transport: s}).Report(t.Context(), run)
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	first := report(full("retrain"))
	rec := flowrun.NewRecorder(flowrun.Run{Flow: "retrain", Key: "slot-1"}, nil)
	rec.Start(flowrun.Step{Name: "draw"})
	if id := report(rec.Snapshot()); id != first || s.Run(id).State.Name != "Running" || s.Tasks(id)["draw"].State.Name != "Pending" {
		t.Errorf("run %s is %+v, its step %+v", id, s.Run(id).State, s.Tasks(id)["draw"].State)
	}
	_ = rec.Step(t.Context(), "draw", flowrun.Retries{}, func(context.Context) error { return nil })
	rec.End(flowrun.Completed, "")
	if id := report(rec.Snapshot()); s.Run(id).State.Name != "Completed" || s.Tasks(id)["draw"].State.Name != "Completed" {
		t.Errorf("run is %+v, its step %+v", s.Run(id).State, s.Tasks(id)["draw"].State)
	}
}

func TestWhatTheServerNeverTakesIsPassedOver(t *testing.T) {
	t.Parallel()
	s := prefecttest.New()
	s.SetFault(func(r *http.Request) *prefecttest.Fault {
		if strings.HasSuffix(r.URL.Path, "/logs/") {
			return &prefecttest.Fault{Status: 422}
		}
		return nil
	})
	run := full("periodic_check")
	run.Artifacts[0].Data = []byte(`{"not": "text"}`)
	for range 2 {
		id, err := client(t, Options{Transport: s}).Report(t.Context(), run)
		if err != nil || s.Run(id).State.Name != "Failed" || len(s.Artifacts(id)) != len(run.Artifacts)-1 || len(s.Tasks(id)) != 4 {
			t.Errorf("run is %+v with %d artifacts, error %v", s.Run(id).State, len(s.Artifacts(id)), err)
		}
	}
}

func TestWhatIsRefusedForGoodIsToldSo(t *testing.T) {
	t.Parallel()
	for status, want := range map[int]bool{400: true, 413: true, 422: true, 401: false, 403: false, 404: false, 500: false} {
		for _, path := range []string{"/flow_runs/", "/set_state"} {
			s := prefecttest.New()
			s.SetFault(func(r *http.Request) *prefecttest.Fault {
				if strings.HasSuffix(r.URL.Path, path) {
					return &prefecttest.Fault{Status: status}
				}
				return nil
			})
			_, err := client(t, Options{Transport: s}).Report(t.Context(), full("periodic_check"))
			var refused interface{ Permanent() bool }
			if err == nil || (errors.As(err, &refused) && refused.Permanent()) != want {
				t.Errorf("%s answered %d: %v, want for good %v", path, status, err, want)
			}
		}
	}
}

// saying answers a part of the API well, and with a text of its own.
type saying struct {
	*prefecttest.Server
	path, body string
}

func (s saying) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, s.path) {
		return reply{200, s.body, ""}.response(), nil
	}
	return s.Server.RoundTrip(r)
}

// A proxy that answers anything with 200 refuses nothing: only Prefect's own word does.
func TestAnAnswerThatIsNoneOfPrefectIsNoRefusal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		path, body, says string
		permanent        bool
	}{
		{"/set_state", `{}`, "not one of Prefect", false},
		{"/set_state", ``, "not one of Prefect", false},
		{"/set_state", `{"status":"ok"}`, "not one of Prefect", false},
		{"/set_state", `{"status":"WAIT"}`, "WAIT", false},
		{"/set_state", `{"status":"ABORT","details":{"reason":"a rule"}}`, "a rule", true},
		{"/set_state", `{"status":"REJECT"}`, "REJECT", true},
		{"/flow_runs/", `{}`, "not one of Prefect", false},
		{"/flows/", `{}`, "not one of Prefect", false},
		{"/artifacts/", `{}`, "not one of Prefect", false},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, err := client(t, Options{Transport: saying{prefecttest.New(), c.path, c.body}}).Report(t.Context(), full("periodic_check"))
			var refused interface{ Permanent() bool }
			if err == nil || !strings.Contains(err.Error(), c.says) || (errors.As(err, &refused) && refused.Permanent()) != c.permanent {
				t.Errorf("%s answers %q: %v, want for good %v", c.path, c.body, err, c.permanent)
			}
		})
	}
}

func TestARunIsPartOfOneThatOnlyItsKeyTells(t *testing.T) {
	t.Parallel()
	s := prefecttest.New()
	c := client(t, Options{Transport: s})
	child, parent := full("retrain"), full("periodic_check")
	child.Parent = &flowrun.Parent{Flow: "periodic_check", Key: parent.Key, Step: "notify"}
	ended, longAgo := child.State, child.Ended
	child.State = flowrun.Running
	if _, err := c.Report(t.Context(), child); !errors.Is(err, errEarly) {
		t.Errorf("a run that goes on does not wait for what it is part of: %v", err)
	}
	child.State, child.Ended = ended, time.Now()
	if _, err := c.Report(t.Context(), child); !errors.Is(err, errEarly) {
		t.Errorf("a run that ended just now does not wait for what it is part of: %v", err)
	}
	child.Ended = longAgo
	parentID, err := c.Report(t.Context(), parent)
	if err != nil {
		t.Fatal(err)
	}
	id, err := c.Report(t.Context(), child)
	if err != nil || s.Run(id).Parent != taskRunID(parentID, "notify") {
		t.Errorf("parent %q, error %v", s.Run(id).Parent, err)
	}
	child.Key, child.Parent.Key = "slot-2", "slot-unknown"
	if id, err = c.Report(t.Context(), child); err != nil || s.Run(id).Parent != "" {
		t.Errorf("parent %q, error %v", s.Run(id).Parent, err)
	}
}

func TestOnePartThatFailsBreaksNoOtherOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := prefecttest.New()
		s.SetFault(func(r *http.Request) *prefecttest.Fault {
			if strings.HasSuffix(r.URL.Path, "/events") {
				return &prefecttest.Fault{Status: 500}
			}
			return nil
		})
		var broken error
		lines := slow{s, func(r *http.Request, _ string) bool {
			if strings.HasSuffix(r.URL.Path, "/logs/") {
				sleep(r.Context(), time.Second)
				broken = r.Context().Err()
			}
			return false
		}, 0}
		if _, err := client(t, Options{Transport: lines}).Report(t.Context(), full("periodic_check")); err == nil || broken != nil {
			t.Errorf("error %v; the lines: %v", err, broken)
		}
	})
}

func TestPagesOfLinesEnd(t *testing.T) {
	t.Parallel()
	page := "[" + strings.Repeat(`{"message":"x"},`, pageSize-1) + `{"message":"x"}]`
	c := client(t, Options{Transport: &answers{list: []reply{{422, "", ""}, {200, page, ""}}}})
	if _, err := (&Reporter{c: c}).readLines(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestTextThatADatabaseDoesNotTakeIsMended(t *testing.T) {
	t.Parallel()
	if got := clip("a\x00b\xffc"+strings.Repeat("é", 10), 6); got != "ab\ufffdcé…" {
		t.Errorf("got %q", got)
	}
}

// stubborn is a server that takes only what is forced.
type stubborn struct{ *prefecttest.Server }

func (s stubborn) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/set_state") {
		body, err := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if err != nil || bytes.Contains(body, []byte(`"force":false`)) {
			return reply{200, `{"status":"ABORT","details":{"reason":"a rule"}}`, ""}.response(), err
		}
	}
	return s.Server.RoundTrip(r)
}

func TestAnEndThatTheServerRefusesIsForced(t *testing.T) {
	t.Parallel()
	s := stubborn{prefecttest.New()}
	id, err := client(t, Options{Transport: s}).Report(t.Context(), full("periodic_check"))
	if err != nil || s.Run(id).State.Name != "Failed" {
		t.Errorf("run is %+v, error %v", s.Run(id).State, err)
	}
}

func TestARunThatTheServerLostIsMadeAnew(t *testing.T) {
	t.Parallel()
	s := prefecttest.New()
	run := full("periodic_check")
	run.ServerID = s.Add(prefecttest.Run{})
	s.Forget()
	id, err := client(t, Options{Transport: s}).Report(t.Context(), run)
	if err != nil || id == run.ServerID || s.Run(id).Key != "periodic_check/slot-1" {
		t.Errorf("run %s is %+v, error %v", id, s.Run(id), err)
	}
}

func TestAPartOfAStepIsShownUnderItOnceTheStepIsThere(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := prefecttest.New()
		c := client(t, Options{Transport: s})
		parent := full("periodic_check")
		parent.ServerID = s.Add(prefecttest.Run{})
		child := full("retrain")
		child.Parent = &flowrun.Parent{ServerID: parent.ServerID, Step: "trigger_retrain"}
		go func() { // the other process is a little later
			sleep(t.Context(), 2*time.Second)
			if _, err := c.Report(t.Context(), parent); err != nil {
				t.Error(err)
			}
		}()
		id, err := c.Report(t.Context(), child)
		if err != nil || s.Run(id).Parent != taskRunID(parent.ServerID, "trigger_retrain") {
			t.Errorf("parent %q, error %v", s.Run(id).Parent, err)
		}
		child.Key, child.Parent = "other", &flowrun.Parent{ServerID: "unknown", Step: "step"}
		goesOn := child
		goesOn.State = flowrun.Running
		if _, err := c.Report(t.Context(), goesOn); !errors.Is(err, errEarly) {
			t.Errorf("a run that goes on does not wait for what it is part of: %v", err)
		}
		if id, err = c.Report(t.Context(), child); err != nil || s.Run(id).Parent != "" || s.Run(id).State.Name != "Failed" {
			t.Errorf("a run of an unknown step is %+v, error %v", s.Run(id), err)
		}
	})
}

func TestARetryingStepSaysWhen(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	step := flowrun.Step{Name: "draw", State: flowrun.Retrying, Attempt: 1, Started: at, RetryAt: at.Add(5 * time.Second)}
	run := flowrun.Run{Started: at, Lines: []flowrun.Line{{At: at.Add(time.Second), Step: "draw", Level: flowrun.Warning, Text: "no"}}}
	want := []change{
		{Type: typePending, Name: "Pending", At: at},
		{Type: typeRunning, Name: "Running", At: at.Add(time.Microsecond), RunCount: 1},
		{Type: typeScheduled, Name: "AwaitingRetry", Message: "no", At: at.Add(time.Second), RunCount: 1, RetryAt: step.RetryAt},
	}
	if diff := cmp.Diff(want, history(run, step)); diff != "" {
		t.Errorf("history (-want +got):\n%s", diff)
	}
}

func TestAFollowedRunNeverWaits(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := prefecttest.New()
		s.SetFault(func(*http.Request) *prefecttest.Fault { return &prefecttest.Fault{Hang: true} })
		start := time.Now()
		rec := flowrun.NewRecorder(flowrun.Run{Flow: "periodic_check", Key: "slot-1"}, nil)
		f := client(t, Options{Transport: s}).Follow(t.Context(), rec)
		if err := steps(t.Context(), rec); err != nil || time.Since(start) > 0 {
			t.Errorf("the run took %s, error %v", time.Since(start), err)
		}
		rec.End(flowrun.Completed, "no drift")
		sleep(t.Context(), time.Second)
		end := time.Now()
		run, err := f.Finish(t.Context())
		if err == nil || run.State != flowrun.Completed || len(run.Steps) != 2 {
			t.Errorf("owed is %+v, error %v", run, err)
		}
		if took := time.Since(end); took > lastReport {
			t.Errorf("the end took %s", took)
		}
	})
}

func TestAFollowedRunIsShownWhileItGoesOn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := prefecttest.New()
		rec := flowrun.NewRecorder(flowrun.Run{Flow: "periodic_check", Key: "slot-1"}, nil)
		f := client(t, Options{Transport: s}).Follow(t.Context(), rec)
		rec.Start(flowrun.Step{Name: "draw"})
		for range 100 {
			rec.Log("", flowrun.Info, "a line")
		}
		sleep(t.Context(), time.Second)
		runs := s.Runs()
		if len(runs) != 1 || runs[0].State.Name != "Running" || len(s.Lines(runs[0].ID)) != 100 || s.Count("/logs/") != 1 {
			t.Errorf("%d runs, %d requests for lines", len(runs), s.Count("/logs/"))
		}
		s.SetFault(func(*http.Request) *prefecttest.Fault { return &prefecttest.Fault{Status: 500} })
		rec.Log("", flowrun.Info, "while the server is away")
		sleep(t.Context(), time.Minute)
		s.SetFault(nil)
		sleep(t.Context(), 2*maxCalm)
		if n := len(s.Lines(runs[0].ID)); n != 101 {
			t.Errorf("%d lines after the outage, want 101", n)
		}
		rec.End(flowrun.Cancelled, flowrun.ErrCancelled.Error())
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errors.New("the run was cancelled"))
		run, err := f.Finish(ctx)
		if err != nil || run.ServerID != runs[0].ID || s.Run(run.ServerID).State.Name != "Cancelled" {
			t.Errorf("run is %+v, error %v", s.Run(run.ServerID).State, err)
		}
	})
}
