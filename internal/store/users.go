package store

import (
	"context"
	"database/sql"
	"fmt"

	"gorm.io/gorm"

	"iacontinu/internal/ml"
)

type userRow struct {
	ID           int64
	Username     string
	Email        string
	PasswordHash string
	Salt         *string
	Role         *string
	IsActive     *bool
	CreatedAt    timestamp
	LastLogin    timestamp
	LoginCount   *int
}

func (userRow) TableName() string { return "users" }

func (r userRow) credentials() ml.Credentials {
	return ml.Credentials{
		User: ml.User{
			ID:         r.ID,
			Username:   r.Username,
			Email:      r.Email,
			Role:       ml.Role(value(r.Role)),
			Active:     value(r.IsActive),
			CreatedAt:  r.CreatedAt.Time,
			LastLogin:  r.LastLogin.Time,
			LoginCount: value(r.LoginCount),
		},
		PasswordHash: r.PasswordHash,
		Salt:         value(r.Salt),
	}
}

// Credentials reads a user by name with what a password is checked against.
func (s *Store) Credentials(ctx context.Context, username string) (ml.Credentials, error) {
	var r userRow
	if err := s.read.WithContext(ctx).Where("username = ?", username).Take(&r).Error; err != nil {
		return ml.Credentials{}, fmt.Errorf("store: read credentials: %w", found(err, "no such user"))
	}
	return r.credentials(), nil
}

// User reads a user by id.
func (s *Store) User(ctx context.Context, id int64) (ml.User, error) {
	var r userRow
	if err := s.read.WithContext(ctx).Where("id = ?", id).Take(&r).Error; err != nil {
		return ml.User{}, fmt.Errorf("store: read user: %w", found(err, "there is no user %d", id))
	}
	return r.credentials().User, nil
}

// Users reads all users in the order in which they were made.
func (s *Store) Users(ctx context.Context) ([]ml.User, error) {
	var rows []userRow
	if err := s.read.WithContext(ctx).Order("id").Find(&rows).Error; err != nil {
		return nil, fmt.Errorf("store: read users: %w", coded(err))
	}
	out := make([]ml.User, len(rows))
	for i, r := range rows {
		out[i] = r.credentials().User
	}
	return out, nil
}

// CreateUser adds a user and returns it with its id. If the name or the address is taken, the error
// has CodeConflict and a field error at "username" or "email".
func (s *Store) CreateUser(ctx context.Context, c ml.Credentials) (ml.User, error) {
	if c.CreatedAt.IsZero() {
		c.CreatedAt = s.now()
	}
	// The documented column tells upper from lower case, people reading a log do not.
	var alike string
	err := s.read.WithContext(ctx).Model(&userRow{}).Select("username").
		Where("lower(username) = lower(?) AND username <> ?", c.Username, c.Username).Limit(1).Scan(&alike).Error
	if err != nil {
		return ml.User{}, fmt.Errorf("store: create user: %w", coded(err))
	}
	if alike != "" {
		taken := &ml.Error{
			Code: ml.CodeConflict, Message: "there is such a user already",
			Fields: []ml.FieldError{{Location: "username", Message: fmt.Sprintf("%q is taken as %q", c.Username, alike)}},
		}
		return ml.User{}, fmt.Errorf("store: create user: %w", taken.Says("error.taken", map[string]any{"value": alike}))
	}
	role := string(c.Role)
	r := userRow{
		Username:     c.Username,
		Email:        c.Email,
		PasswordHash: c.PasswordHash,
		Salt:         &c.Salt,
		Role:         &role,
		IsActive:     &c.Active,
		CreatedAt:    stamp(c.CreatedAt),
		LoginCount:   &c.LoginCount,
	}
	if err := s.write.WithContext(ctx).Create(&r).Error; err != nil {
		err = coded(err)
		if ml.CodeOf(err) == ml.CodeConflict {
			err = s.taken(ctx, r, err)
		}
		return ml.User{}, fmt.Errorf("store: create user: %w", err)
	}
	return r.credentials().User, nil
}

// taken says of a refused account which of its names others have: SQLite stops at the first.
func (s *Store) taken(ctx context.Context, r userRow, refused error) error {
	out := &ml.Error{Code: ml.CodeConflict, Message: "there is such a user already", Err: refused}
	for _, unique := range []struct{ column, value string }{{"username", r.Username}, {"email", r.Email}} {
		var n int64
		if err := s.read.WithContext(ctx).Model(&userRow{}).Where(unique.column+" = ?", unique.value).Count(&n).Error; err != nil {
			return coded(err)
		}
		if n > 0 {
			out.Fields = append(out.Fields, ml.FieldError{Location: unique.column, Message: fmt.Sprintf("%q is taken", unique.value)})
			out = out.Says("error.taken", map[string]any{"value": unique.value})
		}
	}
	return out
}

// SetPassword replaces a user's password hash and revokes tokens in the same transaction.
func (s *Store) SetPassword(ctx context.Context, id int64, hash string, r ml.Revocation) error {
	err := s.transaction(ctx, func(tx *gorm.DB, _ *sql.Tx) error {
		if err := updateUser(tx, id, map[string]any{"password_hash": hash, "salt": ""}); err != nil {
			return err
		}
		row := rowOfRevocation(r)
		return tx.Create(&row).Error
	})
	if err != nil {
		return fmt.Errorf("store: set password: %w", coded(err))
	}
	return nil
}

// UpgradeHash replaces a user's password hash by one of the same password, unless it is not oldHash
// any more: then the password was changed meanwhile, and nothing is done.
func (s *Store) UpgradeHash(ctx context.Context, id int64, oldHash, newHash string) error {
	err := s.write.WithContext(ctx).Model(&userRow{}).
		Where("id = ? AND password_hash = ?", id, oldHash).
		Updates(map[string]any{"password_hash": newHash, "salt": ""}).Error
	if err != nil {
		return fmt.Errorf("store: upgrade password hash: %w", coded(err))
	}
	return nil
}

// RecordLogin counts a login and notes its time.
func (s *Store) RecordLogin(ctx context.Context, id int64) error {
	err := updateUser(s.write.WithContext(ctx), id, map[string]any{
		"last_login":  stamp(s.now()),
		"login_count": gorm.Expr("COALESCE(login_count, 0) + 1"),
	})
	if err != nil {
		return fmt.Errorf("store: record login: %w", coded(err))
	}
	return nil
}

func updateUser(tx *gorm.DB, id int64, columns map[string]any) error {
	res := tx.Model(&userRow{}).Where("id = ?", id).Updates(columns)
	if res.Error == nil && res.RowsAffected == 0 {
		return ml.Errorf(ml.CodeNotFound, "there is no user %d", id).Says("error.gone", nil)
	}
	return res.Error
}
