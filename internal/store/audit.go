package store

import (
	"cmp"
	"context"
	"fmt"
	"time"

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
	return s.auditIn(s.write.WithContext(ctx), e)
}

func (s *Store) auditIn(q *gorm.DB, e ml.AuditEntry) error {
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
	if err := q.Create(&r).Error; err != nil {
		return fmt.Errorf("store: audit: %w", coded(err))
	}
	return nil
}

const (
	maxAudit  = "SELECT COALESCE(MAX(id), 0) FROM system_logs"
	nextAudit = "SELECT id, created_at FROM system_logs WHERE id >= ? ORDER BY id LIMIT 1"
)

// AuditLog reads the newest entries that the filter chooses, newest first, and how many there are, also from
// f.Before on; limit 0 means 100.
func (s *Store) AuditLog(ctx context.Context, f ml.AuditFilter, limit int) ([]ml.AuditEntry, int64, error) {
	q, err := s.chosen(ctx, f)
	if err != nil {
		return nil, 0, fmt.Errorf("store: read audit: %w", coded(err))
	}
	rows, total, err := newest[auditRow](q, "id", f.Before, limit)
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

// chosen is the query of the entries that a filter chooses. Times are found as ids.
func (s *Store) chosen(ctx context.Context, f ml.AuditFilter) (*gorm.DB, error) {
	q := s.read.WithContext(ctx).Model(&auditRow{})
	for column, value := range map[string]string{"component": f.Component, "event_type": f.EventType, "level": f.Level} {
		if value != "" {
			q = q.Where(column+" = ?", value)
		}
	}
	if f.Username != "" {
		q = q.Where("user_id = (SELECT id FROM users WHERE username = ?)", f.Username)
	}
	if !f.From.IsZero() {
		first, _, err := s.since(ctx, maxAudit, nextAudit, f.From)
		if err != nil {
			return nil, err
		}
		q = q.Where("id >= ?", first)
	}
	if !f.To.IsZero() {
		after, _, err := s.since(ctx, maxAudit, nextAudit, f.To.Truncate(time.Second).Add(time.Second))
		if err != nil {
			return nil, err
		}
		q = q.Where("id < ?", after)
	}
	return q, nil
}

// newest reads the rows of q that older chooses, and counts all of q.
func newest[R any](q *gorm.DB, column string, before int64, limit int) (rows []R, total int64, err error) {
	q = q.Session(&gorm.Session{})
	if err := q.Count(&total).Error; err != nil {
		return nil, 0, err
	}
	err = older(q, column, before, limit).Find(&rows).Error
	return rows, total, err
}

// older is the query of the rows of q with the highest values of a column, highest first, of those below one; 0 means
// all.
func older(q *gorm.DB, column string, before int64, limit int) *gorm.DB {
	if before != 0 {
		q = q.Where(column+" < ?", before)
	}
	return q.Order(column + " DESC").Limit(cmp.Or(limit, defaultLimit))
}
