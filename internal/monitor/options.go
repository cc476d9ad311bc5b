package monitor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/drift"
	"iacontinu/internal/flowrun"
	"iacontinu/internal/ml"
)

// The detectors.
const (
	Random      = "random"      // a draw below the threshold is drift
	Statistical = "statistical" // features that differ from the pinned window are drift
)

// Defaults of Options, and what the statistical detector calls a difference worth a retraining. The
// decision record on drift scores has the measurements behind them.
const (
	DefaultInterval             = 30 * time.Second
	DefaultRandomThreshold      = 0.5
	DefaultStatisticalThreshold = drift.Level
	DefaultMinRows              = 200
	DefaultWindow               = 2000
	DefaultCooldown             = 10 * time.Minute
	DefaultAccuracyFloor        = 0.90
	DefaultHealthTimeout        = 5 * time.Second
	DefaultRetrainTimeout       = 90 * time.Second
	DefaultRetryDelay           = time.Second

	// MinKS and MinPSI are the least effects: of two differences one of them must be reached, however
	// significant the difference is, for with many rows the smallest becomes significant.
	MinKS  = drift.KSNoticeable
	MinPSI = drift.PSIModerate
)

// apiClient is the API as the check meets it: as any client, over HTTP.
type apiClient interface {
	// Health returns nil if the API answers and is well.
	Health(ctx context.Context) error
	// Retrain asks for a retraining because of the check and waits for its end. A nil result without an
	// error means that it still ran when the API's patience ended.
	Retrain(ctx context.Context, t ml.Trigger) (result *ml.RetrainResult, jobID int64, err error)
}

// history is what the check reads of the store: the model, its predictions, and what went before.
type history interface {
	// Active has the error code ml.CodeNotFound while no version is active.
	Active(ctx context.Context) (ml.Version, error)
	// Versions and DriftHistory are newest first.
	Versions(ctx context.Context, limit int) (versions []ml.Version, total int64, err error)
	DriftHistory(ctx context.Context, limit int) (checks []ml.DriftReport, total int64, err error)
	// Recent returns k columns of the n newest predictions, n at most limit, whose id is above sinceID.
	Recent(ctx context.Context, version string, sinceID int64, limit, k int) (columns [][]float64, n int, err error)
}

// record is where checks are written. It also decides which runner makes a check.
type record interface {
	// ClaimSlot reports whether the caller is the first to ask for the slot.
	ClaimSlot(ctx context.Context, slot int64) (first bool, err error)
	RecordCheck(ctx context.Context, r ml.DriftReport) (id int64, err error)
}

// messenger keeps an event until people have been told.
type messenger interface {
	EnqueueNotify(ctx context.Context, e ml.Event) error
}

// Options are the parts and settings of a Monitor. The first six are required.
type Options struct {
	API       apiClient
	History   history
	Record    record
	Messenger messenger
	// Reference returns the window pinned to a version, k columns; the error has the code
	// ml.CodeNotFound if none is.
	Reference func(ctx context.Context, version string) ([][]float64, error)
	// NewestDatasets are the ready datasets of a schema, newest first.
	NewestDatasets func(ctx context.Context, schemaKey string, limit int) ([]ml.Dataset, error)

	// Interval is the time between two checks, at least one second. Ticks are multiples of it since 1970.
	Interval time.Duration
	// Detector is Random (the default) or Statistical.
	Detector string
	// Threshold, between 0 and 1, is what a draw must be below to be drift (Random), or the level that
	// the smallest of all features' p-values, corrected for their number, must be below (Statistical).
	Threshold float64
	// MinRows is the least number of predictions that are scored, at least 20.
	MinRows int
	// Window is how many of the latest predictions are scored, at least MinRows.
	Window int
	// Cooldown is how long after a retraining the statistical detector asks for none; negative: not at all.
	Cooldown time.Duration
	// AccuracyFloor, between 0 and 1, is the limit of the accuracy's forecast.
	AccuracyFloor float64
	// HealthTimeout and RetrainTimeout bound the calls of the API. The API itself waits for a
	// retraining for up to a minute.
	HealthTimeout, RetrainTimeout time.Duration
	// RetryDelay is the time between two tries of a step that failed.
	RetryDelay time.Duration

	// HandOn is handed the record of each check that Run makes, at its end and before it asks for a
	// retraining, which is told of as a part of it; nil means that nobody wants it.
	HandOn func(ctx context.Context, run flowrun.Run) error
	// Checked is called after each check that was made, and must not wait for anything; nil means that
	// nobody wants it.
	Checked func(r ml.DriftReport)
	// Random draws from [0, 1); nil means a generator seeded by the operating system.
	Random func() float64
	// Clock tells the time; nil means time.Now.
	Clock func() time.Time
	// Logger may be nil.
	Logger *slog.Logger
	// Tracer makes the spans of a check; nil makes none.
	Tracer trace.Tracer
	// Registerer may be nil: then there are no metrics.
	Registerer prometheus.Registerer
}

func (o Options) withDefaults() Options {
	o.Interval = cmp.Or(o.Interval, DefaultInterval)
	o.Detector = cmp.Or(o.Detector, Random)
	o.Threshold = cmp.Or(o.Threshold, defaultThreshold(o.Detector))
	o.MinRows = cmp.Or(o.MinRows, DefaultMinRows)
	o.Window = cmp.Or(o.Window, max(DefaultWindow, o.MinRows))
	o.Cooldown = cmp.Or(o.Cooldown, DefaultCooldown)
	o.AccuracyFloor = cmp.Or(o.AccuracyFloor, DefaultAccuracyFloor)
	o.HealthTimeout = cmp.Or(o.HealthTimeout, DefaultHealthTimeout)
	o.RetrainTimeout = cmp.Or(o.RetrainTimeout, DefaultRetrainTimeout)
	o.RetryDelay = cmp.Or(o.RetryDelay, DefaultRetryDelay)
	if o.HandOn == nil {
		o.HandOn = func(context.Context, flowrun.Run) error { return nil }
	}
	if o.Checked == nil {
		o.Checked = func(ml.DriftReport) {}
	}
	if o.Random == nil {
		o.Random = rand.Float64
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf("monitor: "+format, args...))
		}
	}
	must(o.API != nil && o.History != nil && o.Record != nil && o.Messenger != nil && o.Reference != nil && o.NewestDatasets != nil,
		"API, History, Record, Messenger, Reference and NewestDatasets are required")
	must(o.Interval >= time.Second, "Interval must be at least 1s, not %v", o.Interval)
	errs = append(errs, validDetector(o.Detector), validThreshold(o.Threshold))
	must(o.MinRows >= 20, "MinRows must be at least 20, not %d", o.MinRows)
	must(o.Window >= o.MinRows, "Window must be at least MinRows, %d, not %d", o.MinRows, o.Window)
	must(o.AccuracyFloor > 0 && o.AccuracyFloor < 1, "AccuracyFloor must be between 0 and 1, not %v", o.AccuracyFloor)
	must(o.HealthTimeout > 0, "HealthTimeout must be above 0, not %v", o.HealthTimeout)
	must(o.RetrainTimeout > 0, "RetrainTimeout must be above 0, not %v", o.RetrainTimeout)
	return errors.Join(errs...)
}
