package api

import "time"

// LoginRequest asks for a token.
type LoginRequest struct {
	Username string `json:"username" minLength:"1" maxLength:"256" example:"testuser"`
	Password string `json:"password" minLength:"1" maxLength:"1024" format:"password"`
}

// LoginResponse carries a token to send as "Authorization: Bearer <access_token>".
type LoginResponse struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type" example:"bearer"`
	ExpiresIn   int    `json:"expires_in" doc:"Seconds" example:"86400"`
	UserID      int64  `json:"user_id"`
	Username    string `json:"username"`
	Role        string `json:"role" enum:"user,admin,service"`
}

// PasswordRequest changes the caller's password.
type PasswordRequest struct {
	OldPassword string `json:"old_password" minLength:"1" maxLength:"1024" format:"password"`
	NewPassword string `json:"new_password" minLength:"8" maxLength:"128" format:"password"`
}

// RegisterRequest makes a user.
type RegisterRequest struct {
	Username string `json:"username" minLength:"3" maxLength:"64" pattern:"^[A-Za-z0-9][A-Za-z0-9._@-]*$" patternDescription:"letters, digits and . _ @ -, a letter or digit first"`
	Email    string `json:"email" maxLength:"254" format:"email"`
	Password string `json:"password" minLength:"8" maxLength:"128" format:"password"`
	Role     string `json:"role,omitempty" enum:"user,admin" default:"user"`
}

// User is an account.
type User struct {
	ID         int64      `json:"id"`
	Username   string     `json:"username"`
	Email      string     `json:"email"`
	Role       string     `json:"role" enum:"user,admin,service"`
	IsActive   bool       `json:"is_active"`
	CreatedAt  time.Time  `json:"created_at"`
	LastLogin  *time.Time `json:"last_login" doc:"null if never"`
	LoginCount int        `json:"login_count"`
}
