package predict

import (
	"context"
	"errors"
	"math"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
)

// memoryLog is a prediction log that keeps its rows in memory, or fails.
type memoryLog struct {
	mu   sync.Mutex
	rows []ml.Prediction
	err  error
}

func (l *memoryLog) Log(_ context.Context, p *ml.Prediction) error {
	return l.LogBatch(context.Background(), []ml.Prediction{*p})
}

func (l *memoryLog) LogBatch(_ context.Context, batch []ml.Prediction) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return l.err
	}
	l.rows = append(l.rows, batch...)
	return nil
}

func version(name string, features ...string) ml.Version {
	return ml.Version{Name: name, Accuracy: 0.9, Schema: ml.Schema{Features: features, Target: "y", Classes: [2]string{"0", "1"}}}
}

// request is one whose rows were read by a schema of these features.
func request(features ...string) ml.PredictionRequest {
	return ml.PredictionRequest{Schema: version("", features...).Schema, Started: time.Now()}
}

func newPredictor(t *testing.T, log predictionLog) (*Predictor, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	p, err := New(Options{Log: log, Registerer: reg})
	if err != nil {
		t.Fatal(err)
	}
	return p, reg
}

func TestPredictLogsWhatItAnswers(t *testing.T) {
	t.Parallel()
	log := &memoryLog{}
	p, _ := newPredictor(t, log)
	p.swap(version("v1", "a", "b"), logreg.Model{Coef: []float64{2, -1}, Intercept: 0.5})

	started := time.Now()
	got, err := p.Predict(t.Context(), ml.PredictionRequest{Who: ml.Identity{UserID: 7}, Schema: version("v1", "a", "b").Schema, Started: started}, []float64{1, 0.5})
	if err != nil {
		t.Fatal(err)
	}
	// score = 0.5 + 2*1 - 0.5 = 2
	if want := 1 / (1 + math.Exp(-2)); got.Label != 1 || math.Abs(got.Confidence-want) > 1e-12 {
		t.Errorf("label %d with confidence %v, want 1 with %v", got.Label, got.Confidence, want)
	}
	if got.ModelVersion != "v1" || got.UserID != 7 || got.CreatedAt.Before(started) {
		t.Errorf("answer %+v: want version v1, user 7, made after %v", got, started)
	}
	if len(log.rows) != 1 || log.rows[0].ID != got.ID || !slices.Equal(log.rows[0].Features, []float64{1, 0.5}) {
		t.Errorf("log holds %+v, want the answer %+v", log.rows, got)
	}
}

func TestPredictNegativeClass(t *testing.T) {
	t.Parallel()
	p, _ := newPredictor(t, &memoryLog{})
	p.swap(version("v1", "a"), logreg.Model{Coef: []float64{1}})
	got, err := p.Predict(t.Context(), request("a"), []float64{-3})
	if want := 1 / (1 + math.Exp(-3)); err != nil || got.Label != 0 || math.Abs(got.Confidence-want) > 1e-12 {
		t.Fatalf("got %+v, %v; want class 0 with confidence %v", got, err, want)
	}
}

func TestNothingIsAnsweredThatIsNotLogged(t *testing.T) {
	t.Parallel()
	log := &memoryLog{err: errors.New("disk on fire")}
	p, reg := newPredictor(t, log)
	p.swap(version("v1", "a"), logreg.Model{Coef: []float64{1}})
	if _, err := p.Predict(t.Context(), request("a"), []float64{1}); !errors.Is(err, log.err) {
		t.Errorf("Predict: error %v, want the log's", err)
	}
	if _, err := p.PredictBatch(t.Context(), request("a"), [][]float64{{1}}); !errors.Is(err, log.err) {
		t.Errorf("PredictBatch: error %v, want the log's", err)
	}
	want := `
# HELP ml_predictions_total Predictions answered and logged, by model version (the latest versions only).
# TYPE ml_predictions_total counter
ml_predictions_total{model_version="v1"} 0
`
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), "ml_predictions_total"); err != nil {
		t.Errorf("a prediction is counted that was not answered: %v", err)
	}
}

func TestBatchAnswersEachRow(t *testing.T) {
	t.Parallel()
	log := &memoryLog{}
	p, _ := newPredictor(t, log)
	p.swap(version("v1", "a", "b"), logreg.Model{Coef: []float64{1, 1}})
	out, err := p.PredictBatch(t.Context(), request("a", "b"), [][]float64{{1, 2}, {-3, 0}})
	if err != nil || len(out) != 2 || out[0].Label != 1 || out[1].Label != 0 || len(log.rows) != 2 {
		t.Fatalf("got %+v, %v with %d rows logged; want classes 1 and 0, both logged", out, err, len(log.rows))
	}
}

// TestARowReadByAnotherSchemaIsNotScored: the model may be swapped between the reading of a request
// and its answer.
func TestARowReadByAnotherSchemaIsNotScored(t *testing.T) {
	t.Parallel()
	log := &memoryLog{}
	p, _ := newPredictor(t, log)
	p.swap(version("v2", "b", "a"), logreg.Model{Coef: []float64{1, 1}})
	if _, err := p.Predict(t.Context(), request("a", "b"), []float64{1, 2}); ml.CodeOf(err) != ml.CodeUnavailable {
		t.Errorf("Predict: %v, want code unavailable", err)
	}
	if _, err := p.PredictBatch(t.Context(), request("a", "b"), [][]float64{{1, 2}}); ml.CodeOf(err) != ml.CodeUnavailable {
		t.Errorf("PredictBatch: %v, want code unavailable", err)
	}
	if len(log.rows) != 0 {
		t.Errorf("%d rows logged, want none", len(log.rows))
	}
}

func TestWithoutAModel(t *testing.T) {
	t.Parallel()
	p, _ := newPredictor(t, &memoryLog{})
	if _, ok := p.Current(); ok {
		t.Error("Current: ok without a model")
	}
	if _, err := p.Predict(t.Context(), request("a"), []float64{1}); ml.CodeOf(err) != ml.CodeUnavailable {
		t.Errorf("Predict: %v, want code unavailable", err)
	}
	if _, err := p.PredictBatch(t.Context(), request("a"), [][]float64{{1}}); ml.CodeOf(err) != ml.CodeUnavailable {
		t.Errorf("PredictBatch: %v, want code unavailable", err)
	}
}

func TestVersionLabelsAreBounded(t *testing.T) {
	t.Parallel()
	p, reg := newPredictor(t, &memoryLog{})
	for i := range 3 * maxVersionLabels {
		p.swap(version(string(rune('a'+i)), "x"), logreg.Model{Coef: []float64{1}})
	}
	if n, err := testutil.GatherAndCount(reg, "ml_predictions_total"); err != nil || n != maxVersionLabels {
		t.Errorf("%d series of ml_predictions_total, %v; want %d", n, err, maxVersionLabels)
	}
	if n, err := testutil.GatherAndCount(reg, "ml_model_accuracy"); err != nil || n != 1 {
		t.Errorf("%d series of ml_model_accuracy, %v; want the active one alone", n, err)
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 23, 17, 0, 0, 123_456_789, time.UTC)
	last := ""
	for i := range 10_000 {
		id := newID(at.Add(time.Duration(i) * time.Microsecond))
		if len(id) != 36 || id[14] != '7' || (id[19] != '8' && id[19] != '9' && id[19] != 'a' && id[19] != 'b') {
			t.Fatalf("%q is no UUID of version 7", id)
		}
		if id <= last {
			t.Fatalf("%q does not sort after %q, made 1 µs earlier", id, last)
		}
		last = id
	}
	if got := newID(at)[:13]; got != uuidTime(at) {
		t.Errorf("time part %q, want %q", got, uuidTime(at))
	}
	if one, other := newID(at), newID(at); one == other {
		t.Error("two ids of one moment are equal")
	}
}

func uuidTime(at time.Time) string {
	const digits = "0123456789abcdef"
	ms := at.UnixMilli()
	var b [12]byte
	for i := 11; i >= 0; i-- {
		b[i] = digits[ms&15]
		ms >>= 4
	}
	return string(b[:8]) + "-" + string(b[8:])
}

func BenchmarkPredict(b *testing.B) {
	p, err := New(Options{Log: discard{}})
	if err != nil {
		b.Fatal(err)
	}
	p.swap(version("v1", "a", "b"), logreg.Model{Coef: []float64{1, 1}})
	row, req := []float64{0.5, -0.2}, request("a", "b")
	b.ReportAllocs()
	for b.Loop() {
		req.Started = time.Now()
		if _, err := p.Predict(b.Context(), req, row); err != nil {
			b.Fatal(err)
		}
	}
}

type discard struct{}

func (discard) Log(context.Context, *ml.Prediction) error       { return nil }
func (discard) LogBatch(context.Context, []ml.Prediction) error { return nil }

// Intercept and contributions add up to the log odds, which give the confidence.
func TestPredictExplains(t *testing.T) {
	t.Parallel()
	log := &memoryLog{}
	p, _ := newPredictor(t, log)
	p.swap(version("v1", "a", "b"), logreg.Model{Coef: []float64{2, -0.5}, Intercept: 0.25})
	got, why, err := p.PredictExplained(t.Context(), request("a", "b"), []float64{1, 3})
	if err != nil || !slices.Equal(why.Contributions, []float64{2, -1.5}) || why.Intercept != 0.25 || why.LogOdds != 0.75 {
		t.Errorf("%+v, %v", why, err)
	}
	if want := 1 / (1 + math.Exp(-0.75)); math.Abs(got.Confidence-want) > 1e-12 || got.Label != 1 || len(log.rows) != 1 {
		t.Errorf("%+v with %d rows in the log, want the confidence %v and one", got, len(log.rows), want)
	}
	log.err = errors.New("disk")
	if _, _, err := p.PredictExplained(t.Context(), request("a", "b"), []float64{1, 3}); err == nil {
		t.Error("explained what is not in the log")
	}
}
