package boot

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// TraceConfig says where traces go, and which. The names are those of OpenTelemetry's own libraries.
type TraceConfig struct {
	Endpoint   string `env:"OTEL_EXPORTER_OTLP_ENDPOINT" help:"OpenTelemetry collector, or Jaeger, that gets traces by OTLP over HTTP, such as http://localhost:4318; empty: no traces"`
	Headers    string `env:"OTEL_EXPORTER_OTLP_HEADERS" secret:"true" help:"headers that it asks for, as name=value,name=value"`
	Sampler    string `env:"OTEL_TRACES_SAMPLER" envDefault:"parentbased_always_on" help:"which traces are recorded: always_on, always_off or traceidratio, or one of them after parentbased_, where a caller's traceparent decides for its own"`
	SamplerArg string `env:"OTEL_TRACES_SAMPLER_ARG" envDefault:"1" help:"share of the traces that traceidratio records, 0 to 1"`
	Service    string `env:"OTEL_SERVICE_NAME" help:"name of the process among services; empty: iacontinu-api, iacontinu-worker, iacontinu-flow, iacontinu-ui, or iacontinu for up"`
}

// Validate implements the check of Load.
func (c TraceConfig) Validate() error {
	var errs []error
	if c.Endpoint != "" {
		errs = append(errs, judgeCollector("OTEL_EXPORTER_OTLP_ENDPOINT", c.Endpoint))
	}
	if _, err := parseHeaders(c.Headers); err != nil {
		errs = append(errs, err)
	}
	if ratio, err := strconv.ParseFloat(c.SamplerArg, 64); err != nil || !(ratio >= 0 && ratio <= 1) {
		errs = append(errs, fmt.Errorf("OTEL_TRACES_SAMPLER_ARG: %q is not a number from 0 to 1", c.SamplerArg))
	}
	if c.sampler() == nil {
		errs = append(errs, fmt.Errorf("OTEL_TRACES_SAMPLER: %q is not one of always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off, parentbased_traceidratio", c.Sampler))
	}
	return errors.Join(errs...)
}

func judgeCollector(setting, value string) error {
	const example = " without a user, such as http://localhost:4318"
	if u, err := url.Parse(value); err == nil && u.User != nil {
		return errors.New(setting + ": is not an http(s) URL" + example)
	}
	return JudgeURL(setting, value, example)
}

// parseHeaders reads name=value,... with values escaped as in a URL. Its errors repeat nothing.
func parseHeaders(text string) (map[string]string, error) {
	headers := map[string]string{}
	for i, pair := range strings.Split(text, ",") {
		if strings.TrimSpace(pair) == "" {
			continue
		}
		name, value, found := strings.Cut(pair, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !found || name == "" || err != nil {
			return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_HEADERS: part %d is not name=value", i+1)
		}
		headers[name] = value
	}
	return headers, nil
}

// sampler is nil if the setting names none.
func (c TraceConfig) sampler() sdktrace.Sampler {
	ratio, _ := strconv.ParseFloat(c.SamplerArg, 64) // Validate has read it
	name, parent := strings.CutPrefix(c.Sampler, "parentbased_")
	var s sdktrace.Sampler
	switch name {
	case "always_on":
		s = sdktrace.AlwaysSample()
	case "always_off":
		s = sdktrace.NeverSample()
	case "traceidratio":
		s = sdktrace.TraceIDRatioBased(ratio)
	default:
		return nil
	}
	if parent {
		s = sdktrace.ParentBased(s)
	}
	return s
}

// flushTimeout bounds the sending of the last spans at a stop, which has 10 s in all.
const flushTimeout = 700 * time.Millisecond

// Traces sends the spans of a process. The nil *Traces sends none.
type Traces struct {
	provider *sdktrace.TracerProvider
	log      *slog.Logger
}

// OpenTraces begins to send to the collector that is set, if one is.
func OpenTraces(ctx context.Context, c TraceConfig, process string, log *slog.Logger) (*Traces, error) {
	if c.Endpoint == "" {
		return nil, nil
	}
	headers, err := parseHeaders(c.Headers)
	if err != nil {
		return nil, err
	}
	address, err := url.JoinPath(c.Endpoint, "v1", "traces")
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	sender, err := otlptracehttp.New(ctx,
		otlptracehttp.WithEndpointURL(address), otlptracehttp.WithHeaders(headers), otlptracehttp.WithTimeout(exportTimeout),
		// A batch that is lost is lost; while one is tried again the next ones would be.
		otlptracehttp.WithRetry(otlptracehttp.RetryConfig{Enabled: false}),
	)
	if err != nil {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %w", err)
	}
	t := &Traces{log: log}
	t.provider = sdktrace.NewTracerProvider(
		sdktrace.WithSampler(c.sampler()),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", cmp.Or(c.Service, serviceName(process))),
			attribute.String("service.version", Version()),
		)),
		sdktrace.WithSpanProcessor(newSpanQueue(sender, log)),
	)
	log.InfoContext(ctx, "traces are sent", "to", c.Endpoint, "sampler", c.Sampler, "ratio", c.SamplerArg)
	return t, nil
}

// serviceName is how a process is called among services.
func serviceName(process string) string {
	if process == "up" {
		return "iacontinu"
	}
	return "iacontinu-" + process
}

// Tracer makes the spans of the process; nil where none are sent.
func (t *Traces) Tracer(scope string) trace.Tracer {
	if t == nil {
		return nil
	}
	return t.provider.Tracer(scope, trace.WithInstrumentationVersion(Version()))
}

// Close sends what waits, for a moment. Spans that are lost are no error of a process.
func (t *Traces) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.log.WarnContext(ctx, "the last spans were not sent", "error", err)
	}
	return nil
}
