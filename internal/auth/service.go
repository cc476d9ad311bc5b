package auth

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"iacontinu/internal/ml"
)

// users is the part of the store that knows accounts.
type users interface {
	Credentials(ctx context.Context, username string) (ml.Credentials, error)
	CreateUser(ctx context.Context, c ml.Credentials) (ml.User, error)
	// SetPassword replaces a hash and revokes tokens, both or neither.
	SetPassword(ctx context.Context, id int64, hash string, r ml.Revocation) error
	// SetAccess changes an account and revokes its tokens, whose UserID it fills in, both or neither.
	SetAccess(ctx context.Context, username string, a ml.Access, r ml.Revocation) (ml.User, error)
	// UpgradeHash replaces a hash only if it is still the old one: the password may have been
	// changed in the meantime.
	UpgradeHash(ctx context.Context, id int64, oldHash, newHash string) error
	RecordLogin(ctx context.Context, id int64) error
}

// revocations is the part of the store through which processes tell each other of invalid tokens.
type revocations interface {
	Revoke(ctx context.Context, r ml.Revocation) error
	// Revocations lists what was added after the one with this id, oldest first.
	Revocations(ctx context.Context, afterID int64) ([]ml.Revocation, error)
}

// Options configure a Service. The zero value of each field but Signer, Users and Revocations means
// its default.
type Options struct {
	Signer      *Signer
	Users       users
	Revocations revocations
	// Interval is the time between two looks at the revocations: 500 ms.
	Interval time.Duration
	// CacheSize is how many verified tokens are remembered: 10,000.
	CacheSize int
	// Hashing is how many passwords are hashed at once: 2.
	Hashing int
	Logger  *slog.Logger // nil discards
}

func (o Options) withDefaults() Options {
	o.Interval = cmp.Or(o.Interval, 500*time.Millisecond)
	o.CacheSize = cmp.Or(o.CacheSize, 10_000)
	o.Hashing = cmp.Or(o.Hashing, 2)
	o.Logger = cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	return o
}

func (o Options) validate() error {
	switch {
	case o.Signer == nil || o.Users == nil || o.Revocations == nil:
		return errors.New("auth: Signer, Users and Revocations are required")
	case o.Interval < time.Millisecond || o.Interval > time.Second:
		return fmt.Errorf("auth: Interval is %v, want 1ms to 1s", o.Interval)
	case o.CacheSize < 1 || o.CacheSize > 1<<20:
		return fmt.Errorf("auth: CacheSize is %d, want 1 to %d", o.CacheSize, 1<<20)
	case o.Hashing < 1 || o.Hashing > 16:
		return fmt.Errorf("auth: Hashing is %d, want 1 to 16", o.Hashing)
	}
	return nil
}

// Service logs users in and verifies their tokens. It is safe for concurrent use.
type Service struct {
	opt    Options
	signer *Signer
	hasher *hasher
	cache  *cache // read without mu, written with it

	mu      sync.Mutex
	revoked *revoked
	lastID  int64 // of the newest revocation seen
}

// New returns a service that knows all revocations so far; Run keeps it up to date.
func New(ctx context.Context, o Options) (*Service, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	s := &Service{opt: o, signer: o.Signer, hasher: newHasher(o.Hashing), cache: newCache(o.CacheSize), revoked: newRevoked()}
	if err := s.follow(ctx); err != nil {
		return nil, err
	}
	return s, nil
}

// Verify returns who a token is from. The error is of ml.CodeUnauthorized and says whether the token
// is malformed, expired, revoked or of no account; any other is the store's. A token seen before costs
// one SHA-256 and no allocation.
func (s *Service) Verify(ctx context.Context, token string) (ml.Identity, error) {
	if len(token) > maxToken {
		return ml.Identity{}, errMalformed
	}
	key, now := keyOf(token), s.signer.clock()
	if who := s.cache.get(&key, now); who != nil {
		return *who, nil
	}
	who, err := s.signer.parse(token)
	if err != nil {
		return ml.Identity{}, err
	}
	if err := s.known(ctx, &who); err != nil {
		return ml.Identity{}, err
	}
	// Under the lock, so that a revocation comes either before and is seen, or after and drops it.
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.revoked.has(&who) {
		return ml.Identity{}, errRevoked
	}
	s.cache.put(&key, who, who.ExpiresAt.Add(leeway), now)
	return who, nil
}

// known checks that a token's account is still the one that it was issued to. A secret outlives a
// database, and there the same id may be somebody else's.
func (s *Service) known(ctx context.Context, who *ml.Identity) error {
	if who.Role == ml.RoleService { // a process of the platform has no account
		return nil
	}
	c, err := s.opt.Users.Credentials(ctx, who.Username)
	if err != nil && ml.CodeOf(err) != ml.CodeNotFound {
		return fmt.Errorf("auth: look up user: %w", err)
	}
	if err != nil || c.ID != who.UserID || !c.Active || role(c.User) != who.Role {
		return errNoAccount
	}
	return nil
}

// Login returns a token for a user. A wrong password, an unknown user and one that is not active
// give the same error after the same time.
func (s *Service) Login(ctx context.Context, username, password string) (string, ml.Identity, error) {
	c, err := s.check(ctx, username, password)
	if err != nil {
		return "", ml.Identity{}, err
	}
	if err := s.opt.Users.RecordLogin(ctx, c.ID); err != nil {
		s.opt.Logger.WarnContext(ctx, "login not recorded", "user_id", c.ID, "error", err)
	}
	return s.issue(c.User)
}

var errLogin = ml.Errorf(ml.CodeUnauthorized, "wrong username or password")

// check returns the credentials that the password is right for, with a hash of the present kind.
func (s *Service) check(ctx context.Context, username, password string) (ml.Credentials, error) {
	c, err := s.opt.Users.Credentials(ctx, username)
	if ml.CodeOf(err) == ml.CodeNotFound {
		c, err = s.hasher.nobody, nil
	}
	if err != nil {
		return ml.Credentials{}, fmt.Errorf("auth: look up user: %w", err)
	}
	ok, stale, err := s.hasher.check(ctx, password, c)
	if err != nil {
		return ml.Credentials{}, err
	}
	if !ok || c.ID == 0 || !c.Active {
		return ml.Credentials{}, errLogin
	}
	if stale {
		s.upgrade(ctx, c, password)
	}
	return c, nil
}

// upgrade replaces a hash of an older kind. A failure leaves the old one, which goes on working.
func (s *Service) upgrade(ctx context.Context, c ml.Credentials, password string) {
	hash, err := s.hasher.hash(ctx, password)
	if err == nil {
		err = s.opt.Users.UpgradeHash(ctx, c.ID, c.PasswordHash, hash)
	}
	if err != nil {
		s.opt.Logger.WarnContext(ctx, "password hash not upgraded", "user_id", c.ID, "error", err)
		return
	}
	s.opt.Logger.InfoContext(ctx, "password hash upgraded to argon2id", "user_id", c.ID)
}

func (s *Service) issue(u ml.User) (string, ml.Identity, error) {
	s.mu.Lock()
	from := s.revoked.firstMoment(u.ID, s.signer.clock())
	s.mu.Unlock()
	return s.signer.sign(ml.Identity{UserID: u.ID, Username: u.Username, Role: role(u), IssuedAt: from}, TokenLife)
}

// Logout makes the one token invalid, here at once and elsewhere within a second.
func (s *Service) Logout(ctx context.Context, who ml.Identity) error {
	return s.revoke(ctx, ml.Revocation{JTI: who.TokenID, UserID: who.UserID, ExpiresAt: who.ExpiresAt.Add(time.Minute)})
}

// revocationOf makes all tokens of a user invalid that were issued until now. One of this very
// millisecond counts as older, but for the one that follows a new password.
func (s *Service) revocationOf(id int64) ml.Revocation {
	now := s.signer.clock().UTC().Truncate(time.Millisecond).Add(time.Millisecond)
	return ml.Revocation{UserID: id, NotBefore: now, ExpiresAt: now.Add(TokenLife + time.Minute)}
}

func (s *Service) revoke(ctx context.Context, r ml.Revocation) error {
	if err := s.opt.Revocations.Revoke(ctx, r); err != nil {
		return fmt.Errorf("auth: revoke tokens: %w", err)
	}
	s.apply([]ml.Revocation{r})
	return nil
}

// ChangePassword replaces the caller's password, makes all their older tokens invalid and returns a
// new one.
func (s *Service) ChangePassword(ctx context.Context, who ml.Identity, old, replacement string) (string, ml.Identity, error) {
	if err := CheckPassword(replacement, "body.new_password"); err != nil {
		return "", ml.Identity{}, err
	}
	c, err := s.check(ctx, who.Username, old)
	if errors.Is(err, errLogin) {
		wrong := &ml.Error{
			Code: ml.CodeInvalid, Message: "the old password is wrong",
			Fields: []ml.FieldError{{Location: "body.old_password", Message: "is wrong"}},
		}
		return "", ml.Identity{}, wrong.Says("error.old_password", nil)
	}
	if err != nil {
		return "", ml.Identity{}, err
	}
	if err := s.SetPassword(ctx, c.ID, replacement); err != nil {
		return "", ml.Identity{}, err
	}
	return s.issue(c.User)
}

// SetPassword gives a user a new password without asking for the old one and makes all their tokens
// invalid.
func (s *Service) SetPassword(ctx context.Context, id int64, password string) error {
	if err := CheckPassword(password, "password"); err != nil {
		return err
	}
	hash, err := s.hasher.hash(ctx, password)
	if err != nil {
		return err
	}
	r := s.revocationOf(id)
	if err := s.opt.Users.SetPassword(ctx, id, hash, r); err != nil {
		return fmt.Errorf("auth: set password: %w", err)
	}
	s.apply([]ml.Revocation{r})
	return nil
}

// SetAccess changes what a user may do and makes all their tokens invalid: they say what was allowed.
func (s *Service) SetAccess(ctx context.Context, username string, a ml.Access) (ml.User, error) {
	r := s.revocationOf(0)
	u, err := s.opt.Users.SetAccess(ctx, username, a, r)
	if err != nil {
		return ml.User{}, fmt.Errorf("auth: change user: %w", err)
	}
	r.UserID = u.ID
	s.apply([]ml.Revocation{r})
	return u, nil
}

// Register makes an account of role user or admin.
func (s *Service) Register(ctx context.Context, u ml.User, password string) (ml.User, error) {
	if err := checkAccount(u, password); err != nil {
		return ml.User{}, err
	}
	return createUser(ctx, s.opt.Users, s.hasher, u, password)
}

// Run follows the revocations of all processes until ctx ends. While the store can't be read, what
// is known stays in force.
func (s *Service) Run(ctx context.Context) error {
	tick := time.NewTicker(s.opt.Interval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		err := s.follow(ctx)
		if err != nil && !failing && ctx.Err() == nil {
			s.opt.Logger.WarnContext(ctx, "revoked tokens can't be read: those revoked from now on stay valid here", "error", err)
		}
		failing = err != nil
	}
}

// follow reads the revocations that came since the last look.
func (s *Service) follow(ctx context.Context) error {
	s.mu.Lock()
	after := s.lastID
	s.mu.Unlock()
	list, err := s.opt.Revocations.Revocations(ctx, after)
	if err != nil {
		return fmt.Errorf("auth: read revocations: %w", err)
	}
	if len(list) > 0 {
		s.apply(list)
	}
	return nil
}

func (s *Service) apply(list []ml.Revocation) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked.prune(s.signer.clock())
	for _, r := range list {
		s.revoked.add(r)
		s.lastID = max(s.lastID, r.ID) // 0 for one of this process, which comes again from the store
	}
	s.cache.drop(s.revoked.has)
}
