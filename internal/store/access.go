package store

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"

	"iacontinu/internal/ml"
)

// SetAccess changes what an account may do and makes its tokens invalid in the same transaction; r.UserID is
// filled in. The last administrator who may log in has CodeConflict: nobody could change it back.
func (s *Store) SetAccess(ctx context.Context, username string, a ml.Access, r ml.Revocation) (u ml.User, err error) {
	err = s.transaction(ctx, func(tx *gorm.DB, _ *sql.Tx) error {
		var row userRow
		if err := tx.Where("username = ?", username).Take(&row).Error; err != nil {
			return found(err, "there is no user %q", username)
		}
		change := map[string]any{}
		if a.Role != nil {
			change["role"] = string(*a.Role)
		}
		if a.Active != nil {
			change["is_active"] = *a.Active
		}
		if err := updateUser(tx, row.ID, change); err != nil {
			return err
		}
		var admins int64
		if err := tx.Model(&userRow{}).Where("role = ? AND is_active", string(ml.RoleAdmin)).Count(&admins).Error; err != nil {
			return err
		}
		if admins == 0 {
			return ml.Errorf(ml.CodeConflict, "%s is the last administrator who may log in", username).Says("error.last_admin", map[string]any{"name": username})
		}
		r.UserID = row.ID
		revocation := rowOfRevocation(r)
		if err := tx.Create(&revocation).Error; err != nil {
			return err
		}
		if err := tx.Where("id = ?", row.ID).Take(&row).Error; err != nil {
			return err
		}
		u = row.credentials().User
		return nil
	})
	if err != nil {
		return ml.User{}, fmt.Errorf("store: change user: %w", coded(err))
	}
	return u, nil
}
