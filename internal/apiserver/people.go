package apiserver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func (s *Server) login(ctx context.Context, in *with[api.LoginRequest]) (*with[api.LoginResponse], error) {
	name := in.Body.Username
	if err := s.limits.password(ctx, name); err != nil {
		return nil, err
	}
	token, who, err := s.opt.Accounts.Login(ctx, name, in.Body.Password)
	if err != nil {
		if ml.CodeOf(err) == ml.CodeUnauthorized {
			s.recordRefusal(ctx, name)
		}
		return nil, err
	}
	exchangeOf(ctx).who = who // for the log
	if err := s.recordLogin(ctx, who); err != nil {
		return nil, err
	}
	return &with[api.LoginResponse]{tokenAnswer(token, who)}, nil
}

// recordLogin must come before the answer: a token that is in nobody's records is not given out.
func (s *Server) recordLogin(ctx context.Context, who ml.Identity) error {
	err := s.record(ctx, ml.AuditEntry{Level: levelInfo, EventType: "login", Message: who.Username + " logged in", UserID: who.UserID}, nil)
	if err == nil {
		return nil
	}
	f := newFailure(http.StatusServiceUnavailable, ml.CodeUnavailable, "the login can't be recorded now: try again").says("error.too_long", nil)
	f.header.Set("Retry-After", "1")
	f.cause = fmt.Errorf("apiserver: record login of %s: %w", who.Username, err)
	return f
}

// recordRefusal need not succeed: a refusal hands out nothing.
func (s *Server) recordRefusal(ctx context.Context, name string) {
	err := s.record(ctx, ml.AuditEntry{Level: levelWarning, EventType: "login_failed", Message: "login failed"}, map[string]any{"username": clip(name)})
	if err != nil {
		s.log.ErrorContext(ctx, "failed login not recorded", "username", clip(name), "error", err)
	}
}

// clip cuts what a stranger sent to a length that a log can take.
func clip(name string) string {
	const most = 64
	if r := []rune(name); len(r) > most {
		return string(r[:most]) + "..."
	}
	return name
}

func tokenAnswer(token string, who ml.Identity) api.LoginResponse {
	return api.LoginResponse{
		AccessToken: token, TokenType: "bearer",
		ExpiresIn: int(math.Ceil(who.ExpiresAt.Sub(who.IssuedAt).Seconds())),
		UserID:    who.UserID, Username: who.Username, Role: string(who.Role),
	}
}

func (s *Server) logout(ctx context.Context, _ *none) (*none, error) {
	who := identityOf(ctx)
	if err := s.opt.Accounts.Logout(ctx, who); err != nil {
		return nil, err
	}
	return nil, s.audit(ctx, "logout", actor(who)+" logged out", nil)
}

func (s *Server) password(ctx context.Context, in *with[api.PasswordRequest]) (*with[api.LoginResponse], error) {
	who := identityOf(ctx)
	if who.Role == ml.RoleService {
		return nil, ml.Errorf(ml.CodeForbidden, "a service has no password")
	}
	if err := s.limits.password(ctx, who.Username); err != nil {
		return nil, err
	}
	token, now, err := s.opt.Accounts.ChangePassword(ctx, who, in.Body.OldPassword, in.Body.NewPassword)
	if err != nil {
		return nil, err
	}
	if err := s.audit(ctx, "password_changed", who.Username+" changed the password", map[string]any{"username": who.Username}); err != nil {
		return nil, err
	}
	return &with[api.LoginResponse]{tokenAnswer(token, now)}, nil
}

func (s *Server) me(ctx context.Context, _ *none) (*with[api.User], error) {
	who := identityOf(ctx)
	if who.Role == ml.RoleService { // has no account
		return &with[api.User]{api.User{Username: who.Username, Role: string(who.Role), IsActive: true, CreatedAt: stamp(who.IssuedAt)}}, nil
	}
	u, err := s.opt.Users.User(ctx, who.UserID)
	if err != nil {
		return nil, err
	}
	return &with[api.User]{userOf(u)}, nil
}

func (s *Server) users(ctx context.Context, _ *none) (*with[[]api.User], error) {
	all, err := s.opt.Users.Users(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]api.User, len(all))
	for i, u := range all {
		out[i] = userOf(u)
	}
	return &with[[]api.User]{out}, nil
}

func (s *Server) register(ctx context.Context, in *with[api.RegisterRequest]) (*with[api.User], error) {
	r := in.Body
	u, err := s.opt.Accounts.Register(ctx, ml.User{Username: r.Username, Email: r.Email, Role: ml.Role(r.Role)}, r.Password)
	if err != nil {
		return nil, inBody(err)
	}
	if err := s.audit(ctx, "user_created", "user "+u.Username+" was made", map[string]any{"user_id": u.ID, "username": u.Username, "role": u.Role}); err != nil {
		return nil, err
	}
	return &with[api.User]{userOf(u)}, nil
}

// inBody places fields that the store names by their column, as in "username is taken".
func inBody(err error) error {
	var e *ml.Error
	if !errors.As(err, &e) || e.Code != ml.CodeConflict {
		return err
	}
	placed := *e
	placed.Fields = make([]ml.FieldError, len(e.Fields))
	for i, f := range e.Fields {
		f.Location = "body." + f.Location
		placed.Fields[i] = f
	}
	return &placed
}

func userOf(u ml.User) api.User {
	return api.User{
		ID: u.ID, Username: u.Username, Email: u.Email, Role: string(cmp.Or(u.Role, ml.RoleUser)), IsActive: u.Active,
		CreatedAt: stamp(u.CreatedAt), LastLogin: stampOrNil(u.LastLogin), LoginCount: u.LoginCount,
	}
}
