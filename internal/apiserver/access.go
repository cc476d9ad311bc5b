package apiserver

import (
	"context"
	"fmt"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

type accessChange struct {
	Username string `path:"username" maxLength:"256"`
	Body     api.AccessRequest
}

// changeUser changes what an account may do. An administrator does not change the own one: whoever is left
// without access by a slip has nobody to undo it.
func (s *Server) changeUser(ctx context.Context, in *accessChange) (*with[api.User], error) {
	change := ml.Access{Active: in.Body.IsActive}
	if in.Body.Role != "" {
		role := ml.Role(in.Body.Role)
		change.Role = &role
	}
	if change == (ml.Access{}) {
		return nil, invalidBody(ml.FieldError{Location: "body", Message: "must have role or is_active"})
	}
	if in.Username == identityOf(ctx).Username {
		return nil, ml.Errorf(ml.CodeConflict, "this is your own account: another administrator may change it").Says("error.own_account", nil)
	}
	u, err := s.opt.Accounts.SetAccess(ctx, in.Username, change)
	if err != nil {
		return nil, err
	}
	err = s.audit(ctx, "user_changed", fmt.Sprintf("user %s has role %s and is_active %v", u.Username, userOf(u).Role, u.Active),
		map[string]any{"user_id": u.ID, "username": u.Username, "role": u.Role, "is_active": u.Active})
	if err != nil {
		return nil, err
	}
	return &with[api.User]{userOf(u)}, nil
}
