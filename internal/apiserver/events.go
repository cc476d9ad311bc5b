package apiserver

import (
	"context"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// During is the input of an operation on a span of time. It is exported for huma, which fills no other
// embedded struct.
type During struct {
	From time.Time `query:"from" doc:"RFC 3339; left out: a day before to"`
	To   time.Time `query:"to" doc:"RFC 3339; left out: now"`
}

// span is the time that is asked for. Records are kept to the second, so that a later part of it counts in.
func (s *Server) span(d During) (from, to time.Time, err error) {
	if to = d.To; to.IsZero() {
		to = s.opt.Clock()
	}
	if from = d.From; from.IsZero() {
		from = to.AddDate(0, 0, -1)
	}
	if from.After(to) {
		return from, to, invalidBody(ml.FieldError{Location: "query.from", Message: "must not be after to"})
	}
	return from.UTC(), to.UTC(), nil
}

// askedEvents is the input of GET /events.
type askedEvents struct {
	During
	Kinds []string `query:"kind,explode" maxItems:"8" enum:"drift,failed,retrain,verdict,swap,rollback,import,generate" doc:"Only these; once for each"`
	Limit int      `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"How many, newest first"`
}

func (s *Server) events(ctx context.Context, in *askedEvents) (*with[api.EventList], error) {
	from, to, err := s.span(in.During)
	if err != nil {
		return nil, err
	}
	kinds := make([]ml.HappeningKind, len(in.Kinds))
	for i, k := range in.Kinds {
		kinds[i] = ml.HappeningKind(k)
	}
	all, more, err := s.opt.Records.Timeline(ctx, from, to, kinds, in.Limit)
	if err != nil {
		return nil, err
	}
	return &with[api.EventList]{api.EventList{Events: eventsOf(all), From: stamp(from), To: stamp(to), More: more}}, nil
}

func eventsOf(all []ml.Happening) []api.Event {
	out := make([]api.Event, len(all))
	for i, h := range all {
		out[i] = api.Event{At: stamp(h.At), Kind: string(h.Kind), ID: h.ID, ModelVersion: h.Version, Value: h.Value, Detail: h.Detail}
	}
	return out
}
