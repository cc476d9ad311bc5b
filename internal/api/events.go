package api

import (
	"context"
	"net/url"
	"strconv"
	"time"
)

// Event is a point of the platform's timeline.
type Event struct {
	At           time.Time `json:"at"`
	Kind         string    `json:"kind" enum:"drift,retrain,verdict,swap,rollback,import,generate"`
	ID           int64     `json:"id" doc:"Of the check (drift), the retraining's record (retrain, verdict), the activation (swap, rollback) or the dataset (import, generate)"`
	ModelVersion string    `json:"model_version,omitempty"`
	Value        *float64  `json:"value" doc:"drift: what was held against the threshold; retrain, import, generate: rows; verdict, swap, rollback: accuracy. null if it is not known"`
	Detail       string    `json:"detail,omitempty" doc:"drift: the action taken; retrain: its reason; verdict: activated or rejected; import: the dataset's name"`
}

// EventList is the newest events of a time.
type EventList struct {
	Events []Event   `json:"events" doc:"Newest first"`
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	More   bool      `json:"more" doc:"There are older ones in that time, beyond the limit"`
}

// During is a span of time. What is zero is left to the server: To is now, From some time before.
type During struct{ From, To time.Time }

func (d During) query() url.Values {
	out := url.Values{}
	for name, at := range map[string]time.Time{"from": d.From, "to": d.To} {
		if !at.IsZero() {
			out.Set(name, at.UTC().Format(time.RFC3339Nano))
		}
	}
	return out
}

// Events lists what happened in a span of time, newest first: all kinds, or those named. Limit 0 means
// the server's default.
func (c *Client) Events(ctx context.Context, d During, limit int, kinds ...string) (EventList, error) {
	q := d.query()
	if limit > 0 {
		q.Set("limit", strconv.Itoa(limit))
	}
	if len(kinds) > 0 {
		q["kind"] = kinds
	}
	return get[EventList](ctx, c, PathEvents, q)
}
