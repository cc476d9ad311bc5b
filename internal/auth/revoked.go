package auth

import (
	"time"

	"iacontinu/internal/ml"
)

// revoked is the set of tokens that are invalid before they expire.
type revoked struct {
	tokens map[string]time.Time // by jti, until the token has expired anyway
	users  map[int64]cut
}

// cut makes all tokens of a user invalid that were issued before it.
type cut struct{ before, until time.Time }

func newRevoked() *revoked {
	return &revoked{tokens: map[string]time.Time{}, users: map[int64]cut{}}
}

func (r *revoked) add(v ml.Revocation) {
	if v.JTI != "" {
		r.tokens[v.JTI] = v.ExpiresAt
		return
	}
	// Milliseconds, as tokens have them: a token of the same millisecond stays.
	before := v.NotBefore.Truncate(time.Millisecond)
	if old, ok := r.users[v.UserID]; !ok || before.After(old.before) {
		r.users[v.UserID] = cut{before, v.ExpiresAt}
	}
}

// has reports whether a token is revoked.
func (r *revoked) has(who *ml.Identity) bool {
	if _, ok := r.tokens[who.TokenID]; ok {
		return true
	}
	c, ok := r.users[who.UserID]
	return ok && who.Role != ml.RoleService && who.IssuedAt.Before(c.before)
}

// firstMoment is the earliest time at which a token may be issued to a user and be valid: later than
// now if the clock was set back since the user's tokens were revoked.
func (r *revoked) firstMoment(user int64, now time.Time) time.Time {
	if c := r.users[user]; c.before.After(now) {
		return c.before
	}
	return now
}

// prune forgets what has expired.
func (r *revoked) prune(now time.Time) {
	for jti, until := range r.tokens {
		if now.After(until) {
			delete(r.tokens, jti)
		}
	}
	for id, c := range r.users {
		if now.After(c.until) {
			delete(r.users, id)
		}
	}
}
