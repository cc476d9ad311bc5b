package apiserver

import (
	"context"
	"math"
	"slices"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

const (
	overviewAge    = time.Second // how long an overview is good for
	overviewChecks = 60
	overviewEvents = 50
)

func (s *Server) overview(ctx context.Context, _ *none) (*with[api.Overview], error) {
	out, err := s.lastOverview.get(ctx, s.opt.Clock, overviewAge, s.makeOverview)
	if err != nil {
		return nil, err
	}
	return &with[api.Overview]{out}, nil
}

func (s *Server) makeOverview(ctx context.Context) (api.Overview, error) {
	now := s.opt.Clock()
	out := api.Overview{Timestamp: stamp(now), Checks: []api.ShortCheck{}}
	checks, _, err := s.opt.Records.DriftHistory(ctx, overviewChecks)
	if err != nil {
		return out, err
	}
	if out.Waiting, err = s.opt.Waiting(ctx); err != nil {
		return out, err
	}
	failed, failedAt, err := s.opt.LastFailed(ctx)
	if err != nil {
		return out, err
	}
	events, _, err := s.opt.Records.Timeline(ctx, now.AddDate(0, 0, -1), now, nil, overviewEvents)
	if err != nil {
		return out, err
	}
	out.Waiting.Jobs, out.Waiting.Deliveries, out.Events = list(out.Waiting.Jobs), list(out.Waiting.Deliveries), eventsOf(events)
	if v, ok := s.opt.Predictor.Current(); ok {
		out.Model = &api.OverviewModel{
			Version: v.Name, Accuracy: v.Accuracy, AccuracyInterval: intervalOf(v.Metrics), TrainingSamples: v.TrainingSamples,
			CreatedAt: stamp(v.CreatedAt), ActivatedAt: stampOrNil(v.ActivatedAt), AgeSeconds: now.Sub(v.CreatedAt).Seconds(), Reason: v.Reason,
		}
	}
	for _, c := range slices.Backward(checks) {
		out.Checks = append(out.Checks, shortOf(c))
	}
	overdue := false
	if len(checks) > 0 {
		if interval := intervalBetween(checks[0]); interval > 0 {
			next := stamp(time.UnixMilli(int64(float64(checks[0].Slot+1) * interval * 1000)))
			out.Interval, out.NextCheckAt = interval, &next
			if overdue = now.Sub(next).Seconds() > 2*interval+lateness.Seconds(); overdue {
				out.NextCheckAt = nil
			}
		}
	}
	out.Facts = facts(out, checks, s.checks(ctx), overdue, trainingFailed(failed, failedAt)...)
	out.Level = out.Facts[0].Level
	return out, nil
}

// lateness is how long a check may take before it is missed: one that retrains waits for that.
const lateness = 30 * time.Second

// intervalBetween is the time between two checks in seconds, which a check's slot tells: it is the time
// divided by the interval. 0 if it had none.
func intervalBetween(c ml.DriftReport) float64 {
	if c.Slot <= 0 {
		return 0
	}
	seconds := float64(c.CreatedAt.UnixMilli()) / 1000 / float64(c.Slot)
	// The time lies within the slot, so that this is too much by at most seconds/slot.
	for _, step := range []float64{0.001, 1, 60} {
		if seconds/float64(c.Slot) < step/2 {
			return math.Round(math.Round(seconds/step)*step*1000) / 1000
		}
	}
	return seconds
}

func shortOf(c ml.DriftReport) api.ShortCheck {
	out := api.ShortCheck{
		ID: c.ID, At: stamp(c.CreatedAt), Method: c.Method, Drift: c.Drift, ActionTaken: string(c.Action), TriggerValue: c.TriggerValue, Threshold: c.Threshold,
	}
	for _, f := range c.Details.Scores {
		if out.KS == nil || f.KS > *out.KS {
			out.KS = &f.KS
		}
	}
	return out
}
