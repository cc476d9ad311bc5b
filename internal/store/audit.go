package store

import (
	"cmp"
	"context"
	"fmt"

	"gorm.io/gorm"

	"iacontinu/internal/ml"
)

type auditRow struct {
	ID        int64
	Level     *string
	Component *string
	EventType *string
	Message   *string
	Details   *string
	UserID    *int64
	CreatedAt timestamp
}

func (auditRow) TableName() string { return "system_logs" }

// Audit records who did what.
func (s *Store) Audit(ctx context.Context, e ml.AuditEntry) error {
	if e.CreatedAt.IsZero() {
		e.CreatedAt = s.now()
	}
	r := auditRow{
		Level:     &e.Level,
		Component: &e.Component,
		EventType: &e.EventType,
		Message:   &e.Message,
		Details:   &e.Details,
		CreatedAt: stamp(e.CreatedAt),
	}
	if e.UserID != 0 {
		r.UserID = &e.UserID
	}
	if err := s.write.WithContext(ctx).Create(&r).Error; err != nil {
		return fmt.Errorf("store: audit: %w", coded(err))
	}
	return nil
}

// AuditLog reads the newest entries, newest first, and how many there are; limit 0 means 100.
func (s *Store) AuditLog(ctx context.Context, limit int) ([]ml.AuditEntry, int64, error) {
	rows, total, err := newest[auditRow](s.read.WithContext(ctx).Model(&auditRow{}), "id", limit)
	if err != nil {
		return nil, 0, fmt.Errorf("store: read audit: %w", coded(err))
	}
	out := make([]ml.AuditEntry, len(rows))
	for i, r := range rows {
		out[i] = ml.AuditEntry{
			ID:        r.ID,
			Level:     value(r.Level),
			Component: value(r.Component),
			EventType: value(r.EventType),
			Message:   value(r.Message),
			Details:   value(r.Details),
			UserID:    value(r.UserID),
			CreatedAt: r.CreatedAt.Time,
		}
	}
	return out, total, nil
}

// newest reads the rows of q with the highest values of a column, highest first, and counts all.
func newest[R any](q *gorm.DB, column string, limit int) (rows []R, total int64, err error) {
	q = q.Session(&gorm.Session{})
	if err := q.Count(&total).Error; err != nil {
		return nil, 0, err
	}
	err = q.Order(column + " DESC").Limit(cmp.Or(limit, defaultLimit)).Find(&rows).Error
	return rows, total, err
}
