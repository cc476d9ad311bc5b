package store

import (
	"context"
	"encoding/json"
	"fmt"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"iacontinu/internal/ml"
)

// keptSlots is how many slots back a claim is remembered. No runner is that late.
const keptSlots = 10_000

type slotRow struct {
	Slot      int64 `gorm:"primaryKey;autoIncrement:false"`
	ClaimedAt timestamp
}

func (slotRow) TableName() string { return "check_slots" }

// ClaimSlot reports whether the caller is the first to ask for the slot, and so is to check it.
func (s *Store) ClaimSlot(ctx context.Context, slot int64) (first bool, err error) {
	err = s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		res := tx.Clauses(clause.OnConflict{DoNothing: true}).Create(&slotRow{Slot: slot, ClaimedAt: stamp(s.now())})
		if res.Error != nil {
			return res.Error
		}
		first = res.RowsAffected == 1
		return tx.Where("slot < ?", slot-keptSlots).Delete(&slotRow{}).Error
	})
	if err != nil {
		return false, fmt.Errorf("store: claim slot: %w", coded(err))
	}
	return first, nil
}

// driftRow is a row of drift_detections.
type driftRow struct {
	ID              int64
	ModelVersion    *string
	DetectionMethod *string
	TriggerValue    *float64
	Threshold       *float64
	ActionTaken     *string
	Details         *string
	CreatedAt       timestamp
	Slot            *int64
	Drift           bool
}

func (driftRow) TableName() string { return "drift_detections" }

// RecordCheck stores a check and returns its id. A second one of the same slot has CodeConflict;
// slot 0 is a check that no tick asked for.
func (s *Store) RecordCheck(ctx context.Context, r ml.DriftReport) (id int64, err error) {
	if r.CreatedAt.IsZero() {
		r.CreatedAt = s.now()
	}
	details, err := json.Marshal(r.Details)
	if err != nil {
		return 0, fmt.Errorf("store: record check: %w", err)
	}
	text, action := string(details), string(r.Action)
	row := driftRow{
		ModelVersion:    &r.ModelVersion,
		DetectionMethod: &r.Method,
		TriggerValue:    &r.TriggerValue,
		Threshold:       &r.Threshold,
		ActionTaken:     &action,
		Details:         &text,
		CreatedAt:       stamp(r.CreatedAt),
		Drift:           r.Drift,
	}
	if r.Slot != 0 {
		row.Slot = &r.Slot
	}
	if err := s.write.WithContext(ctx).Create(&row).Error; err != nil {
		return 0, fmt.Errorf("store: record check: %w", coded(err))
	}
	return row.ID, nil
}

// DriftHistory reads the newest checks, newest first, and how many there are.
func (s *Store) DriftHistory(ctx context.Context, limit int) ([]ml.DriftReport, int64, error) {
	return s.DriftBefore(ctx, 0, limit)
}

// DriftBefore reads the newest checks of those that are older than one, newest first, and how many there are of
// all; id 0 leaves none out.
func (s *Store) DriftBefore(ctx context.Context, id int64, limit int) ([]ml.DriftReport, int64, error) {
	rows, total, err := newest[driftRow](s.read.WithContext(ctx).Model(&driftRow{}), "id", id, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("store: read drift history: %w", coded(err))
	}
	out := make([]ml.DriftReport, len(rows))
	for i, r := range rows {
		out[i] = r.report()
	}
	return out, total, nil
}

func (r driftRow) report() ml.DriftReport {
	return ml.DriftReport{
		ID:           r.ID,
		Slot:         value(r.Slot),
		ModelVersion: value(r.ModelVersion),
		Method:       value(r.DetectionMethod),
		TriggerValue: value(r.TriggerValue),
		Threshold:    value(r.Threshold),
		Drift:        r.Drift,
		Action:       ml.CheckAction(value(r.ActionTaken)),
		Details:      checkDetails(value(r.Details)),
		CreatedAt:    r.CreatedAt.Time,
	}
}

// checkDetails reads the details of a check. The earlier system wrote words: they become the note.
func checkDetails(text string) ml.CheckDetails {
	var d ml.CheckDetails
	if json.Unmarshal([]byte(text), &d) != nil {
		return ml.CheckDetails{Note: text}
	}
	return d
}
