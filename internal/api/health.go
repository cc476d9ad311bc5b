package api

import "time"

// Health is the answer of /health and /health/ready.
type Health struct {
	Status    string           `json:"status" doc:"ok; degraded if the database can be read and not written, see its check" enum:"ok,degraded" example:"ok"`
	Timestamp time.Time        `json:"timestamp"`
	Version   string           `json:"version" doc:"Version of the program"`
	Checks    map[string]Check `json:"checks" doc:"State of each part; a part that is down need not stop the others"`
}

// StatusDegraded is the status of an API that can't keep what it does: its database refuses to be
// written.
const StatusDegraded = "degraded"

// States of a check.
const (
	CheckOK   = "ok"
	CheckWarn = "warning" // works, but a person should know
	CheckDown = "down"
	CheckOff  = "off" // not configured, and nothing waits for it
)

// Check is the state of one part of the platform.
type Check struct {
	Status  string     `json:"status" enum:"ok,warning,down,off"`
	Detail  string     `json:"detail,omitempty" doc:"One sentence for a person"`
	Remarks []Remark   `json:"remarks,omitempty" doc:"What the detail says, where it is not only a name"`
	At      *time.Time `json:"at,omitempty" doc:"When the part was last seen at work"`
}
