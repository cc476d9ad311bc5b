package mlflow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// The names under which the platform is found on the server.
const (
	DefaultExperiment = "ia_continu_solution"
	DefaultModel      = "ia_continu_logistic_regression"
)

// TrackerOptions configure a Tracker.
type TrackerOptions struct {
	Client *Client // required
	// Artifact loads a version. Its error wraps fs.ErrNotExist, is of CodeNotFound or wraps
	// logreg.ErrArtifact where there is none to be had: the run is told without it. Required.
	Artifact func(ctx context.Context, version string) (*logreg.Artifact, error)
	// Datasets is the catalogue. Required.
	Datasets Datasets
	// PublicURL is where people open the server, without a slash at its end. Empty: where it is told.
	PublicURL string
	// Installation tells ours from others that speak to the same server. Required.
	Installation string
	// Experiment and Model are names on the server; empty for the defaults.
	Experiment, Model string
	// Source names the program that trained, Revision is its commit; both may be empty.
	Source, Revision string
	Logger           *slog.Logger
}

// Datasets tells what a dataset is. An error of CodeNotFound leaves the dataset out.
type Datasets interface {
	Dataset(ctx context.Context, id int64) (ml.Dataset, error)
}

func (o TrackerOptions) withDefaults() TrackerOptions {
	o.Experiment = cmp.Or(o.Experiment, DefaultExperiment)
	o.Model = cmp.Or(o.Model, DefaultModel)
	o.Source = cmp.Or(o.Source, "iacontinu")
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o TrackerOptions) validate() error {
	switch {
	case o.Client == nil:
		return errors.New("mlflow: TrackerOptions.Client is missing")
	case o.Artifact == nil:
		return errors.New("mlflow: TrackerOptions.Artifact is missing")
	case o.Datasets == nil:
		return errors.New("mlflow: TrackerOptions.Datasets is missing")
	case o.Installation == "":
		return errors.New("mlflow: TrackerOptions.Installation is missing")
	}
	return nil
}

// Tracker delivers retrainings and aliases. Deliveries have to be made one after the other.
type Tracker struct {
	options TrackerOptions
	client  *Client
	render  func(draw func() (*drawing, error)) ([]byte, error)
}

// NewTracker returns a tracker. It sends nothing by itself.
func NewTracker(o TrackerOptions) (*Tracker, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	o.PublicURL = cmp.Or(o.PublicURL, o.Client.base.String())
	return &Tracker{options: o, client: o.Client, render: render}, nil
}

// notes is what is written down of how far a delivery came.
type notes struct {
	RunID   string `json:"run_id,omitempty"`
	ModelID string `json:"model_id,omitempty"`
	// Version is the registered version's number; with it, all but aliases and the run's end is done.
	Version string `json:"version,omitempty"`
	// Doubts counts the tries in a row, up to the last one, that ended in a doubtful answer.
	Doubts int `json:"doubts,omitempty"`
}

// Told is a run on the server.
type Told struct {
	ID string
	// URL is where people see it, in the view for models that are trained.
	URL string
}

// Track tells of a retraining and returns its run. It may be called again with the same run
// and the notes saved last, empty if there are none, until it returns no error, and even after: what is
// there is left as it is, and nothing is made twice. An error whose Permanent method says so ends that; the
// run is closed as far as it came.
func (t *Tracker) Track(ctx context.Context, run ml.TrackedRun, saved json.RawMessage,
	save func(ctx context.Context, notes json.RawMessage) error,
) (Told, error) {
	d := &delivery{tracker: t, client: t.client, told: run, save: save}
	if len(saved) > 0 {
		if err := json.Unmarshal(saved, &d.notes); err != nil {
			d.notes = notes{} // what was made is found by its tag
		}
	}
	err := d.weigh(ctx, d.deliver(ctx))
	var refused interface{ Permanent() bool }
	if errors.As(err, &refused) && refused.Permanent() {
		d.abandon(ctx, err)
	}
	if err != nil {
		return Told{}, fmt.Errorf("track %s: %w", runName(run), err)
	}
	if len(d.leftOut) > 0 {
		t.options.Logger.WarnContext(ctx, "mlflow could not be told of all", "run", runName(run), "left_out", d.leftOut)
	}
	return Told{ID: d.notes.RunID, URL: fmt.Sprintf("%s/#/experiments/%s/runs/%s?workflowType=machine_learning", t.options.PublicURL, d.experiment, d.notes.RunID)}, nil
}

// unavailable reports whether something is not there any more, which no later try changes.
func unavailable(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, logreg.ErrArtifact) || ml.CodeOf(err) == ml.CodeNotFound
}
