package apiserver

import (
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// stamp is a time as answers have it: UTC, to the millisecond.
func stamp(t time.Time) time.Time { return t.UTC().Truncate(time.Millisecond) }

// stampOrNil is null for a time that never was.
func stampOrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = stamp(t)
	return &t
}

func (s *Server) now() time.Time { return stamp(s.opt.Clock()) }

// unlessZero is null for a zero value, which stands for "none" in package ml.
func unlessZero[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// list is never null in JSON.
func list[T any](v []T) []T {
	if v == nil {
		return []T{}
	}
	return v
}

func trendOf(t *ml.Trend) *api.Trend {
	if t == nil {
		return nil
	}
	return &api.Trend{Slope: t.Slope, R2: t.R2, N: t.N, StepsToCross: t.StepsToCross, Limit: t.Limit}
}

func trendsOf(m map[string]ml.Trend) map[string]api.Trend {
	if len(m) == 0 {
		return nil
	}
	out := make(map[string]api.Trend, len(m))
	for name, t := range m {
		out[name] = *trendOf(&t)
	}
	return out
}

// remarksOf is what a text says, nil if only the text is known.
func remarksOf(remarks []ml.Remark) (out []api.Remark) {
	for _, r := range remarks {
		out = append(out, api.Remark(r))
	}
	return out
}
