package ml

import "time"

// Role is what a user may do.
type Role string

// The roles. A service acts for the platform itself: the flow runner, the web UI.
const (
	RoleUser    Role = "user"
	RoleAdmin   Role = "admin"
	RoleService Role = "service"
)

// User is a person or process with an account.
type User struct {
	ID         int64
	Username   string
	Email      string
	Role       Role
	Active     bool
	CreatedAt  time.Time
	LastLogin  time.Time // zero if never
	LoginCount int
}

// Credentials are a user with what a password is checked against.
type Credentials struct {
	User
	// PasswordHash is an argon2id PHC string, or the hexadecimal PBKDF2 digest of the earlier system.
	PasswordHash string
	// Salt is set for the earlier system's hashes only: 64 hexadecimal digits.
	Salt string
}

// Revocation makes tokens invalid before they expire: one token by its JTI, or all tokens of a user
// issued before NotBefore.
type Revocation struct {
	ID        int64
	JTI       string
	UserID    int64
	NotBefore time.Time
	ExpiresAt time.Time // when the record itself is of no more use
}

// AuditEntry says who did what.
type AuditEntry struct {
	ID        int64
	Level     string // INFO, WARNING or ERROR
	Component string // api, worker, flow, cli
	EventType string // login, generate, import, retrain, activate, rollback, user_created, mlflow_refused, ...
	Message   string
	Details   string // JSON, may be empty
	UserID    int64  // 0 for the platform itself
	CreatedAt time.Time
}

// Identity is who a request comes from, as its token says.
type Identity struct {
	UserID    int64
	Username  string
	Role      Role
	TokenID   string // the token's jti
	IssuedAt  time.Time
	ExpiresAt time.Time
}

// Access is a change of what an account may do; what is nil stays.
type Access struct {
	Role   *Role
	Active *bool
}

// AuditFilter chooses audit entries; a zero field chooses all.
type AuditFilter struct {
	Component, EventType, Level, Username string
	From, To                              time.Time // both included
	Before                                int64     // the id of an entry: only older ones are read
}
