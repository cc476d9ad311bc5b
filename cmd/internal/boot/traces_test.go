package boot

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/internal/tracing"
)

func TestTraceSettings(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		setting string
		part    string // of the error; empty: it must load
	}{
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://localhost:4318", ""},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=localhost:4318", "OTEL_EXPORTER_OTLP_ENDPOINT: is not"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://user:hush@host", "without a user"},
		{"OTEL_EXPORTER_OTLP_HEADERS=a=b, c=d%20e", ""},
		{"OTEL_EXPORTER_OTLP_HEADERS=a=b,hush", "OTEL_EXPORTER_OTLP_HEADERS: part 2 is not name=value"},
		{"OTEL_TRACES_SAMPLER=always_off", ""},
		{"OTEL_TRACES_SAMPLER=parentbased_traceidratio", ""},
		{"OTEL_TRACES_SAMPLER=sometimes", "OTEL_TRACES_SAMPLER: \"sometimes\" is not one of"},
		{"OTEL_TRACES_SAMPLER_ARG=0.01", ""},
		{"OTEL_TRACES_SAMPLER_ARG=1.5", "OTEL_TRACES_SAMPLER_ARG: \"1.5\" is not a number from 0 to 1"},
		{"OTEL_TRACES_SAMPLER_ARG=NaN", "OTEL_TRACES_SAMPLER_ARG"},
	} {
		err := Load(&TraceConfig{}, []string{tt.setting})
		switch {
		case tt.part == "" && err != nil:
			t.Errorf("%s: %v", tt.setting, err)
		case tt.part != "" && (err == nil || !strings.Contains(err.Error(), tt.part) || strings.Contains(err.Error(), "hush")):
			t.Errorf("%s: %v, want an error with %q and no secret", tt.setting, err, tt.part)
		}
	}
	if headers, err := parseHeaders("a=b, c=d%20e"); err != nil || headers["a"] != "b" || headers["c"] != "d e" {
		t.Errorf("headers %v, %v", headers, err)
	}
}

// TestWhoDecidesWhatIsRecorded: behind parentbased_ the caller, for its own traces.
func TestWhoDecidesWhatIsRecorded(t *testing.T) {
	t.Parallel()
	for sampler, want := range map[string]struct{ alone, recorded, unrecorded bool }{
		"always_on":                {true, true, true},
		"always_off":               {false, false, false},
		"traceidratio":             {false, false, false},
		"parentbased_always_on":    {true, true, false},
		"parentbased_always_off":   {false, true, false},
		"parentbased_traceidratio": {false, true, false},
	} {
		s := TraceConfig{Sampler: sampler, SamplerArg: "0"}.sampler()
		for caller, want := range map[string]bool{
			"": want.alone, "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-01": want.recorded,
			"00-0102030405060708090a0b0c0d0e0f10-0102030405060708-00": want.unrecorded,
		} {
			asked := sdktrace.SamplingParameters{ParentContext: tracing.Continue(t.Context(), caller), TraceID: trace.TraceID{1}}
			if got := s.ShouldSample(asked).Decision == sdktrace.RecordAndSample; got != want {
				t.Errorf("%s, called by %q: recorded %t, want %t", sampler, caller, got, want)
			}
		}
	}
}

func TestNoCollectorNoTraces(t *testing.T) {
	t.Parallel()
	traces, err := OpenTraces(t.Context(), TraceConfig{}, "api", slog.New(slog.DiscardHandler))
	if err != nil || traces.Tracer("x") != nil || traces.Close() != nil {
		t.Errorf("traces %v, error %v: want none", traces, err)
	}
}

// TestSpansWaitForNobody: a collector that never answers holds up neither who ends spans nor the stop.
func TestSpansWaitForNobody(t *testing.T) {
	t.Parallel()
	asked := make(chan struct{}, 100)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then does the server see the client go
		asked <- struct{}{}
		<-r.Context().Done()
	}))
	t.Cleanup(server.Close)
	c := TraceConfig{Endpoint: server.URL, Sampler: "always_on", SamplerArg: "1"}
	traces, err := OpenTraces(t.Context(), c, "api", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	for range 2 * queuedSpans { // one that waited would take exportTimeout
		_, span := traces.Tracer("test").Start(t.Context(), "span")
		span.End()
	}
	if took := time.Since(start); took > exportTimeout/2 {
		t.Errorf("the spans took %v", took)
	}
	<-asked
	start = time.Now()
	if err := traces.Close(); err != nil {
		t.Error(err)
	}
	if took := time.Since(start); took > flushTimeout+time.Second {
		t.Errorf("the stop took %v", took)
	}
}

// TestTheCollectorIsNotBlamedForWhatItDidNotGet: what can't be written down is lost before it is sent.
func TestTheCollectorIsNotBlamedForWhatItDidNotGet(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("the collector was asked") }))
	t.Cleanup(server.Close)
	var out bytes.Buffer
	c := TraceConfig{Endpoint: server.URL, Sampler: "always_on", SamplerArg: "1"}
	traces, err := OpenTraces(t.Context(), c, "api", slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))
	if err != nil {
		t.Fatal(err)
	}
	_, span := traces.Tracer("test").Start(t.Context(), "\xff")
	span.End()
	if err := traces.Close(); err != nil {
		t.Error(err)
	}
	if got := out.String(); !strings.Contains(got, "spans are lost") || !strings.Contains(got, "UTF-8") || strings.Contains(got, "collector") {
		t.Errorf("logged: %s", got)
	}
}

func TestLogNamesTheTrace(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	log := slog.New(traceHandler{slog.NewJSONHandler(&out, nil)}).With("process", "api")
	span := trace.NewSpanContext(trace.SpanContextConfig{TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2}})
	log.InfoContext(trace.ContextWithSpanContext(context.Background(), span), "within")
	log.InfoContext(t.Context(), "without")
	lines := strings.Split(out.String(), "\n")
	var within, without map[string]any
	if err := json.Unmarshal([]byte(lines[0]), &within); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(lines[1]), &without); err != nil {
		t.Fatal(err)
	}
	if within["trace_id"] != span.TraceID().String() || within["span_id"] != span.SpanID().String() {
		t.Errorf("within a span: %v", within)
	}
	if _, named := without["trace_id"]; named {
		t.Errorf("without one: %v", without)
	}
}
