package apiserver

import (
	"context"
	"encoding/json"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// swapPatience is how long an activation waits until this process serves the version.
const swapPatience = 10 * time.Second

func (s *Server) modelInfo(ctx context.Context, _ *none) (*with[api.ModelInfo], error) {
	out := api.ModelInfo{ModelType: api.ModelType, Timestamp: s.now(), Forecast: s.forecast(ctx)}
	v, ok := s.opt.Predictor.Current()
	if !ok {
		return &with[api.ModelInfo]{out}, nil
	}
	out.ModelVersion, out.ModelLoaded = &v.Name, true
	out.Accuracy, out.AccuracyInterval, out.TrainingSamples = &v.Accuracy, intervalOf(v.Metrics), v.TrainingSamples
	out.Features, out.Target, out.Classes = v.Schema.Features, v.Schema.Target, v.Schema.Classes[:]
	out.CreatedAt, out.ActivatedAt, out.Reason = stampOrNil(v.CreatedAt), stampOrNil(v.ActivatedAt), v.Reason
	return &with[api.ModelInfo]{out}, nil
}

// intervalOf is the confidence interval of accuracy, nil for a version without one.
func intervalOf(metrics json.RawMessage) []float64 {
	var m struct {
		Low  *float64 `json:"accuracy_low"`
		High *float64 `json:"accuracy_high"`
	}
	if len(metrics) == 0 || json.Unmarshal(metrics, &m) != nil || m.Low == nil || m.High == nil {
		return nil
	}
	return []float64{*m.Low, *m.High}
}

// forecast is what the latest check has measured, nil before the first. The model can be described
// without it, so that a failure is only logged.
func (s *Server) forecast(ctx context.Context) *api.Forecast {
	checks, _, err := s.opt.Records.DriftHistory(ctx, 1)
	if err != nil {
		s.log.WarnContext(ctx, "model described without its forecast", "error", err)
	}
	if len(checks) == 0 {
		return nil
	}
	d := checks[0].Details
	if d.AccuracyTrend == nil && len(d.ScoreTrends) == 0 {
		return nil
	}
	return &api.Forecast{CheckedAt: stamp(checks[0].CreatedAt), AccuracyTrend: trendOf(d.AccuracyTrend), ScoreTrends: trendsOf(d.ScoreTrends)}
}

func (s *Server) models(ctx context.Context, in *Newest) (*with[api.VersionList], error) {
	all, total, err := s.opt.Versions.VersionsBefore(ctx, in.Before, in.Limit)
	if err != nil {
		return nil, err
	}
	out := api.VersionList{Models: make([]api.Version, len(all)), Total: total}
	for i, v := range all {
		out.Models[i] = versionOf(v)
	}
	return &with[api.VersionList]{out}, nil
}

func versionOf(v ml.Version) api.Version {
	out := api.Version{
		ID: v.ID, Version: v.Name, Accuracy: v.Accuracy, TrainingSamples: v.TrainingSamples, CreatedAt: stamp(v.CreatedAt),
		ActivatedAt: stampOrNil(v.ActivatedAt), IsActive: v.Active, Status: string(v.Status), Reason: v.Reason,
		Features: list(v.Schema.Features), Target: v.Schema.Target, Classes: v.Schema.Classes[:], DatasetIDs: list(v.DatasetIDs),
	}
	if json.Valid(v.Metrics) {
		out.Metrics = v.Metrics
	}
	return out
}

type byVersion struct {
	Version string `path:"version" maxLength:"200"`
}

func (s *Server) activate(ctx context.Context, in *byVersion) (*with[api.Version], error) {
	v, err := s.opt.Activator.Activate(ctx, in.Version, actor(identityOf(ctx)))
	return s.activated(ctx, "activate", v, err)
}

func (s *Server) rollback(ctx context.Context, _ *none) (*with[api.Version], error) {
	v, err := s.opt.Activator.Rollback(ctx, actor(identityOf(ctx)))
	return s.activated(ctx, "rollback", v, err)
}

// activated answers when this process serves the version.
func (s *Server) activated(ctx context.Context, event string, v ml.Version, err error) (*with[api.Version], error) {
	if err != nil {
		return nil, err
	}
	if err := s.audit(ctx, event, "version "+v.Name+" is active", map[string]any{"model_version": v.Name}); err != nil {
		return nil, err
	}
	waiting, cancel := context.WithTimeout(ctx, swapPatience)
	defer cancel()
	if err := s.opt.Follower.WaitFor(waiting, v.Name); err != nil {
		return nil, err
	}
	v.Active = true
	return &with[api.Version]{versionOf(v)}, nil
}
