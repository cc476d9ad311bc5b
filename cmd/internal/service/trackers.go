package service

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"sync"
	"time"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/flowrun"
	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
	"iacontinu/internal/mlflow"
	"iacontinu/internal/monitor"
	"iacontinu/internal/outbox"
	"iacontinu/internal/prefect"
	"iacontinu/internal/retrain"
)

// Tracking says which MLflow server is told, where people open it, and how it is spoken to.
type Tracking struct {
	URI, Public string
	MLflowSettings
}

// trackers tell MLflow and Prefect what retrainings and activations came to. Each is nil where none is
// set.
type trackers struct {
	platform *Platform
	mlflow   *mlflow.Tracker
	push     bool // mend what MLflow lacks
	prefect  *prefect.Client
	outbox   *outbox.Outbox

	mu sync.Mutex
	// views are the retrainings that go on here, or whose last attempt failed here.
	views      map[int64]view
	reconciled time.Time
}

// view is a retraining that is taken down and shown.
type view struct {
	rec  *flowrun.Recorder
	hide func()
}

func newTrackers(ctx context.Context, p *Platform, t Tracking, server *prefect.Client) (*trackers, error) {
	out := &trackers{platform: p, push: t.Sync == syncPush, prefect: server, views: map[int64]view{}}
	services := map[ml.Service]outbox.DeliverFunc{}
	var err error
	if t.URI != "" && t.URI != trackingOff {
		if out.mlflow, err = p.mlflowTracker(ctx, t); err != nil {
			return nil, err
		}
		services[ml.ServiceMLflow] = out.tellMLflow
	}
	if server != nil {
		services[ml.ServicePrefect] = out.tellPrefect
	}
	out.outbox, err = outbox.New(outbox.Options{Deliveries: p.Store, Services: services, Logger: p.Log, Registerer: p.Registry})
	return out, err
}

func (p *Platform) mlflowTracker(ctx context.Context, t Tracking) (*mlflow.Tracker, error) {
	client, err := mlflow.NewClient(mlflow.Options{
		URL: t.URI, Username: t.Username, Password: t.Password, Token: t.Token,
		CAFile: t.CAFile, ClientCertFile: t.ClientCert, Insecure: t.Insecure, Logger: p.Log, Registerer: p.Registry,
	})
	if err != nil {
		return nil, fmt.Errorf("MLFLOW_TRACKING_...: %w", err)
	}
	installation, err := p.Store.Installation(ctx)
	if err != nil {
		return nil, err
	}
	return mlflow.NewTracker(mlflow.TrackerOptions{
		Client: client, Artifact: p.artifactToTell, Datasets: p.Store, Installation: installation,
		PublicURL: public(t.Public, t.URI), Experiment: t.Experiment, Model: t.Model, Revision: boot.Revision(), Logger: p.Log,
	})
}

// artifactToTell is a version with the data that examples are made of, if there are any.
func (p *Platform) artifactToTell(ctx context.Context, version string) (*logreg.Artifact, error) {
	a, err := logreg.LoadArtifact(p.artifactDir(version))
	if err != nil {
		return nil, err
	}
	if a.Reference, err = logreg.LoadReference(p.artifactDir(version)); err != nil {
		p.Log.DebugContext(ctx, "a model is told without examples of its data", "version", version, "error", err)
	}
	return a, nil
}

// subscribe says which services are told from now on, and has them told what they are owed.
func (t *trackers) subscribe(ctx context.Context) error {
	for service, on := range map[ml.Service]bool{ml.ServiceMLflow: t.mlflow != nil, ml.ServicePrefect: t.prefect != nil} {
		if err := t.platform.Store.Subscribe(ctx, service, on); err != nil {
			return err
		}
		waiting, _, err := t.platform.Store.Backlog(ctx, service)
		switch {
		case err != nil:
			return err
		case waiting.Waiting == 0:
		case !on:
			t.platform.Log.WarnContext(ctx, "a service is owed what nobody tells it, for it is not set", "service", service, "deliveries", waiting.Waiting)
		default:
			if err := t.platform.Queue.EnqueueDelivery(ctx, service); err != nil {
				return err
			}
		}
	}
	return nil
}

// show begins to take a retraining down and to show it. hide ends the view, not the record.
func (t *trackers) show(ctx context.Context, jobID int64, created time.Time, args ml.RetrainArgs) (rec *flowrun.Recorder, hide func()) {
	v := view{rec: flowrun.NewRecorder(flowOf(jobID, created, args), nil), hide: func() {}}
	if t.prefect != nil {
		v.hide = t.prefect.Follow(ctx, v.rec).Stop
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.views) // there is one at a time
	t.views[jobID] = v
	return v.rec, v.hide
}

// last is the record of a retraining's last attempt here, one that says nothing if it was elsewhere.
func (t *trackers) last(jobID int64, created time.Time, args ml.RetrainArgs) *flowrun.Recorder {
	t.mu.Lock()
	defer t.mu.Unlock()
	if v, ok := t.views[jobID]; ok {
		return v.rec
	}
	return flowrun.NewRecorder(flowOf(jobID, created, args), nil)
}

// hide ends the view of a retraining that goes on here.
func (t *trackers) hide(jobID int64) {
	t.mu.Lock()
	v, ok := t.views[jobID]
	t.mu.Unlock()
	if ok {
		v.hide()
	}
}

// flowOf is a retraining as a run of a flow: part of the check that asked for it, or of its own.
func flowOf(jobID int64, created time.Time, args ml.RetrainArgs) flowrun.Run {
	run := flowrun.Run{
		Flow: retrain.FlowName, Key: runKey(jobID, created), Name: fmt.Sprintf("retrain-%d", jobID),
		Parameters: map[string]any{"reason": args.Reason, "requested_by": args.RequestedBy, "job_id": jobID},
	}
	if args.DatasetID != 0 {
		run.Parameters["dataset_id"] = args.DatasetID
	}
	if t := args.Trigger; t != nil {
		run.Parent = &flowrun.Parent{
			Flow: monitor.FlowName, Key: monitor.RunKey(t.Report.Slot), ServerID: t.FlowRun, Step: monitor.StepRetrain,
		}
	}
	return run
}

// runKey is the key of a retraining among the runs of its flow: a database that goes on from an earlier copy counts its
// jobs anew.
func runKey(jobID int64, created time.Time) string {
	return fmt.Sprintf("job-%d-%d", jobID, created.UnixMilli())
}

// track owes MLflow the run of a retraining and Prefect how it went, in the transaction that ends it; tx
// is nil for one that failed.
func (t *trackers) track(ctx context.Context, tx *sql.Tx, run ml.TrackedRun, flow flowrun.Run) error {
	t.hide(run.JobID) // its view must not be told of after its end
	p := t.platform
	read, owe := p.Store.Aliases, p.owe
	if tx != nil {
		read = func(ctx context.Context) (ml.Aliases, error) { return p.Store.AliasesTx(ctx, tx) }
		owe = func(ctx context.Context, service ml.Service, kind string, payload any) error {
			return p.oweTx(ctx, tx, service, kind, payload)
		}
	}
	aliases, err := read(ctx)
	if err != nil {
		return err
	}
	run.Aliases = &aliases
	// Prefect's is first: the link to the run in MLflow may be owed as soon as MLflow's can be made.
	if err := owe(ctx, ml.ServicePrefect, ml.DeliveryFlowRun, flow); err != nil {
		return err
	}
	return owe(ctx, ml.ServiceMLflow, ml.DeliveryRun, run)
}

// tellMLflow makes one delivery to MLflow.
func (t *trackers) tellMLflow(ctx context.Context, d ml.Delivery, save outbox.Save) error {
	switch d.Kind {
	case ml.DeliveryRun:
		var run ml.TrackedRun
		if err := read(d, &run); err != nil {
			return err
		}
		told, err := t.mlflow.Track(ctx, run, d.Notes, save)
		if err != nil {
			return err
		}
		if err := t.platform.Store.SetMLflowRun(ctx, run.JobID, told.ID); err != nil {
			return err
		}
		return t.linkRun(ctx, run, told.URL)
	case ml.DeliveryAliases:
		var aliases ml.Aliases
		if err := read(d, &aliases); err != nil {
			return err
		}
		return t.mlflow.SetAliases(ctx, aliases)
	case ml.DeliveryReconcile:
		return t.compare(ctx)
	}
	return unreadable{fmt.Errorf("a delivery of kind %q is none that MLflow is told", d.Kind)}
}

// linkRun owes Prefect a link from the retraining, if it is shown there, to its run in MLflow, which is there
// only now. It asks nothing of MLflow: what was told would be told again for an answer that did not come.
func (t *trackers) linkRun(ctx context.Context, run ml.TrackedRun, url string) error {
	if t.prefect == nil {
		return nil
	}
	link := flowrun.NewRecorder(flowrun.Run{Flow: retrain.FlowName, Key: runKey(run.JobID, run.Created)}, nil)
	link.Show(flowrun.Artifact{Key: "mlflow-run", Kind: flowrun.Link, Description: "The run in MLflow"}, url)
	return t.platform.owe(ctx, ml.ServicePrefect, ml.DeliveryArtifacts, link.Snapshot())
}

// tellPrefect makes one delivery to Prefect.
func (t *trackers) tellPrefect(ctx context.Context, d ml.Delivery, _ outbox.Save) error {
	var run flowrun.Run
	if err := read(d, &run); err != nil {
		return err
	}
	switch d.Kind {
	case ml.DeliveryFlowRun:
		_, err := t.prefect.Report(ctx, run)
		return err
	case ml.DeliveryArtifacts:
		return t.prefect.Attach(ctx, run)
	}
	return unreadable{fmt.Errorf("a delivery of kind %q is none that Prefect is told", d.Kind)}
}

// unreadable is a delivery that no later try can make.
type unreadable struct{ error }

// Permanent implements the outbox's look at errors.
func (unreadable) Permanent() bool { return true }

// Unwrap returns the cause.
func (u unreadable) Unwrap() error { return u.error }

func read(d ml.Delivery, into any) error {
	if err := json.Unmarshal(d.Payload, into); err != nil {
		return unreadable{fmt.Errorf("delivery %d can't be read: %w", d.ID, err)}
	}
	return nil
}
