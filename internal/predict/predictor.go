package predict

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
)

// predictionLog keeps what was answered. It is the store in production; tests make it slow or fail.
type predictionLog interface {
	// Log returns when the row is committed.
	Log(ctx context.Context, p *ml.Prediction) error
	// LogBatch commits all rows in one transaction.
	LogBatch(ctx context.Context, batch []ml.Prediction) error
}

// Options configure a Predictor. The zero value of each but Log means its default.
type Options struct {
	Log        predictionLog
	Registerer prometheus.Registerer // nil: no metrics
	Clock      func() time.Time      // time.Now
}

// Predictor scores rows with the version it was last given. It is safe for concurrent use.
type Predictor struct {
	log     predictionLog
	clock   func() time.Time
	metrics *metrics
	current atomic.Pointer[served]
}

// served is all that a request needs of a version, published by one atomic store.
type served struct {
	version ml.Version
	model   logreg.Model
	count   *count
}

// New returns a predictor that serves no version yet.
func New(o Options) (*Predictor, error) {
	if o.Log == nil {
		return nil, errors.New("predict: Options.Log is required")
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("predict: register metrics: %w", err)
	}
	return &Predictor{log: o.Log, clock: o.Clock, metrics: m}, nil
}

// Current is the version that answers now; ok is false until there is one.
func (p *Predictor) Current() (v ml.Version, ok bool) {
	s := p.current.Load()
	if s == nil {
		return ml.Version{}, false
	}
	return s.version, true
}

// swap makes the version answer all requests that start from now on. The model must fit the
// version's schema.
func (p *Predictor) swap(v ml.Version, m logreg.Model) {
	p.current.Store(&served{version: v, model: m, count: p.metrics.swapped(v)})
}

// Predict scores one row of k features, logs it, and returns when the row is committed. It fails with
// ml.CodeUnavailable while no model serves, or when a model of another schema took over after the row
// was read.
func (p *Predictor) Predict(ctx context.Context, req ml.PredictionRequest, features []float64) (ml.Prediction, error) {
	s, err := p.serving(&req)
	if err != nil {
		return ml.Prediction{}, err
	}
	return p.answer(ctx, s, &req, features)
}

// PredictExplained is Predict with how the answer came about.
func (p *Predictor) PredictExplained(ctx context.Context, req ml.PredictionRequest, features []float64) (ml.Prediction, ml.Explanation, error) {
	s, err := p.serving(&req)
	if err != nil {
		return ml.Prediction{}, ml.Explanation{}, err
	}
	out, err := p.answer(ctx, s, &req, features)
	if err != nil {
		return ml.Prediction{}, ml.Explanation{}, err
	}
	why := ml.Explanation{Intercept: s.model.Intercept, Contributions: make([]float64, len(features)), LogOdds: s.model.Score(features)}
	for j, c := range s.model.Coef {
		why.Contributions[j] = c * features[j]
	}
	return out, why, nil
}

// answer scores a row and returns when it is logged.
func (p *Predictor) answer(ctx context.Context, s *served, req *ml.PredictionRequest, features []float64) (ml.Prediction, error) {
	ctx, span := tracing.Start(ctx, spanName)
	out := p.score(s, req, features)
	err := p.log.Log(ctx, &out)
	endSpan(span, s, 1, err)
	if err != nil {
		return ml.Prediction{}, fmt.Errorf("predict: log prediction: %w", err)
	}
	s.count.labels[out.Label].Add(1)
	return out, nil
}

// PredictBatch scores rows of k features each with one version and logs them in one transaction:
// either all are answered and logged, or none.
func (p *Predictor) PredictBatch(ctx context.Context, req ml.PredictionRequest, rows [][]float64) ([]ml.Prediction, error) {
	s, err := p.serving(&req)
	if err != nil {
		return nil, err
	}
	ctx, span := tracing.Start(ctx, spanName)
	out := make([]ml.Prediction, len(rows))
	for i, row := range rows {
		out[i] = p.score(s, &req, row)
	}
	err = p.log.LogBatch(ctx, out)
	endSpan(span, s, len(rows), err)
	if err != nil {
		return nil, fmt.Errorf("predict: log batch of %d: %w", len(rows), err)
	}
	for i := range out {
		s.count.labels[out[i].Label].Add(1)
	}
	return out, nil
}

const spanName = "predict"

// endSpan says of a span which version answered how many rows.
func endSpan(span trace.Span, s *served, rows int, err error) {
	if span.IsRecording() {
		span.SetAttributes(attribute.String("model_version", s.version.Name), attribute.Int("rows", rows))
	}
	tracing.End(span, err)
}

// serving is what answers the request.
func (p *Predictor) serving(req *ml.PredictionRequest) (*served, error) {
	s := p.current.Load()
	if s == nil {
		return nil, ml.Errorf(ml.CodeUnavailable, "no model serves yet: the first one is being trained, or none was activated").Says("error.no_model", nil)
	}
	if !sameSchema(&s.version.Schema, &req.Schema) {
		return nil, ml.Errorf(ml.CodeUnavailable, "model %s with other features took over just now: read /model/info and send the request again", s.version.Name).
			Says("error.other_features", map[string]any{"version": s.version.Name})
	}
	return s, nil
}

// sameSchema is Schema.Equal, fast where one is a copy of the other, which is nearly always.
func sameSchema(a, b *ml.Schema) bool {
	if len(a.Features) > 0 && len(a.Features) == len(b.Features) && &a.Features[0] == &b.Features[0] {
		return true
	}
	return a.Equal(*b)
}

func (p *Predictor) score(s *served, req *ml.PredictionRequest, features []float64) ml.Prediction {
	label, confidence := s.model.Predict(features)
	now := p.clock()
	p.metrics.confidence.Observe(confidence)
	return ml.Prediction{
		ID:           newID(now),
		UserID:       req.Who.UserID,
		ModelVersion: s.version.Name,
		Features:     features,
		Label:        label,
		Class:        s.version.Schema.Classes[label],
		Confidence:   confidence,
		ResponseTime: now.Sub(req.Started),
		CreatedAt:    now,
	}
}
