package api

import (
	"context"
	"maps"
	"net/http"
	"net/url"
	"time"
)

// AccessRequest changes what an account may do. What is left out stays.
type AccessRequest struct {
	Role     string `json:"role,omitempty" enum:"user,admin"`
	IsActive *bool  `json:"is_active,omitempty" doc:"false: it may not log in"`
}

// LogFilter chooses entries of the audit log; a zero field chooses all.
type LogFilter struct {
	During
	Component, EventType, Level, Username string
	Before                                int64 // the id of an entry: only older ones
	Limit                                 int   // 0: the server's default
}

// ChangeUser changes what an account may do, and makes its tokens invalid; for administrators.
func (c *Client) ChangeUser(ctx context.Context, username string, r AccessRequest) (User, error) {
	var out User
	err := c.do(ctx, call{method: http.MethodPatch, path: UserPath(username), in: r}, &out)
	return out, err
}

// FilteredLogs lists the newest entries of the audit log that a filter chooses; for administrators.
func (c *Client) FilteredLogs(ctx context.Context, f LogFilter) (SystemLogs, error) {
	q := f.query()
	for name, value := range map[string]string{"component": f.Component, "event_type": f.EventType, "level": f.Level, "username": f.Username} {
		if value != "" {
			q.Set(name, value)
		}
	}
	maps.Copy(q, older(f.Before, f.Limit))
	return get[SystemLogs](ctx, c, PathSystemLogs, q)
}

// Setting is a setting in force.
type Setting struct {
	Name  string `json:"name"`
	Value string `json:"value" doc:"(set) for a secret"`
}

// SettingList is the settings of the process that answers.
type SettingList struct {
	Settings []Setting `json:"settings"`
}

// Settings lists the settings of the API's process; for administrators.
func (c *Client) Settings(ctx context.Context) (SettingList, error) {
	return get[SettingList](ctx, c, PathSettings, nil)
}

// Backup is a copy of the database, the model versions and the datasets.
type Backup struct {
	Name      string    `json:"name" doc:"Of its folder in backups, in the data folder"`
	CreatedAt time.Time `json:"created_at"`
	SizeBytes int64     `json:"size_bytes"`
}

// BackupList is the backups that were made over the API.
type BackupList struct {
	Backups []Backup `json:"backups" doc:"Newest first"`
	Kept    int      `json:"kept" doc:"How many are kept; one more takes the oldest one's place"`
}

// Backups lists the backups; for administrators.
func (c *Client) Backups(ctx context.Context) (BackupList, error) {
	return get[BackupList](ctx, c, PathBackups, nil)
}

// BackUp makes a backup; for administrators.
func (c *Client) BackUp(ctx context.Context) (Backup, error) {
	return post[Backup](ctx, c, PathBackups, nil)
}

// TestNotification sends people a message that says that messages arrive; for administrators. The job says
// what came of it.
func (c *Client) TestNotification(ctx context.Context) (Job, error) {
	return post[Job](ctx, c, PathTestNotification, nil)
}

// UserPath is where the named account is changed.
func UserPath(username string) string { return "/auth/users/" + url.PathEscape(username) }
