package auth

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"iacontinu/internal/ml"
)

// accounts is the part of the store that first users are made in.
type accounts interface {
	Users(ctx context.Context) ([]ml.User, error)
	creator
}

type creator interface {
	CreateUser(ctx context.Context, c ml.Credentials) (ml.User, error)
}

// AdminPasswordFile is the name of the file in the data folder with the first admin's password.
const AdminPasswordFile = "admin-password"

// InitialAdmin makes the user admin if there is no active administrator yet. The random password
// lies in the file admin-password in dir, readable by its owner only; created reports whether this
// call made the user. Processes that start at the same moment make one user with the password that
// is in the file.
func InitialAdmin(ctx context.Context, store accounts, dir string) (path string, created bool, err error) {
	has, err := hasAdmin(ctx, store)
	if err != nil || has {
		return "", false, err
	}
	path = filepath.Join(dir, AdminPasswordFile)
	password, err := loadOrCreate(path, 12)
	if err != nil {
		return "", false, err
	}
	if err := CheckPassword(password, path); err != nil {
		return "", false, err
	}
	_, err = createUser(ctx, store, newHasher(1), ml.User{Username: "admin", Email: "admin@localhost", Role: ml.RoleAdmin}, password)
	if ml.CodeOf(err) != ml.CodeConflict {
		return path, err == nil, err
	}
	// Another process was faster, or admin is somebody's name who is no administrator.
	if has, errHas := hasAdmin(ctx, store); errHas != nil || has {
		return path, false, errHas
	}
	return "", false, errors.New("auth: there is no active administrator, and the name admin or the address admin@localhost is taken: make one with iacontinu user add")
}

func hasAdmin(ctx context.Context, store accounts) (bool, error) {
	list, err := store.Users(ctx)
	if err != nil {
		return false, fmt.Errorf("auth: list users: %w", err)
	}
	for _, u := range list {
		if u.Role == ml.RoleAdmin && u.Active {
			return true, nil
		}
	}
	return false, nil
}

// DemoUsers makes admin/admin123 and testuser/test123 if there is no account at all, and reports whether
// it did. Their passwords are known to everybody.
func DemoUsers(ctx context.Context, store accounts) (made bool, err error) {
	there, err := store.Users(ctx)
	if err != nil {
		return false, fmt.Errorf("auth: list users: %w", err)
	}
	if len(there) > 0 {
		return false, nil
	}
	h := newHasher(1)
	for _, d := range []struct {
		user     ml.User
		password string
	}{
		{ml.User{Username: "admin", Email: "admin@ia-continu.local", Role: ml.RoleAdmin}, "admin123"},
		{ml.User{Username: "testuser", Email: "test@ia-continu.local", Role: ml.RoleUser}, "test123"},
	} {
		if _, err := createUser(ctx, store, h, d.user, d.password); err != nil && ml.CodeOf(err) != ml.CodeConflict {
			return false, err
		}
	}
	return true, nil
}

// createUser makes an active account with an argon2id hash of the password.
func createUser(ctx context.Context, store creator, h *hasher, u ml.User, password string) (ml.User, error) {
	hash, err := h.hash(ctx, password)
	if err != nil {
		return ml.User{}, err
	}
	u.Active, u.Role = true, role(u)
	made, err := store.CreateUser(ctx, ml.Credentials{User: u, PasswordHash: hash})
	if err != nil {
		return ml.User{}, fmt.Errorf("auth: create user: %w", err)
	}
	return made, nil
}
