package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"github.com/danielgtaylor/huma/v2"

	"iacontinu/internal/api"
	"iacontinu/internal/synth"
)

// defaultSamples is the size of a generated dataset if none is asked for.
const defaultSamples = 1000

// generateRequest is api.GenerateRequest as the server reads it: samples may be a numeric string. A test
// holds the other fields and their tags to it.
type generateRequest struct {
	Samples   sampleCount `json:"samples,omitzero"`
	Seed      *uint64     `json:"seed,omitempty" maximum:"9007199254740991" doc:"Equal requests with equal seeds give equal rows; 0 or left out: one is drawn, which the answer names"`
	Drift     string      `json:"drift,omitempty" enum:"none,covariate,concept,label" doc:"Left out: covariate in an odd hour (UTC), none in an even one"`
	Magnitude *float64    `json:"magnitude,omitempty" minimum:"0" maximum:"10" doc:"Strength in the unit of the drift's kind; left out: the kind's default"`
}

// sampleCount is a whole number, or the same in a string. It never fails to decode: what is wrong
// with it is told together with all else that is wrong, by Resolve.
type sampleCount struct {
	n     int
	given json.RawMessage
	wrong error
}

// UnmarshalJSON implements json.Unmarshaler.
func (c *sampleCount) UnmarshalJSON(b []byte) error {
	*c = sampleCount{given: append(json.RawMessage(nil), b...)}
	v, err := parseNumber(b)
	if err != nil || v != math.Trunc(v) || math.Abs(v) > math.MaxInt32 {
		v = -1 // as wrong as what is no number
	}
	c.n = int(v)
	c.wrong = synth.CheckSamples(c.n)
	return nil
}

// Schema implements huma.SchemaProvider. Without a type the bounds hold for numbers and the pattern
// for strings, as JSON Schema has it.
func (sampleCount) Schema(huma.Registry) *huma.Schema {
	low, high := 1.0, float64(synth.MaxSamples)
	return &huma.Schema{
		Description: "How many rows: a whole number, or the same in a string",
		Minimum:     &low, Maximum: &high, Pattern: "^ *[0-9]+ *$", Default: defaultSamples, Examples: []any{defaultSamples},
	}
}

// Resolve implements huma.ResolverWithPath.
func (c *sampleCount) Resolve(_ huma.Context, at *huma.PathBuffer) []error {
	var wrong *synth.FieldError
	if !errors.As(c.wrong, &wrong) {
		return nil
	}
	return []error{&huma.ErrorDetail{Location: at.String(), Message: wrong.Message, Value: excerpt(c.given)}}
}

// rows is the number asked for, or the default.
func (c *sampleCount) rows() int {
	if c.given == nil {
		return defaultSamples
	}
	return c.n
}

// maybe is the input of an operation whose body may be left out.
type maybe[T any] struct{ Body *T }

func (s *Server) generateOp() huma.Operation {
	return s.op(post, api.PathGenerate, signedIn, "data", "generate", "Generate a dataset", 507)
}

func (s *Server) generate(ctx context.Context, in *maybe[generateRequest]) (*with[api.GenerateResponse], error) {
	body := generateRequest{}
	if in.Body != nil {
		body = *in.Body
	}
	g := Generate{Samples: body.Samples.rows(), Hour: s.opt.Clock().UTC().Hour(), Drift: body.Drift}
	if body.Magnitude != nil {
		g.Magnitude = *body.Magnitude
	}
	if body.Seed != nil {
		g.Seed = *body.Seed
	}
	d, err := s.opt.Datasets.Generate(ctx, g)
	if err != nil {
		return nil, err
	}
	err = s.audit(ctx, "generate", fmt.Sprintf("dataset %d of %d rows generated", d.ID, d.Samples),
		map[string]any{"generation_id": d.ID, "samples": d.Samples, "seed": d.Seed, "drift": g.Drift})
	if err != nil {
		return nil, err
	}
	return &with[api.GenerateResponse]{api.GenerateResponse{
		GenerationID: d.ID, SamplesCreated: d.Samples, Timestamp: s.now(), Seed: d.Seed, Drift: g.Drift, HourGenerated: d.Hour,
		IgnoredFields: exchangeOf(ctx).ignored,
	}}, nil
}
