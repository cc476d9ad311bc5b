package store

import (
	"context"
	"errors"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"iacontinu/internal/ml"
)

type notificationRow struct {
	Topic        string `gorm:"primaryKey"`
	State        string
	SentAt       precise
	LatestAt     precise
	SendingUntil precise
	Revision     int64
}

func (notificationRow) TableName() string { return "notification_state" }

// NotificationState reads what people were last told about a topic; only the topic is set if they
// were told nothing yet.
func (s *Store) NotificationState(ctx context.Context, topic ml.EventTopic) (ml.NotificationState, error) {
	var r notificationRow
	err := s.read.WithContext(ctx).Where("topic = ?", string(topic)).Take(&r).Error
	if err != nil && !errors.Is(err, gorm.ErrRecordNotFound) {
		return ml.NotificationState{}, fmt.Errorf("store: read notification state: %w", coded(err))
	}
	return ml.NotificationState{
		Topic: topic, State: r.State, SentAt: r.SentAt.Time, LatestAt: r.LatestAt.Time,
		SendingUntil: r.SendingUntil.Time, Revision: r.Revision,
	}, nil
}

// SetNotificationState notes what people were told about a topic, if the stored revision is still
// that of n, and counts it up. CodeConflict if another writer was faster.
func (s *Store) SetNotificationState(ctx context.Context, n ml.NotificationState) error {
	row := notificationRow{
		Topic: string(n.Topic), State: n.State, SentAt: precise{timestamp{n.SentAt}}, LatestAt: precise{timestamp{n.LatestAt}},
		SendingUntil: precise{timestamp{n.SendingUntil}}, Revision: n.Revision + 1,
	}
	guarded := s.write.WithContext(ctx).Clauses(clause.OnConflict{
		Columns:   []clause.Column{{Name: "topic"}},
		Where:     clause.Where{Exprs: []clause.Expression{clause.Expr{SQL: "notification_state.revision = ?", Vars: []any{n.Revision}}}},
		UpdateAll: true,
	}).Create(&row)
	if guarded.Error != nil {
		return fmt.Errorf("store: set notification state: %w", coded(guarded.Error))
	}
	if guarded.RowsAffected == 0 {
		return fmt.Errorf("store: set notification state: %w", ml.Errorf(ml.CodeConflict, "another process has just written of %s", n.Topic))
	}
	return nil
}
