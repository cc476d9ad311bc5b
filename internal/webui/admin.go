package webui

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"iacontinu/internal/api"
)

// adminData is what the page for administrators shows.
type adminData struct {
	Users    []api.User
	Logs     []logRow
	Listing  listing
	Filter   logFilter
	Settings []api.Setting
	Backups  api.BackupList
	Job      *api.Job // of a test message
	JobGone  bool
	New      api.RegisterRequest // as typed, without the password
}

// logRow is an entry of the audit log with who did it.
type logRow struct {
	api.LogEntry
	Who  string
	Says []api.Remark
}

// saysOf is what an entry says: its event, with its details.
func saysOf(e api.LogEntry) []api.Remark {
	values := map[string]any{}
	_ = json.Unmarshal(e.Details, &values) // of another program: then its message is shown
	return []api.Remark{{Code: "log." + e.EventType, Values: values}}
}

// logFilter is what the form above the audit log chooses, as typed.
type logFilter struct{ Level, Component, Event, User, Since string }

// Set reports whether anything is chosen.
func (f logFilter) Set() bool { return f != logFilter{} }

// Levels of entries.
func (d *adminData) Levels() []string { return []string{"INFO", "WARNING", "ERROR"} }

const (
	shownLogs      = 50
	backupPatience = 2 * time.Minute
	dateLayout     = "2006-01-02" // of a form's field
)

func loadAdmin(ctx context.Context, v *visit) (any, error) {
	d, ok := v.Data.(*adminData) // what the form left
	if !ok {
		d = &adminData{}
	}
	d.Filter = logFilter{v.query.Get("level"), v.query.Get("component"), v.query.Get("event"), v.query.Get("user"), v.query.Get("since")}
	filter := api.LogFilter{Component: d.Filter.Component, EventType: d.Filter.Event, Level: d.Filter.Level, Username: d.Filter.User, Before: v.before(), Limit: shownLogs + 1}
	filter.From, _ = time.Parse(dateLayout, d.Filter.Since) // no date: from the beginning
	var logs api.SystemLogs
	var settings api.SettingList
	err := together(ctx,
		ask(&d.Users, v.client.Users), ask(&settings, v.client.Settings), ask(&d.Backups, v.client.Backups),
		ask(&logs, func(ctx context.Context) (api.SystemLogs, error) { return v.client.FilteredLogs(ctx, filter) }),
		func(ctx context.Context) (err error) {
			d.Job, d.JobGone, err = v.job(ctx)
			return err
		},
	)
	if err != nil {
		return nil, err
	}
	names := map[int64]string{}
	for _, u := range d.Users {
		names[u.ID] = u.Username
	}
	d.Listing = listing{Of: "entries", Part: "admin-logs", Total: logs.Total, None: v.must("admin.no_logs")}
	for _, entry := range cut(v, &d.Listing, logs.Logs, shownLogs, func(e api.LogEntry) int64 { return e.ID }) {
		row := logRow{LogEntry: entry, Says: saysOf(entry)}
		if entry.UserID != nil {
			row.Who = names[*entry.UserID]
		}
		d.Logs = append(d.Logs, row)
	}
	d.Settings = settings.Settings
	if done := v.query.Get("done"); v.or("admin.done."+done, "") != "" {
		v.Done = v.must("admin.done." + done)
	}
	return d, nil
}

func toAdmin(w http.ResponseWriter, r *http.Request, key, value string) {
	http.Redirect(w, r, "/admin?"+url.Values{key: {value}}.Encode(), http.StatusSeeOther)
}

// register makes an account.
func (s *Server) register(w http.ResponseWriter, r *http.Request, v *visit) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	in := api.RegisterRequest{Username: r.PostFormValue("username"), Email: r.PostFormValue("email"), Password: r.PostFormValue("password"), Role: r.PostFormValue("role")}
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	if _, err := v.client.Register(ctx, in); err != nil {
		in.Password = ""
		v.Data = &adminData{New: in}
		s.refuse(w, r, v, "admin", err)
		return
	}
	toAdmin(w, r, "done", "registered")
}

// access changes what an account may do.
func (s *Server) access(w http.ResponseWriter, r *http.Request, v *visit) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	in := api.AccessRequest{Role: r.PostFormValue("role")}
	if active, err := strconv.ParseBool(r.PostFormValue("active")); err == nil {
		in.IsActive = &active
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	if _, err := v.client.ChangeUser(ctx, r.PostFormValue("username"), in); err != nil {
		s.refuse(w, r, v, "admin", err)
		return
	}
	toAdmin(w, r, "done", "changed")
}

// testMessage has people told that messages arrive; the page shows what comes of it.
func (s *Server) testMessage(w http.ResponseWriter, r *http.Request, v *visit) {
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	job, err := v.client.TestNotification(ctx)
	if err != nil {
		s.refuse(w, r, v, "admin", err)
		return
	}
	toAdmin(w, r, "job", fmt.Sprint(job.ID))
}

func (s *Server) backUp(w http.ResponseWriter, r *http.Request, v *visit) {
	if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(backupPatience + readPatience)); err != nil {
		s.log.DebugContext(r.Context(), "a backup has the patience of any request", "error", err)
	}
	ctx, cancel := context.WithTimeout(r.Context(), backupPatience)
	defer cancel()
	if _, err := v.client.BackUp(ctx); err != nil {
		s.refuse(w, r, v, "admin", err)
		return
	}
	toAdmin(w, r, "done", "backed_up")
}
