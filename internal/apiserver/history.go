package apiserver

import (
	"context"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// everybody stands for all users where records are read.
const everybody = 0

func (s *Server) history(ctx context.Context, in *Newest) (*with[api.PredictionHistory], error) {
	who := identityOf(ctx)
	if who.Role == ml.RoleService { // user 0, which would be everybody
		return nil, ml.Errorf(ml.CodeForbidden, "a service has no predictions of its own: %s has all, for administrators", api.PathHistoryAll)
	}
	return s.predictions(ctx, who.UserID, in)
}

func (s *Server) historyAll(ctx context.Context, in *Newest) (*with[api.PredictionHistory], error) {
	return s.predictions(ctx, everybody, in)
}

func (s *Server) predictions(ctx context.Context, user int64, in *Newest) (*with[api.PredictionHistory], error) {
	rows, total, err := s.opt.Records.Predictions(ctx, user, in.Before, in.Limit)
	if err != nil {
		return nil, err
	}
	out := api.PredictionHistory{Predictions: make([]api.LoggedPrediction, len(rows)), Total: total}
	for i, r := range rows {
		out.Predictions[i] = loggedOf(r)
	}
	return &with[api.PredictionHistory]{out}, nil
}

func loggedOf(r ml.LoggedPrediction) api.LoggedPrediction {
	out := api.LoggedPrediction{
		ID: r.RowID, UserID: unlessZero(r.UserID), ModelVersion: r.ModelVersion, Prediction: r.Label, Confidence: r.Confidence,
		ResponseTimeMS: milliseconds(r.ResponseTime), CreatedAt: stamp(r.CreatedAt), PredictionID: r.ID,
	}
	if len(r.Features) > 0 {
		out.Feature1 = &r.Features[0]
	}
	if len(r.Features) > 1 {
		out.Feature2 = &r.Features[1]
	}
	if len(r.Features) > 2 {
		out.Features = r.Features
	}
	return out
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func (s *Server) stats(ctx context.Context, _ *none) (*with[api.PredictionStats], error) {
	user := int64(everybody)
	if who := identityOf(ctx); who.Role == ml.RoleUser {
		user = who.UserID
	}
	st, err := s.opt.Records.Stats(ctx, user)
	if err != nil {
		return nil, err
	}
	byModel := st.ByModel
	if byModel == nil {
		byModel = map[string]int64{}
	}
	return &with[api.PredictionStats]{api.PredictionStats{
		TotalPredictions: st.Total, PredictionsByModel: byModel,
		AverageConfidence: st.AverageConfidence, AverageResponseTimeMS: milliseconds(st.AverageResponseTime),
	}}, nil
}

func (s *Server) trainings(ctx context.Context, in *Newest) (*with[api.TrainingHistory], error) {
	rows, total, err := s.opt.Records.TrainingsBefore(ctx, in.Before, in.Limit)
	if err != nil {
		return nil, err
	}
	out := api.TrainingHistory{Trainings: make([]api.Training, len(rows)), Total: total}
	for i, r := range rows {
		out.Trainings[i] = trainingOf(r)
	}
	return &with[api.TrainingHistory]{out}, nil
}

func trainingOf(r ml.TrainingRecord) api.Training {
	return api.Training{
		ID: r.ID, ModelVersion: r.Version, TriggerReason: r.Reason, TrainingSamples: r.TrainingSamples,
		AccuracyBefore: r.AccuracyBefore, AccuracyAfter: r.AccuracyAfter, TrainingDurationSeconds: r.Duration.Seconds(),
		MLflowRunID: unlessZero(r.MLflowRunID), CreatedAt: stamp(r.CreatedAt), Verdict: string(r.Verdict), Details: r.Details, Reasons: remarksOf(r.Reasons), JobID: r.JobID,
	}
}

func (s *Server) drift(ctx context.Context, in *Newest) (*with[api.DriftHistory], error) {
	rows, total, err := s.opt.Records.DriftBefore(ctx, in.Before, in.Limit)
	if err != nil {
		return nil, err
	}
	out := api.DriftHistory{DriftDetections: make([]api.DriftDetection, len(rows)), Total: total}
	for i, r := range rows {
		out.DriftDetections[i] = detectionOf(r)
	}
	return &with[api.DriftHistory]{out}, nil
}

func detectionOf(r ml.DriftReport) api.DriftDetection {
	return api.DriftDetection{
		ID: r.ID, ModelVersion: r.ModelVersion, DetectionMethod: r.Method, TriggerValue: r.TriggerValue, Threshold: r.Threshold,
		Drift: r.Drift, ActionTaken: string(r.Action), Details: driftDetailsOf(r.Details), CreatedAt: stamp(r.CreatedAt),
	}
}

func driftDetailsOf(d ml.CheckDetails) api.DriftDetails {
	out := api.DriftDetails{
		Rows: d.Rows, Note: d.Note, Remarks: remarksOf(d.Remarks), JobID: d.JobID, NewVersion: d.NewVersion,
		AccuracyTrend: trendOf(d.AccuracyTrend), ScoreTrends: trendsOf(d.ScoreTrends), DurationSeconds: d.Duration,
	}
	for _, f := range d.Scores {
		out.Scores = append(out.Scores, scoreOf(f))
	}
	return out
}

func scoreOf(f ml.FeatureScore) api.FeatureScore {
	return api.FeatureScore{Feature: f.Feature, KS: f.KS, PValue: f.PValue, PSI: f.PSI, Drift: f.Drift}
}
