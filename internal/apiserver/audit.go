package apiserver

import (
	"context"
	"encoding/json"
	"fmt"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// Levels of audit entries.
const (
	levelInfo    = "INFO"
	levelWarning = "WARNING"
)

// audit records what the caller did. It is recorded though the client has gone away; if it can't be,
// the log says so and the request goes on: what was done is done.
func (s *Server) audit(ctx context.Context, event, message string, details map[string]any) {
	s.record(ctx, ml.AuditEntry{Level: levelInfo, EventType: event, Message: message, UserID: identityOf(ctx).UserID}, details)
}

// record writes an entry, or logs that it is lost.
func (s *Server) record(ctx context.Context, e ml.AuditEntry, details map[string]any) {
	if err := s.tryRecord(ctx, e, details); err != nil {
		s.log.ErrorContext(ctx, "audit entry not written", "event", e.EventType, "message", e.Message, "error", err)
	}
}

func (s *Server) tryRecord(ctx context.Context, e ml.AuditEntry, details map[string]any) error {
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

func (s *Server) systemLogs(ctx context.Context, in *newest) (*with[api.SystemLogs], error) {
	entries, total, err := s.opt.Auditor.AuditLog(ctx, in.Limit)
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
