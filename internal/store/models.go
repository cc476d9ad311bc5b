package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"

	"iacontinu/internal/ml"
)

type modelRow struct {
	ID              int64
	Version         string
	Accuracy        *float64
	TrainingSamples *int
	CreatedAt       timestamp
	IsActive        *bool
	Status          string
	Schema          string
	SchemaKey       string
	Reason          string
	DatasetIDs      string `gorm:"column:dataset_ids"`
	Metrics         string
	Digest          string
	JobID           int64
	ActivatedAt     timestamp
	SincePrediction int64
}

func (modelRow) TableName() string { return "models" }

func (r modelRow) version() (ml.Version, error) {
	v := ml.Version{
		ID:              r.ID,
		Name:            r.Version,
		Accuracy:        value(r.Accuracy),
		TrainingSamples: value(r.TrainingSamples),
		CreatedAt:       r.CreatedAt.Time,
		Active:          value(r.IsActive),
		ActivatedAt:     r.ActivatedAt.Time,
		SincePrediction: r.SincePrediction,
		Status:          ml.VersionStatus(r.Status),
		Reason:          r.Reason,
		Digest:          r.Digest,
		JobID:           r.JobID,
	}
	if r.Metrics != "" {
		v.Metrics = json.RawMessage(r.Metrics)
	}
	if err := json.Unmarshal([]byte(r.Schema), &v.Schema); err != nil {
		return v, fmt.Errorf("version %s: schema: %w", v.Name, err)
	}
	if err := json.Unmarshal([]byte(r.DatasetIDs), &v.DatasetIDs); err != nil {
		return v, fmt.Errorf("version %s: dataset ids: %w", v.Name, err)
	}
	return v, nil
}

func rowOfVersion(v ml.Version) (modelRow, error) {
	schema, err := json.Marshal(v.Schema)
	if err != nil {
		return modelRow{}, err
	}
	ids, err := json.Marshal(append([]int64{}, v.DatasetIDs...))
	if err != nil {
		return modelRow{}, err
	}
	inactive := false
	return modelRow{
		Version:         v.Name,
		Accuracy:        &v.Accuracy,
		TrainingSamples: &v.TrainingSamples,
		CreatedAt:       stamp(v.CreatedAt),
		IsActive:        &inactive,
		Status:          string(cmp.Or(v.Status, ml.VersionReady)),
		Schema:          string(schema),
		SchemaKey:       v.Schema.Key(),
		Reason:          v.Reason,
		DatasetIDs:      string(ids),
		Metrics:         string(v.Metrics),
		Digest:          v.Digest,
		JobID:           v.JobID,
	}, nil
}

// Active reads the active version; CodeNotFound if there is none.
func (s *Store) Active(ctx context.Context) (ml.Version, error) {
	return readVersion(s.read.WithContext(ctx).Where("is_active = 1"), "no version is active")
}

// Version reads a version by name.
func (s *Store) Version(ctx context.Context, name string) (ml.Version, error) {
	return readVersion(s.read.WithContext(ctx).Where("version = ?", name), "there is no version %q", name)
}

func readVersion(q *gorm.DB, missing string, args ...any) (ml.Version, error) {
	var r modelRow
	if err := q.Take(&r).Error; err != nil {
		return ml.Version{}, fmt.Errorf("store: read version: %w", found(err, missing, args...))
	}
	v, err := r.version()
	if err != nil {
		return ml.Version{}, fmt.Errorf("store: read version: %w", err)
	}
	return v, nil
}

// Versions reads the newest versions, newest first, and how many there are.
func (s *Store) Versions(ctx context.Context, limit int) ([]ml.Version, int64, error) {
	return s.VersionsBefore(ctx, 0, limit)
}

// VersionsBefore reads the newest versions of those that are older than one, newest first, and how many there are of
// all; id 0 leaves none out.
func (s *Store) VersionsBefore(ctx context.Context, id int64, limit int) ([]ml.Version, int64, error) {
	rows, total, err := newest[modelRow](s.read.WithContext(ctx).Model(&modelRow{}), "id", id, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("store: read versions: %w", coded(err))
	}
	out := make([]ml.Version, len(rows))
	for i, r := range rows {
		if out[i], err = r.version(); err != nil {
			return nil, 0, fmt.Errorf("store: read versions: %w", err)
		}
	}
	return out, total, nil
}

// DeleteVersion removes the row of a version. The active version has CodeConflict.
func (s *Store) DeleteVersion(ctx context.Context, name string) error {
	err := s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		var r modelRow
		if err := tx.Where("version = ?", name).Take(&r).Error; err != nil {
			return found(err, "there is no version %q", name)
		}
		if value(r.IsActive) {
			return ml.Errorf(ml.CodeConflict, "version %q is active", name)
		}
		return tx.Where("version = ?", name).Delete(&modelRow{}).Error
	})
	if err != nil {
		return fmt.Errorf("store: delete version: %w", coded(err))
	}
	return nil
}
