package e2e

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	"google.golang.org/protobuf/proto"

	"iacontinu/internal/api"
	"iacontinu/internal/discord/discordtest"
)

// span is what a collector got of one.
type span struct {
	service, name     string
	trace, id, parent string
	links             []string // ids of spans
	attributes        map[string]string
}

func (s span) String() string {
	return fmt.Sprintf("%s: %s (%s in %s)", s.service, s.name, s.id, s.parent)
}

// collector is one in memory.
type collector struct {
	url    string
	answer func(http.ResponseWriter, *http.Request) // nil: it takes what it gets

	mu     sync.Mutex
	spans  []span
	bodies [][]byte
	header http.Header
}

func newCollector(t *testing.T, answer func(http.ResponseWriter, *http.Request)) *collector {
	t.Helper()
	c := &collector{answer: answer}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	c.url = server.URL
	return c
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var got collect.ExportTraceServiceRequest
	if err != nil || r.URL.Path != "/v1/traces" || proto.Unmarshal(body, &got) != nil {
		http.Error(w, "these are no traces", http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	c.spans, c.bodies, c.header = append(c.spans, spansOf(&got)...), append(c.bodies, body), r.Header
	c.mu.Unlock()
	if c.answer != nil {
		c.answer(w, r)
	}
}

// got are the spans that have come.
func (c *collector) got(*testing.T) []span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.Clone(c.spans)
}

func spansOf(r *collect.ExportTraceServiceRequest) (out []span) {
	for _, resource := range r.GetResourceSpans() {
		service := text(resource.GetResource().GetAttributes())["service.name"]
		for _, scope := range resource.GetScopeSpans() {
			for _, s := range scope.GetSpans() {
				made := span{
					service: service, name: s.GetName(), attributes: text(s.GetAttributes()),
					trace: hex.EncodeToString(s.GetTraceId()), id: hex.EncodeToString(s.GetSpanId()), parent: hex.EncodeToString(s.GetParentSpanId()),
				}
				for _, l := range s.GetLinks() {
					made.links = append(made.links, hex.EncodeToString(l.GetSpanId()))
				}
				out = append(out, made)
			}
		}
	}
	return out
}

func text(attributes []*common.KeyValue) map[string]string {
	out := map[string]string{}
	for _, a := range attributes {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			out[a.GetKey()] = v.StringValue
		case *common.AnyValue_IntValue:
			out[a.GetKey()] = fmt.Sprint(v.IntValue)
		}
	}
	return out
}

// chain finds spans that are each a part of the one before, given as "service: name", the first being
// nobody's part or the caller's.
func chain(spans []span, parent string, names ...string) (found []span) {
	for _, s := range spans {
		if s.parent != parent || s.service+": "+s.name != names[0] {
			continue
		}
		if len(names) == 1 {
			return []span{s}
		}
		if below := chain(spans, s.id, names[1:]...); below != nil {
			return append([]span{s}, below...)
		}
	}
	return nil
}

// tracedLoop is a platform in three processes whose checks find drift half of the time, and all that it
// speaks to.
func tracedLoop(t *testing.T, endpoint string, env ...string) *platform {
	t.Helper()
	f := newFolder(t, append([]string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + endpoint, "MLFLOW_TRACKING_URI=" + newTrackingServer(t).url,
		"MONITORING_INTERVAL=1s", "DRIFT_DETECTOR=random",
	}, env...)...)
	p := startApart(t, f)
	ready(t, p.url)
	return p
}

// wholeTrace waits until a check that led to a retraining is there from its beginning to the last word to
// MLflow, and holds the log and the metrics of the worker to it.
func wholeTrace(t *testing.T, p *platform, got func(*testing.T) []span) {
	t.Helper()
	asked := []string{
		"iacontinu-flow: periodic_check", "iacontinu-flow: check trigger_retrain", "iacontinu-flow: request POST",
		"iacontinu-api: POST /retrain", "iacontinu-worker: job retrain",
	}
	var told []span
	eventually(t, "a whole trace has come", func() bool {
		told = chain(got(t), "", append(slices.Clone(asked), "iacontinu-worker: retrain activate", "iacontinu-worker: deliver mlflow run", "iacontinu-worker: mlflow runs/create")...)
		return told != nil
	})
	spans := got(t)
	trace := told[0].trace
	for _, s := range told {
		if s.trace != trace {
			t.Errorf("%s is in trace %s, want %s", s, s.trace, trace)
		}
	}
	job := told[4]
	for _, step := range []string{"data", "split", "train", "evaluate", "gate", "save", "activate"} {
		if chain(spans, job.id, "iacontinu-worker: retrain "+step) == nil {
			t.Errorf("the retraining lacks its step %s", step)
		}
	}
	for _, step := range []string{"health_check", "draw", "detect", "trigger_retrain", "notify"} {
		if chain(spans, told[0].id, "iacontinu-flow: check "+step) == nil {
			t.Errorf("the check lacks its step %s", step)
		}
	}
	if chain(spans, told[0].id, "iacontinu-flow: check health_check", "iacontinu-flow: request GET", "iacontinu-api: GET /health") == nil {
		t.Error("the check lacks its question about the API's health")
	}
	if chain(spans, told[3].id, "iacontinu-api: sql INSERT river_job") == nil {
		t.Errorf("the request lacks the statement that makes the job: %v", slices.DeleteFunc(spans, func(s span) bool { return s.trace != trace }))
	}
	p.worker.logged(t, "retraining finished", func(e entry) bool { return e["trace_id"] == trace })
}

// TestTracesGoThroughAllProcesses follows a check into MLflow and a prediction into its commit, and looks for
// what must not be told.
func TestTracesGoThroughAllProcesses(t *testing.T) {
	t.Parallel()
	c := newCollector(t, nil)
	discord := discordtest.NewHandler(discordtest.Options{Token: "webhook-token"})
	webhook := httptest.NewServer(discord)
	t.Cleanup(webhook.Close)
	secrets := []string{"hush-hush-hush-hush-hush-hush-hush-hush", "webhook-token", "admin123", "test123", "collector-key"}
	p := tracedLoop(t, c.url, "JWT_SECRET_KEY="+secrets[0], "DISCORD_WEBHOOK_URL="+webhook.URL+discord.Path(),
		"OTEL_EXPORTER_OTLP_HEADERS=x-key="+secrets[4])
	wholeTrace(t, p, c.got)

	token := tokenOf(t, p.url, "testuser", "test123")
	const caller, callers = "00f067aa0ba902b7", "4bf92f3577b34da6a3ce929d0e0e4736"
	header, _ := send(t, http.MethodPost, p.url+api.PathPredict, `{"features":[1234.5678,-0.25]}`, map[string]string{
		"Authorization": "Bearer " + token, "Content-Type": "application/json", "Traceparent": "00-" + callers + "-" + caller + "-01",
	})
	var predicted []span
	eventually(t, "the prediction's spans have come", func() bool {
		predicted = chain(c.got(t), caller, "iacontinu-api: POST /predict", "iacontinu-api: predict", "iacontinu-api: commit predictions")
		return predicted != nil
	})
	if s := predicted[0]; s.trace != callers || s.attributes["http.response.status_code"] != "200" || s.attributes["request_id"] != header.Get("X-Request-Id") {
		t.Errorf("%+v is not the request of the caller's trace", s)
	}
	_, metrics := send(t, http.MethodGet, p.url+api.PathMetrics, "", map[string]string{"Accept": "application/openmetrics-text; version=1.0.0"})
	if !strings.Contains(metrics, `trace_id="`+callers+`"`) {
		t.Error("no exemplar names the trace of the prediction")
	}
	eventually(t, "Discord was told in a trace", func() bool {
		return slices.ContainsFunc(c.got(t), func(s span) bool { return s.name == "discord send" })
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	if got := c.header.Get("X-Key"); got != secrets[4] {
		t.Errorf("the collector got the header %q, want %q", got, secrets[4])
	}
	for _, secret := range append(secrets, token, "1234.5678", "testuser@") {
		if slices.ContainsFunc(c.bodies, func(b []byte) bool { return bytes.Contains(b, []byte(secret)) }) {
			t.Errorf("the collector was told %q", secret)
		}
	}
}

// send asks with headers of its own for what must be answered well.
func send(t *testing.T, method, url, body string, headers map[string]string) (http.Header, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for name, value := range headers {
		req.Header.Set(name, value)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("%s %s: %s %s %v", method, url, res.Status, answer, err)
	}
	return res.Header, string(answer)
}

// TestABadCollectorCostsNobody: requests are answered and the process stops in time, whatever becomes of the spans.
func TestABadCollectorCostsNobody(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]func(http.ResponseWriter, *http.Request){
		"away":   nil,
		"broken": func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "broken", http.StatusInternalServerError) },
		"slow":   func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url := "http://127.0.0.1:9" // nobody listens there
			if answer != nil {
				url = newCollector(t, answer).url
			}
			up := newFolder(t, "OTEL_EXPORTER_OTLP_ENDPOINT="+url).start(t, nil, "iacontinu", "up")
			ready(t, up.url(t))
			client := login(t, up.url(t), "testuser", "test123")
			var took []time.Duration
			for range 500 {
				start := time.Now()
				if _, err := client.Predict(t.Context(), []float64{1, 1}); err != nil {
					t.Fatal(err)
				}
				took = append(took, time.Since(start))
			}
			slices.Sort(took)
			if median := took[len(took)/2]; median > 100*time.Millisecond {
				t.Errorf("half of the predictions took more than %v", median)
			}
			up.logged(t, "spans are lost", nil)
			up.stop(t)
		})
	}
}
