package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"gorm.io/gorm"

	"iacontinu/internal/ml"
)

// activationRow is a row of activations. Together they are a stack: an activation is laid upon the
// one in force, and a rollback takes up again what lay below.
type activationRow struct {
	ID        int64
	Version   string
	Action    string
	Actor     string
	Previous  int64 // the activation below, 0 for none
	CreatedAt timestamp
}

func (activationRow) TableName() string { return "activations" }

const (
	actionActivate = "activate"
	actionRollback = "rollback"
)

// ActiveName reads the name of the active version and the number of the activation that made it so,
// which rises with each. It is one look into an index. CodeNotFound if no version is active.
func (s *Store) ActiveName(ctx context.Context) (name string, activation int64, err error) {
	err = s.reader.QueryRowContext(ctx, "SELECT version, (SELECT COALESCE(MAX(id), 0) FROM activations)"+
		" FROM models WHERE is_active = 1").Scan(&name, &activation)
	if err != nil {
		return "", 0, fmt.Errorf("store: read active version: %w", found(err, "no version is active"))
	}
	return name, activation, nil
}

// Activate makes a version the active one and calls then in the same transaction, which may be nil.
// If the version is active already, nothing happens and then is not called.
func (s *Store) Activate(
	ctx context.Context, name, actor string, then func(*sql.Tx, ml.Version) error,
) (v ml.Version, err error) {
	err = s.transaction(ctx, func(tx *gorm.DB, raw *sql.Tx) error {
		if v, err = readVersion(tx.Where("version = ?", name), "there is no version %q", name); err != nil || v.Active {
			return err
		}
		top, err := lastActivation(tx)
		if err != nil {
			return err
		}
		row := activationRow{Version: name, Action: actionActivate, Actor: actor, Previous: top.ID}
		v, err = s.activate(tx, raw, row, then)
		return err
	})
	if err != nil {
		return ml.Version{}, fmt.Errorf("store: activate: %w", coded(err))
	}
	return v, nil
}

// Rollback makes the version active again that was so before the present one; repeated, it goes
// further back. Versions that were deleted are passed over. CodeConflict if there is none before.
func (s *Store) Rollback(
	ctx context.Context, actor string, then func(*sql.Tx, ml.Version) error,
) (v ml.Version, err error) {
	err = s.transaction(ctx, func(tx *gorm.DB, raw *sql.Tx) error {
		target, err := rollbackTarget(tx)
		if err != nil {
			return err
		}
		row := activationRow{Version: target.Version, Action: actionRollback, Actor: actor, Previous: target.Previous}
		v, err = s.activate(tx, raw, row, then)
		return err
	})
	if err != nil {
		return ml.Version{}, fmt.Errorf("store: roll back: %w", coded(err))
	}
	return v, nil
}

// rollbackTarget walks down the stack to the first activation of another version that still exists.
func rollbackTarget(tx *gorm.DB) (activationRow, error) {
	top, err := lastActivation(tx)
	if err != nil {
		return activationRow{}, err
	}
	for id := top.Previous; id != 0; {
		var a activationRow
		if err := tx.Where("id = ?", id).Take(&a).Error; err != nil {
			return activationRow{}, err
		}
		var exists int64
		if err := tx.Model(&modelRow{}).Where("version = ?", a.Version).Count(&exists).Error; err != nil {
			return activationRow{}, err
		}
		if exists > 0 && a.Version != top.Version {
			return a, nil
		}
		id = a.Previous
	}
	return activationRow{}, ml.Errorf(ml.CodeConflict, "there is no version to roll back to").Says("error.no_rollback", nil)
}

// lastActivation reads the activation in force, zero if there never was one.
func lastActivation(tx *gorm.DB) (activationRow, error) {
	var a activationRow
	err := tx.Order("id DESC").Take(&a).Error
	if errors.Is(err, gorm.ErrRecordNotFound) {
		return activationRow{}, nil
	}
	return a, err
}

// activate moves the active flag, records it, and calls then.
func (s *Store) activate(
	tx *gorm.DB, raw *sql.Tx, row activationRow, then func(*sql.Tx, ml.Version) error,
) (ml.Version, error) {
	row.CreatedAt = stamp(s.now())
	if err := tx.Model(&modelRow{}).Where("is_active = 1").Update("is_active", false).Error; err != nil {
		return ml.Version{}, err
	}
	err := tx.Model(&modelRow{}).Where("version = ?", row.Version).Updates(map[string]any{
		"is_active":        true,
		"activated_at":     row.CreatedAt,
		"since_prediction": gorm.Expr("(SELECT COALESCE(MAX(id), 0) FROM prediction_logs)"),
	}).Error
	if err != nil {
		return ml.Version{}, err
	}
	if err := tx.Create(&row).Error; err != nil {
		return ml.Version{}, err
	}
	v, err := readVersion(tx.Where("version = ?", row.Version), "there is no version %q", row.Version)
	if err == nil && then != nil {
		err = then(raw, v)
	}
	return v, err
}

// transaction runs fn in a write transaction, given both as gorm's and as database/sql's.
func (s *Store) transaction(ctx context.Context, fn func(tx *gorm.DB, raw *sql.Tx) error) error {
	return s.write.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		raw, ok := tx.Statement.ConnPool.(*sql.Tx)
		if !ok {
			return fmt.Errorf("gorm's transaction is a %T", tx.Statement.ConnPool)
		}
		return fn(tx, raw)
	})
}
