package apiserver

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// Levels of audit entries.
const (
	levelInfo    = "INFO"
	levelWarning = "WARNING"
)

// codeUnaudited is the code of an answer to what was done and not recorded.
const codeUnaudited ml.Code = "unaudited"

// audit records what the caller did. What is done is done; if it can't be recorded, the caller is told
// both and the log keeps the entry. It is no 503, which would have programs do it again.
func (s *Server) audit(ctx context.Context, event, message string, details map[string]any) error {
	err := s.record(ctx, ml.AuditEntry{Level: levelInfo, EventType: event, Message: message, UserID: identityOf(ctx).UserID}, details)
	if err == nil {
		return nil
	}
	f := newFailure(http.StatusInternalServerError, codeUnaudited, message+"; but that could not be recorded: tell whoever runs this server, and look before you repeat it").
		says("error.unaudited", nil)
	f.cause = fmt.Errorf("apiserver: audit entry %s, %q, is lost: %w", event, message, err)
	return f
}

// record writes an entry, though the client may have gone away.
func (s *Server) record(ctx context.Context, e ml.AuditEntry, details map[string]any) error {
	if details == nil {
		details = map[string]any{}
	}
	x := exchangeOf(ctx)
	details["request_id"], details["remote"] = x.id, hostOf(x.remote)
	if x.who.Role == ml.RoleService {
		details["service"] = x.who.Username
	}
	b, err := json.Marshal(details)
	if err != nil {
		return fmt.Errorf("apiserver: encode audit details: %w", err)
	}
	e.Component, e.Details, e.CreatedAt = "api", string(b), s.opt.Clock().UTC()
	writing, cancel := detached(ctx)
	defer cancel()
	return s.opt.Auditor.Audit(writing, e)
}

// actor is the caller as records name them. A service can't be taken for a user of the same name: no
// user name has a colon.
func actor(who ml.Identity) string {
	if who.Role == ml.RoleService {
		return "service:" + who.Username
	}
	return who.Username
}

type askedLogs struct {
	Newest
	Component string    `query:"component" maxLength:"64" doc:"api, worker, flow or cli"`
	EventType string    `query:"event_type" maxLength:"64" doc:"Such as login"`
	Level     string    `query:"level" enum:"INFO,WARNING,ERROR"`
	Username  string    `query:"username" maxLength:"256" doc:"Of who did it"`
	From      time.Time `query:"from" doc:"RFC 3339; left out: the beginning"`
	To        time.Time `query:"to" doc:"RFC 3339; left out: now"`
}

func (s *Server) systemLogs(ctx context.Context, in *askedLogs) (*with[api.SystemLogs], error) {
	if !in.To.IsZero() && in.From.After(in.To) {
		return nil, invalidBody(ml.FieldError{Location: "query.from", Message: "must not be after to"})
	}
	entries, total, err := s.opt.Auditor.AuditLog(ctx, ml.AuditFilter{
		Component: in.Component, EventType: in.EventType, Level: in.Level, Username: in.Username, From: in.From.UTC(), To: in.To.UTC(), Before: in.Before,
	}, in.Limit)
	if err != nil {
		return nil, err
	}
	out := api.SystemLogs{Logs: make([]api.LogEntry, len(entries)), Total: total}
	for i, e := range entries {
		out.Logs[i] = api.LogEntry{
			ID: e.ID, Level: e.Level, Component: e.Component, EventType: e.EventType, Message: e.Message,
			Details: asJSON(e.Details), UserID: unlessZero(e.UserID), CreatedAt: stamp(e.CreatedAt),
		}
	}
	return &with[api.SystemLogs]{out}, nil
}

// asJSON is text that is JSON already, or a JSON string of it: entries of the earlier system hold
// anything.
func asJSON(text string) json.RawMessage {
	if text == "" {
		return nil
	}
	if json.Valid([]byte(text)) {
		return json.RawMessage(text)
	}
	b, _ := json.Marshal(text) // a string: cannot fail
	return b
}
