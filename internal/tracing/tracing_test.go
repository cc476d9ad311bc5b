package tracing

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
)

// record gives a tracer and what it has recorded.
func record(t *testing.T, o ...sdktrace.TracerProviderOption) (trace.Tracer, func() tracetest.SpanStubs) {
	t.Helper()
	kept := tracetest.NewInMemoryExporter()
	provider := sdktrace.NewTracerProvider(append(o, sdktrace.WithSyncer(kept))...)
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) }) // it only forgets
	return provider.Tracer(Scope), kept.GetSpans
}

func TestOffCostsNothing(t *testing.T) { // alone, for it counts allocations
	ctx, span := Root(t.Context(), nil, "root")
	if span.IsRecording() || Carried(ctx) != "" {
		t.Error("without a tracer a span was begun")
	}
	work := func(context.Context) error { return nil }
	if n := testing.AllocsPerRun(100, func() {
		inner, span := Start(ctx, "part")
		End(span, Do(inner, "part", work))
	}); n != 0 {
		t.Errorf("%v allocations outside of a trace, want 0", n)
	}
}

func TestNotSampledIsNotRecordedBelow(t *testing.T) {
	t.Parallel()
	tracer, spans := record(t, sdktrace.WithSampler(sdktrace.NeverSample()))
	ctx, span := Root(t.Context(), tracer, "root")
	_, part := Start(ctx, "part")
	if part.IsRecording() || part.SpanContext().IsValid() {
		t.Error("a part of a trace that is not recorded was begun")
	}
	End(part, nil)
	End(span, nil)
	if !strings.HasSuffix(Carried(ctx), "-00") {
		t.Errorf("what is carried is %q: other processes must learn that the trace is not recorded", Carried(ctx))
	}
	if got := spans(); len(got) != 0 {
		t.Errorf("recorded %v", got)
	}
}

func TestCarriedAndContinued(t *testing.T) {
	t.Parallel()
	tracer, spans := record(t)
	ctx, asker := Root(t.Context(), tracer, "asker")
	_, done := Root(Continue(t.Context(), Carried(ctx)), tracer, "done later")
	End(done, nil)
	End(asker, nil)
	got := spans()
	if got[0].Parent.SpanID() != got[1].SpanContext.SpanID() || got[0].SpanContext.TraceID() != got[1].SpanContext.TraceID() {
		t.Errorf("%v is not a part of %v", got[0], got[1])
	}
	for _, nonsense := range []string{"", "nonsense", "00-0-0-01", Carried(ctx) + "-more"} {
		if sc := trace.SpanContextFromContext(Continue(t.Context(), nonsense)); sc.IsValid() {
			t.Errorf("%q was taken for a place in a trace", nonsense)
		}
	}
}

func TestResume(t *testing.T) {
	t.Parallel()
	tracer, spans := record(t)
	owed, asker := Root(t.Context(), tracer, "asker")
	ctx, job := Root(t.Context(), tracer, "job")
	_, there := Resume(ctx, Carried(owed), "there")
	End(there, nil)
	_, here := Resume(ctx, "", "here")
	End(here, errors.New(strings.Repeat("x", 1000)))
	got := spans()
	if s := got[0]; s.Parent.SpanID() != asker.SpanContext().SpanID() || len(s.Links) != 1 || s.Links[0].SpanContext.SpanID() != job.SpanContext().SpanID() {
		t.Errorf("%+v should be a part of the asker, linked with the job", s)
	}
	if s := got[1]; s.Parent.SpanID() != job.SpanContext().SpanID() || s.Status.Code != codes.Error || len(s.Status.Description) != maxStatus {
		t.Errorf("%+v should be a failed part of the job with a bounded text", s)
	}
}

// TestTextIsValid: protobuf refuses a batch with one invalid character.
func TestTextIsValid(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"": "", "café": "café", "cafés": "café", "caféé": "café", "12345é": "12345", "1234€": "1234",
		"a\xffb": "a\uFFFDb", "\xff\xff\xff\xff\xff\xff\xff": "\uFFFD", "\xa9\xa9 1234": "\uFFFD 1",
	} {
		if got := Text(text, 5); got != want {
			t.Errorf("of %q is shown %q, want %q", text, got, want)
		}
	}
	tracer, spans := record(t)
	_, span := Root(t.Context(), tracer, "root")
	most := strings.Repeat("x", maxStatus-1)
	End(span, errors.New(most+"é"))
	if got := spans()[0].Status.Description; got != most {
		t.Errorf("an error is told as %q", got)
	}
}

func TestTransport(t *testing.T) {
	t.Parallel()
	var header http.Header
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		w.WriteHeader(http.StatusTeapot)
	}))
	t.Cleanup(server.Close)
	get := func(ctx context.Context) {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, server.URL+"/caf%E9?secret=hush", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := (&http.Client{Transport: Transport(http.DefaultTransport)}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if err := resp.Body.Close(); err != nil {
			t.Fatal(err)
		}
		if len(req.Header) != 0 {
			t.Errorf("the request was changed: %v", req.Header)
		}
	}
	get(t.Context())
	if got := header.Get(traceparent); got != "" {
		t.Errorf("traceparent %q outside of a trace", got)
	}
	tracer, spans := record(t)
	ctx, root := Root(t.Context(), tracer, "root")
	get(ctx)
	span := spans()[0]
	if got, want := header.Get(traceparent), "00-"+root.SpanContext().TraceID().String()+"-"+span.SpanContext.SpanID().String()+"-01"; got != want {
		t.Errorf("traceparent %q, want %q", got, want)
	}
	attributes := map[string]string{}
	for _, a := range span.Attributes {
		attributes[string(a.Key)] = a.Value.String()
	}
	want := map[string]string{
		"http.request.method": "GET", "url.path": "/caf\uFFFD", "http.response.status_code": "418", "server.address": strings.TrimPrefix(server.URL, "http://"),
	}
	if diff := cmp.Diff(want, attributes); diff != "" || span.Status.Code != codes.Error {
		t.Errorf("status %v, attributes:\n%s", span.Status, diff)
	}
}

func TestObserveNamesTheTrace(t *testing.T) {
	t.Parallel()
	tracer, _ := record(t)
	ctx, span := Root(t.Context(), tracer, "root")
	h := prometheus.NewHistogram(prometheus.HistogramOpts{Name: "h", Buckets: []float64{1, 2}})
	Observe(t.Context(), h, 0.5)
	unrecorded, _ := record(t, sdktrace.WithSampler(sdktrace.NeverSample()))
	outside, _ := Root(t.Context(), unrecorded, "root")
	Observe(outside, h, 0.5) // would lead to a trace that nobody has
	Observe(ctx, h, 1.5)
	var m dto.Metric
	if err := h.Write(&m); err != nil {
		t.Fatal(err)
	}
	buckets := m.GetHistogram().GetBucket()
	if buckets[0].GetExemplar() != nil {
		t.Error("an exemplar outside of a recorded trace")
	}
	labels := map[string]string{}
	for _, l := range buckets[1].GetExemplar().GetLabel() {
		labels[l.GetName()] = l.GetValue()
	}
	want := map[string]string{"trace_id": span.SpanContext().TraceID().String(), "span_id": span.SpanContext().SpanID().String()}
	if diff := cmp.Diff(want, labels); diff != "" {
		t.Error(diff)
	}
}
