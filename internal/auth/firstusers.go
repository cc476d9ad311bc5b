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

// InitialAdmin makes the user admin if there is no active administrator yet, with the password, or if that is
// empty with a random one, which lies in the file admin-password in dir, readable by its owner only; path is that
// file. created reports whether this call made the user. Processes that start at the same moment make one user
// with the password that is in the file.
func InitialAdmin(ctx context.Context, store accounts, dir, password string) (path string, created bool, err error) {
	has, err := hasAdmin(ctx, store)
	if err != nil || has {
		return "", false, err
	}
	if password == "" {
		path = filepath.Join(dir, AdminPasswordFile)
		password, err = loadOrCreate(path, 12)
		if err != nil {
			return "", false, err
		}
		if err := CheckPassword(password, path); err != nil {
			return "", false, err
		}
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

// demoUser is an account of the demonstration with its password.
type demoUser struct {
	user     ml.User
	password string
}

func demoUsers() []demoUser {
	return []demoUser{
		{ml.User{Username: "admin", Email: "admin@ia-continu.local", Role: ml.RoleAdmin}, "admin123"},
		{ml.User{Username: "testuser", Email: "test@ia-continu.local", Role: ml.RoleUser}, "test123"},
	}
}

// keeper is the part of the store that keeps what passwords are checked against.
type keeper interface {
	Credentials(ctx context.Context, username string) (ml.Credentials, error)
}

// PublicPasswords are the names of the active accounts that have the passwords of the demonstration.
func PublicPasswords(ctx context.Context, store keeper) ([]string, error) {
	h := newHasher(1)
	var public []string
	for _, d := range demoUsers() {
		c, err := store.Credentials(ctx, d.user.Username)
		if ml.CodeOf(err) == ml.CodeNotFound || err == nil && !c.Active {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("auth: read the account %s: %w", d.user.Username, err)
		}
		ok, _, err := h.check(ctx, d.password, c)
		if err != nil {
			return nil, fmt.Errorf("auth: check the account %s: %w", d.user.Username, err)
		}
		if ok {
			public = append(public, d.user.Username)
		}
	}
	return public, nil
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
	for _, d := range demoUsers() {
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
