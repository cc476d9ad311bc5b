package service

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/flowrun"
	"iacontinu/internal/ml"
	"iacontinu/internal/mlflow/mlflowtest"
	"iacontinu/internal/outbox"
	"iacontinu/internal/prefect"
	"iacontinu/internal/prefect/prefecttest"
	"iacontinu/internal/wording"
)

// tracked is a platform that made versions while nobody told MLflow, and then tells a server in memory.
func tracked(t *testing.T, versions int, handler http.Handler) (*trackers, *Platform) {
	t.Helper()
	dir := t.TempDir()
	for minute := range versions {
		p := openPlatform(t, dir)
		enqueuePinned(t, p, minute)
		finish(t, p, "")
	}
	p := openPlatform(t, dir)
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	tr, err := newTrackers(t.Context(), p, Tracking{server.URL, "https://people.example/mlflow/", MLflowSettings{Sync: syncPush}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Store.Subscribe(t.Context(), ml.ServiceMLflow, true); err != nil {
		t.Fatal(err)
	}
	return tr, p
}

// owed are the kinds of what MLflow is owed, in order, and the deliveries' payloads.
func owed(t *testing.T, p *Platform) (kinds, payloads []string) {
	t.Helper()
	rows, err := p.Store.Reader().QueryContext(t.Context(), "SELECT kind, payload FROM outbox WHERE service = 'mlflow' ORDER BY id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var kind, payload string
		if err := rows.Scan(&kind, &payload); err != nil {
			t.Fatal(err)
		}
		kinds, payloads = append(kinds, kind), append(payloads, payload)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return kinds, payloads
}

// What MLflow lacks is owed once, as it was when it happened, and the aliases after it.
func TestWhatMLflowLacksIsOwedOnce(t *testing.T) {
	t.Parallel()
	tr, p := tracked(t, 1, mlflowtest.New())
	if err := tr.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	kinds, payloads := owed(t, p)
	if diff := cmp.Diff([]string{"run", "aliases"}, kinds); diff != "" {
		t.Fatalf("owed (-want +got):\n%s", diff)
	}
	var run ml.TrackedRun
	if err := json.Unmarshal([]byte(payloads[0]), &run); err != nil {
		t.Fatal(err)
	}
	if !run.Args.Generate || run.Args.Reason != ml.ReasonDrift || run.Partial || run.Aliases != nil || run.Result.HoldoutSamples == 0 ||
		!run.Started.Before(run.Ended) || run.Version == nil {
		t.Errorf("owed %s", payloads[0])
	}
	if err := tr.compare(t.Context()); err != nil { // the next hour, or after a crash
		t.Fatal(err)
	}
	kinds, _ = owed(t, p)
	if diff := cmp.Diff([]string{"run", "aliases", "aliases"}, kinds); diff != "" {
		t.Errorf("owed after a second comparison (-want +got):\n%s", diff)
	}
}

// Of a version whose retraining nobody wrote down, what its artifact and record say is told.
func TestWhatWasNotWrittenDownIsNotInvented(t *testing.T) {
	t.Parallel()
	tr, p := tracked(t, 1, mlflowtest.New())
	if _, err := p.Store.Writer().ExecContext(t.Context(), "UPDATE model_training_logs SET told = ''"); err != nil {
		t.Fatal(err)
	}
	v, err := p.Store.Active(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	run, err := tr.toldOnce(t.Context(), v)
	if err != nil || !run.Partial || run.Args.Generate || run.Result.HoldoutSamples == 0 || run.Result.Verdict != ml.VerdictActivated {
		t.Errorf("%+v, %v", run, err)
	}
}

// Prefect is owed the link to a run that MLflow was told of, whatever MLflow answers after that.
func TestALinkAsksNothingOfMLflow(t *testing.T) {
	t.Parallel()
	server := mlflowtest.New()
	var ended atomic.Bool
	tr, p := tracked(t, 1, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ended.Load() {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		server.ServeHTTP(w, r)
		if strings.HasSuffix(r.URL.Path, "/runs/update") {
			ended.Store(true)
		}
	}))
	if err := tr.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	var err error
	if tr.prefect, err = prefect.New(prefect.Options{URL: "http://prefect.example/api"}); err != nil {
		t.Fatal(err)
	}
	if err := p.Store.Subscribe(t.Context(), ml.ServicePrefect, true); err != nil {
		t.Fatal(err)
	}
	d, err := p.Store.BeginDelivery(t.Context(), ml.ServiceMLflow)
	if err != nil {
		t.Fatal(err)
	}
	save := func(context.Context, json.RawMessage) error { return nil }
	if err := tr.tellMLflow(t.Context(), d, save); err != nil || !ended.Load() {
		t.Fatalf("told to the end %v, error %v", ended.Load(), err)
	}
	links, err := p.Store.Waiting(t.Context(), ml.ServicePrefect, ml.DeliveryArtifacts)
	if err != nil || len(links) != 1 {
		t.Fatalf("prefect is owed %q, %v; want the link", links, err)
	}
	if want := "/runs/" + server.Runs()[0].ID + "?workflowType=machine_learning"; !strings.Contains(links[0], want) || !strings.Contains(links[0], "https://people.example/mlflow/#/experiments/1/") {
		t.Errorf("prefect is owed %s, want %s", links[0], want)
	}
}

// An MLflow that was emptied is told again what it was. To a Prefect that was emptied too, the links to that say
// nothing; one that has the retraining gets its link.
func TestALinkIsShownWhereTheRetrainingIs(t *testing.T) {
	t.Parallel()
	for _, has := range []bool{false, true} {
		tr, p := tracked(t, 1, mlflowtest.New())
		server := prefecttest.New()
		var err error
		if tr.prefect, err = prefect.New(prefect.Options{URL: "http://prefect.example/api", Transport: server}); err != nil {
			t.Fatal(err)
		}
		if err := p.Store.Subscribe(t.Context(), ml.ServicePrefect, true); err != nil {
			t.Fatal(err)
		}
		var run ml.TrackedRun
		run.JobID, run.Args.Trigger = 10, &ml.Trigger{Report: ml.DriftReport{Slot: 7}} // part of a check that is not there
		if has {
			retraining := flowOf(run.JobID, run.Created, ml.RetrainArgs{})
			retraining.State, retraining.Ended = flowrun.Failed, time.Now()
			if _, err := tr.prefect.Report(t.Context(), retraining); err != nil {
				t.Fatal(err)
			}
		}
		if err := tr.linkRun(t.Context(), run, "http://mlflow.example/1"); err != nil {
			t.Fatal(err)
		}
		d, err := p.Store.BeginDelivery(t.Context(), ml.ServicePrefect)
		if err != nil {
			t.Fatal(err)
		}
		if err := tr.tellPrefect(t.Context(), d, nil); err != nil {
			t.Errorf("prefect has it %v: %v", has, err)
		}
		runs := server.Runs()
		if (len(runs) == 1) != has {
			t.Fatalf("prefect has it %v, and then %+v", has, runs)
		}
		if has && (runs[0].State.Name != "Failed" || len(server.Artifacts(runs[0].ID)) != 1) {
			t.Errorf("the retraining is %+v with %+v", runs[0], server.Artifacts(runs[0].ID))
		}
	}
}

// A database that is new counts its jobs from one, and a Prefect that is kept has such retrainings of the one
// before; one that goes on from an earlier copy has some of those numbers anew: they are others.
func TestARetrainingIsNotTakenForAnotherInstallations(t *testing.T) {
	t.Parallel()
	server := prefecttest.New()
	front := httptest.NewServer(&httputil.ReverseProxy{Transport: server, Rewrite: func(r *httputil.ProxyRequest) {
		r.Out.URL.Scheme, r.Out.URL.Host = "http", r.In.Host
	}})
	defer front.Close()
	for range 2 {
		p := openPlatform(t, t.TempDir())
		client, err := NewPrefect(t.Context(), p, PrefectSettings{PrefectURL: front.URL + "/api"})
		if err != nil {
			t.Fatal(err)
		}
		for _, created := range []time.Time{time.Unix(1, 0), time.Unix(2, 0)} {
			retraining := flowOf(1, created, ml.RetrainArgs{})
			retraining.State, retraining.Ended = flowrun.Completed, time.Now()
			for range 2 { // the second time it is the same one
				if _, err := client.Report(t.Context(), retraining); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if runs := server.Runs(); len(runs) != 4 {
		t.Errorf("prefect has %+v, want two runs of each installation", runs)
	}
}

// What is added to a retraining comes after the retraining, however fast MLflow is.
func TestPrefectIsOwedTheRetrainingBeforeMLflowIs(t *testing.T) {
	t.Parallel()
	tr, p := tracked(t, 1, mlflowtest.New())
	if err := p.Store.Subscribe(t.Context(), ml.ServicePrefect, true); err != nil {
		t.Fatal(err)
	}
	if err := tr.track(t.Context(), nil, ml.TrackedRun{JobID: 10}, flowOf(10, time.Time{}, ml.RetrainArgs{})); err != nil {
		t.Fatal(err)
	}
	flow, err := p.Store.BeginDelivery(t.Context(), ml.ServicePrefect)
	if err != nil {
		t.Fatal(err)
	}
	run, err := p.Store.BeginDelivery(t.Context(), ml.ServiceMLflow)
	if err != nil || flow.ID > run.ID {
		t.Errorf("deliveries %d to prefect and %d to mlflow, error %v", flow.ID, run.ID, err)
	}
}

// An activation while MLflow is being asked is the last word, whenever it comes.
func TestAnActivationDuringAComparisonStays(t *testing.T) {
	t.Parallel()
	server := mlflowtest.New()
	var meanwhile func()
	tr, p := tracked(t, 2, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f := meanwhile; f != nil {
			meanwhile = nil
			f()
		}
		server.ServeHTTP(w, r)
	}))
	versions, _, err := p.Store.Versions(t.Context(), 2)
	if err != nil || len(versions) != 2 || !versions[0].Active {
		t.Fatalf("versions %+v, %v", versions, err)
	}
	first := versions[1]
	meanwhile = func() {
		if _, err := p.Activate(context.WithoutCancel(t.Context()), first.Name, "ann"); err != nil {
			t.Error(err)
		}
	}
	if err := tr.compare(t.Context()); err != nil {
		t.Fatal(err)
	}
	kinds, payloads := owed(t, p)
	if diff := cmp.Diff([]string{"aliases", "run", "run", "aliases"}, kinds); diff != "" {
		t.Fatalf("owed (-want +got):\n%s", diff)
	}
	if _, err := tr.outbox.Deliver(t.Context(), ml.ServiceMLflow); err != nil {
		t.Fatal(err)
	}
	if champion := `"champion":"` + first.Name + `"`; !strings.Contains(payloads[3], champion) {
		t.Errorf("the last word is %s, want %s", payloads[3], champion)
	}
	if got := server.Aliases(); got["champion"] != "1" || got["previous"] != "2" || len(server.Versions()) != 2 {
		t.Errorf("aliases %v of %d versions", got, len(server.Versions()))
	}
}

// What was owed when the worker stopped is delivered by the next one, without anything new to owe.
func TestAWorkerResumesWhatIsOwed(t *testing.T) {
	t.Parallel()
	tr, p := tracked(t, 1, mlflowtest.New())
	err := p.Store.Transaction(t.Context(), func(tx *sql.Tx) error { // and the job that would deliver it is gone
		_, err := p.Store.OweTx(t.Context(), tx, ml.ServiceMLflow, ml.DeliveryAliases, ml.Aliases{})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := tr.subscribe(t.Context()); err != nil {
		t.Fatal(err)
	}
	depths, err := p.Queue.Depth(t.Context())
	if err != nil || len(depths) != 1 {
		t.Errorf("work %+v, %v; want the delivery", depths, err)
	}
}

// What can't be read now can't be read later: it must not stop the line.
func TestAnUnreadableDeliveryIsPermanent(t *testing.T) {
	t.Parallel()
	tr, _ := tracked(t, 1, mlflowtest.New())
	for _, c := range []struct {
		tell          outbox.DeliverFunc
		kind, payload string
	}{
		{tr.tellMLflow, ml.DeliveryRun, "{"},
		{tr.tellMLflow, ml.DeliveryAliases, "[]"},
		{tr.tellMLflow, "news", "{}"},
		{tr.tellPrefect, ml.DeliveryFlowRun, "{"},
		{tr.tellPrefect, "news", "{}"},
	} {
		err := c.tell(t.Context(), ml.Delivery{Kind: c.kind, Payload: []byte(c.payload)}, nil)
		var refused interface{ Permanent() bool }
		if !errors.As(err, &refused) || !refused.Permanent() {
			t.Errorf("%s %s: %v, want a permanent error", c.kind, c.payload, err)
		}
	}
}

// What is dropped because MLflow refuses it is told for a day by /health, whatever else waits.
func TestARefusalIsTold(t *testing.T) {
	t.Parallel()
	tr, p := tracked(t, 1, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error_code": "INVALID_PARAMETER_VALUE", "message": "http://secret.example"}`))
	}))
	owe := func() {
		t.Helper()
		if err := p.owe(t.Context(), ml.ServiceMLflow, ml.DeliveryAliases, ml.Aliases{Champion: "v1"}); err != nil {
			t.Fatal(err)
		}
	}
	check := func() (status, detail string) {
		t.Helper()
		c, ok := p.backlogCheck(t.Context(), ml.ServiceMLflow)
		if !ok {
			t.Fatal("no check")
		}
		if _, inFrench := wording.Joined(wording.In("fr"), c.Remarks); inFrench != (c.Detail != "") {
			t.Errorf("%q is said in English alone", c.Detail)
		}
		return c.Status, c.Detail
	}
	if status, detail := check(); status != stateOK || detail != "" {
		t.Errorf("at first %s: %s", status, detail)
	}
	owe()
	if _, err := tr.outbox.Deliver(t.Context(), ml.ServiceMLflow); err != nil {
		t.Fatal(err)
	}
	const want = "1 delivery was refused for good in the last 24 hours and dropped, the audit log says why"
	if status, detail := check(); status != stateWarning || detail != want {
		t.Errorf("after it %s: %s", status, detail)
	}
	owe()
	if status, detail := check(); status != stateWarning || !strings.HasPrefix(detail, "1 delivery has waited for ") || !strings.HasSuffix(detail, want) {
		t.Errorf("while another waits %s: %s", status, detail)
	}
	entries, _, err := p.Store.AuditLog(t.Context(), ml.AuditFilter{EventType: "mlflow_refused"}, 1)
	if err != nil || len(entries) != 1 || !strings.Contains(entries[0].Message, "INVALID_PARAMETER_VALUE") {
		t.Fatalf("the audit log has %+v, %v", entries, err)
	}
	long := time.Now().Add(-refusalTold - time.Minute).UTC().Format("2006-01-02 15:04:05")
	if _, err := p.Store.Writer().ExecContext(t.Context(), "UPDATE system_logs SET created_at = ?", long); err != nil {
		t.Fatal(err)
	}
	if status, detail := check(); status != stateOK || strings.Contains(detail, "refused") {
		t.Errorf("the day after %s: %s", status, detail)
	}
}
