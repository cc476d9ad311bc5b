package store

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"iacontinu/internal/ml"
)

// defaultLimit is how many rows of a history are returned if the caller does not say.
const defaultLimit = 100

// predictionRow is a row of prediction_logs. Its columns may be NULL, for the earlier system did
// not demand them.
type predictionRow struct {
	ID             int64
	UserID         *int64
	ModelVersion   *string
	Feature1       *float64
	Feature2       *float64
	Prediction     *int
	Confidence     *float64
	ResponseTimeMs *float64
	CreatedAt      timestamp
	PredictionID   *string
	FeaturesMore   []byte
}

func (predictionRow) TableName() string { return "prediction_logs" }

func (r predictionRow) prediction() ml.LoggedPrediction {
	return ml.LoggedPrediction{
		RowID: r.ID,
		Prediction: ml.Prediction{
			ID:           value(r.PredictionID),
			UserID:       value(r.UserID),
			ModelVersion: value(r.ModelVersion),
			Features:     features(r.Feature1, r.Feature2, r.FeaturesMore),
			Label:        value(r.Prediction),
			Confidence:   value(r.Confidence),
			ResponseTime: time.Duration(value(r.ResponseTimeMs) * float64(time.Millisecond)),
			CreatedAt:    r.CreatedAt.Time,
		},
	}
}

// value is what p points to, zero for NULL.
func value[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// HistoryFilter says which predictions to read.
type HistoryFilter struct {
	UserID int64 // 0 means all users
	Before int64 // only those with a lower id; 0 leaves none out
	Limit  int   // 0 means 100
}

// History reads the newest predictions, newest first, and how many there are in all, also from f.Before on.
func (s *Store) History(ctx context.Context, f HistoryFilter) ([]ml.LoggedPrediction, int64, error) {
	q := older(s.read.WithContext(ctx), "id", f.Before, f.Limit)
	if f.UserID != 0 {
		q = q.Where("user_id = ?", f.UserID)
	}
	var rows []predictionRow
	if err := q.Find(&rows).Error; err != nil {
		return nil, 0, fmt.Errorf("store: read predictions: %w", coded(err))
	}
	stats, err := s.Stats(ctx, f.UserID)
	if err != nil {
		return nil, 0, err
	}
	out := make([]ml.LoggedPrediction, len(rows))
	for i, r := range rows {
		out[i] = r.prediction()
	}
	return out, stats.Total, nil
}

// Stats sums up the predictions of a user, of all users if the id is 0. It reads the sums that are
// kept with the log, so that its cost does not grow with the log.
func (s *Store) Stats(ctx context.Context, userID int64) (ml.PredictionStats, error) {
	q := s.read.WithContext(ctx).Table("prediction_stats").
		Select("model_version, SUM(predictions) AS predictions, SUM(sum_confidence) AS confidence," +
			" SUM(sum_response_ms) AS response_ms").
		Group("model_version")
	if userID != 0 {
		q = q.Where("user_id = ?", userID)
	}
	var rows []struct {
		ModelVersion string
		Predictions  int64
		Confidence   float64
		ResponseMs   float64
	}
	if err := q.Scan(&rows).Error; err != nil {
		return ml.PredictionStats{}, fmt.Errorf("store: read prediction stats: %w", coded(err))
	}
	out := ml.PredictionStats{ByModel: make(map[string]int64, len(rows))}
	var confidence, ms float64
	for _, r := range rows {
		out.ByModel[r.ModelVersion] = r.Predictions
		out.Total += r.Predictions
		confidence += r.Confidence
		ms += r.ResponseMs
	}
	if n := float64(out.Total); n > 0 {
		out.AverageConfidence = confidence / n
		out.AverageResponseTime = time.Duration(ms / n * float64(time.Millisecond))
	}
	return out, nil
}

// Recent reads the features of the newest predictions of a version whose id is above sinceID: k
// columns of n values, oldest first, n at most limit. Rows with another number of features are left
// out.
func (s *Store) Recent(
	ctx context.Context, version string, sinceID int64, limit, k int,
) (columns [][]float64, n int, err error) {
	return s.window(ctx, version, sinceID, math.MaxInt64, limit, k)
}

const windowQuery = "SELECT feature1, feature2, features_more FROM prediction_logs" +
	" WHERE id > ? AND id <= ? AND model_version = ? ORDER BY id DESC LIMIT ?"

// window reads the features of the newest predictions of a version with ids above one and up to another.
func (s *Store) window(ctx context.Context, version string, above, upTo int64, limit, k int) (columns [][]float64, n int, err error) {
	rows, err := s.reader.QueryContext(ctx, windowQuery, above, upTo, version, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("store: read recent predictions: %w", coded(err))
	}
	defer rows.Close()
	columns = make([][]float64, k)
	for rows.Next() {
		var first, second *float64
		var more []byte
		if err := rows.Scan(&first, &second, &more); err != nil {
			return nil, 0, fmt.Errorf("store: read recent predictions: %w", err)
		}
		if row := features(first, second, more); len(row) == k {
			for j, f := range row {
				columns[j] = append(columns[j], f)
			}
			n++
		}
	}
	if err := rows.Err(); err != nil {
		return nil, 0, fmt.Errorf("store: read recent predictions: %w", coded(err))
	}
	for _, c := range columns {
		slices.Reverse(c)
	}
	return columns, n, nil
}
