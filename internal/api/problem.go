package api

import (
	"fmt"
	"strings"
	"time"
)

// ProblemType is the content type of every error answer.
const ProblemType = "application/problem+json"

// Problem is an error answer, RFC 9457 with the members code, remarks, request_id, errors and checks added.
type Problem struct {
	Type    string   `json:"type,omitempty" doc:"Absent: about:blank, the status says it all"`
	Title   string   `json:"title" doc:"The status in words" example:"Unprocessable Entity"`
	Status  int      `json:"status" doc:"The HTTP status" example:"422"`
	Detail  string   `json:"detail,omitempty" doc:"What went wrong this time, for a person"`
	Remarks []Remark `json:"remarks,omitempty" doc:"What detail and errors say; absent if only their words are known"`
	// Code is for programs: it stays the same when the words change.
	Code      string       `json:"code,omitempty" doc:"The kind of error, for programs" example:"invalid"`
	RequestID string       `json:"request_id,omitempty" doc:"Quote it to whoever reads the log"`
	Errors    []FieldError `json:"errors,omitempty" doc:"Each wrong input"`
	// Checks are given by /health and /health/ready.
	Checks map[string]Check `json:"checks,omitempty" doc:"State of each part, on the health routes"`

	// RetryAfter is the Retry-After header; 0 if there was none.
	RetryAfter time.Duration `json:"-"`
}

// FieldError says what is wrong with one input.
type FieldError struct {
	Location string `json:"location,omitempty" doc:"Where the input was" example:"body.features[1]"`
	Message  string `json:"message" doc:"What it must be"`
	Value    any    `json:"value,omitempty" doc:"What was sent, if it is short and no secret"`
}

// Error implements error.
func (p *Problem) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d %s", p.Status, p.Title)
	if p.Detail != "" {
		b.WriteString(": " + p.Detail)
	}
	for _, f := range p.Errors {
		fmt.Fprintf(&b, "; %s: %s", f.Location, f.Message)
	}
	if p.RequestID != "" {
		fmt.Fprintf(&b, " (request %s)", p.RequestID)
	}
	return b.String()
}
