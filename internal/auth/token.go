package auth

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"iacontinu/internal/ml"
)

// TokenLife is how long a user's token is valid.
const TokenLife = 24 * time.Hour

// leeway is how much longer a token is taken, for clocks that differ a little.
const leeway = 5 * time.Second

// MinSecret is the least length of the signing secret in bytes: the size of the hash (RFC 7518,
// section 3.2).
const MinSecret = 32

// maxToken bounds the length of a token that is looked at; ours have about 300 bytes.
const maxToken = 1024

// The ways in which a token is refused. None of them repeats the token.
var (
	errMalformed = ml.Errorf(ml.CodeUnauthorized, "the token is not valid: log in at /auth/login")
	errExpired   = ml.Errorf(ml.CodeUnauthorized, "the token has expired: log in again")
	errNoAccount = ml.Errorf(ml.CodeUnauthorized, "the token's account is not there any more, not active, or has changed: log in again")
	errRevoked   = ml.Errorf(ml.CodeUnauthorized, "the token was revoked by a logout or a new password: log in again")
)

// claims are what a token says. The registered iat has whole seconds only, which can't tell a token
// made just after a change of password from one made just before; iat_ms can.
type claims struct {
	Username string  `json:"username"`
	Role     ml.Role `json:"role"`
	IssuedMS int64   `json:"iat_ms"`
	jwt.RegisteredClaims
}

// Signer makes and reads tokens. It needs nothing but the secret, so that processes without a
// database can sign too. It is safe for concurrent use.
type Signer struct {
	secret []byte
	clock  func() time.Time
	parser *jwt.Parser
}

// NewSigner returns a signer with the shared secret, of at least [MinSecret] bytes. A nil clock is
// time.Now.
func NewSigner(secret []byte, clock func() time.Time) (*Signer, error) {
	if len(secret) < MinSecret {
		return nil, fmt.Errorf("auth: secret has %d bytes, want at least %d", len(secret), MinSecret)
	}
	if clock == nil {
		clock = time.Now
	}
	return &Signer{
		secret: secret, clock: clock,
		// iat is not held against the clock: a clock that is set back must not lock everybody out.
		parser: jwt.NewParser(jwt.WithValidMethods([]string{jwt.SigningMethodHS256.Alg()}),
			jwt.WithExpirationRequired(), jwt.WithStrictDecoding(), jwt.WithLeeway(leeway), jwt.WithTimeFunc(clock)),
	}, nil
}

// ServiceToken signs a token for a part of the platform itself, such as "flow". It is of no user.
func (s *Signer) ServiceToken(name string, life time.Duration) (string, error) {
	token, _, err := s.sign(ml.Identity{Username: name, Role: ml.RoleService}, life)
	return token, err
}

// ServiceTokens returns a function that gives the present token of a service, for the client of the
// API: one is used for most of its short life, so that the server finds it in its cache.
func (s *Signer) ServiceTokens(name string) func(context.Context) (string, error) {
	const life, margin = 5 * time.Minute, time.Minute
	var (
		mu    sync.Mutex
		token string
		until time.Time
	)
	return func(context.Context) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		if now := s.clock(); now.After(until) || until.Sub(now) > life { // or the clock was set back
			fresh, err := s.ServiceToken(name, life)
			if err != nil {
				return "", err
			}
			token, until = fresh, now.Add(life-margin)
		}
		return token, nil
	}
}

// sign makes a token for who; TokenID and the times are filled in, IssuedAt unless it is set.
func (s *Signer) sign(who ml.Identity, life time.Duration) (string, ml.Identity, error) {
	now := s.clock()
	if who.IssuedAt.IsZero() {
		who.IssuedAt = now
	}
	var id [16]byte
	rand.Read(id[:]) // never fails
	who.TokenID = base64.RawURLEncoding.EncodeToString(id[:])
	who.IssuedAt = who.IssuedAt.UTC().Truncate(time.Millisecond)
	who.ExpiresAt = now.UTC().Add(life).Truncate(time.Second)
	token, err := jwt.NewWithClaims(jwt.SigningMethodHS256, claims{
		Username: who.Username,
		Role:     who.Role,
		IssuedMS: who.IssuedAt.UnixMilli(),
		RegisteredClaims: jwt.RegisteredClaims{
			Subject:   strconv.FormatInt(who.UserID, 10),
			ID:        who.TokenID,
			IssuedAt:  jwt.NewNumericDate(who.IssuedAt),
			ExpiresAt: jwt.NewNumericDate(who.ExpiresAt),
		},
	}).SignedString(s.secret)
	if err != nil {
		return "", ml.Identity{}, fmt.Errorf("auth: sign token: %w", err)
	}
	if len(token) > maxToken {
		return "", ml.Identity{}, fmt.Errorf("auth: token of %d bytes, want at most %d: the username is too long", len(token), maxToken)
	}
	return token, who, nil
}

// parse checks a token's signature, times and claims; it knows nothing of revocations.
func (s *Signer) parse(token string) (ml.Identity, error) {
	if len(token) > maxToken {
		return ml.Identity{}, errMalformed
	}
	var c claims
	_, err := s.parser.ParseWithClaims(token, &c, func(*jwt.Token) (any, error) { return s.secret, nil })
	switch {
	case errors.Is(err, jwt.ErrTokenExpired):
		return ml.Identity{}, errExpired
	case err != nil:
		return ml.Identity{}, errMalformed
	}
	id, err := strconv.ParseInt(c.Subject, 10, 64)
	if err != nil || c.ID == "" || c.Username == "" || c.IssuedMS <= 0 || !sound(id, c.Role) {
		return ml.Identity{}, errMalformed
	}
	return ml.Identity{
		UserID: id, Username: c.Username, Role: c.Role, TokenID: c.ID,
		IssuedAt: time.UnixMilli(c.IssuedMS).UTC(), ExpiresAt: c.ExpiresAt.UTC(),
	}, nil
}

// sound reports whether the role and the id go together: a service has no account, a person has one.
func sound(id int64, r ml.Role) bool {
	switch r {
	case ml.RoleService: // a process of the platform has no account
		return id == 0
	case ml.RoleUser, ml.RoleAdmin:
		return id > 0
	}
	return false
}

// role is a user's role as tokens know it. Rows of the earlier system may have none, or one that
// means nothing here: they may do the least.
func role(u ml.User) ml.Role {
	if u.Role == ml.RoleAdmin {
		return ml.RoleAdmin
	}
	return ml.RoleUser
}
