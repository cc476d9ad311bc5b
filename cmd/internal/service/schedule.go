package service

import (
	"encoding/json"
	"strings"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/presence"
)

// schedule is what the process of the checks leaves for /health: how often it checks, since when, and who
// says when, by a code of package wording, if it isn't as it should be.
type schedule struct {
	Every time.Duration `json:"every"`
	Since time.Time     `json:"since"`
	Says  string        `json:"says,omitempty"`
}

// noter returns what leaves word of the schedule, and leaves the first.
func (p *Platform) noter(every time.Duration) func(says string) {
	s := schedule{Every: every, Since: time.Now()}
	note := func(says string) {
		s.Says = says
		text, err := json.Marshal(s)
		if err == nil {
			err = p.member.Note(string(text))
		}
		if err != nil {
			p.Log.Warn("it can't be noted who says when to check", "error", err)
		}
	}
	note("")
	return note
}

// schedule reads what a living process of the checks left; a zero one tells nothing.
func (p *Platform) schedule() (s schedule) {
	members, err := presence.Members(p.Folder.DataDir())
	if err != nil {
		return schedule{}
	}
	for _, id := range members {
		if !strings.HasPrefix(id, "flow-") && !strings.HasPrefix(id, "up-") {
			continue
		}
		var found schedule
		if json.Unmarshal([]byte(presence.Note(p.Folder.DataDir(), id)), &found) == nil && found.Since.After(s.Since) {
			s = found
		}
	}
	return s
}

// overdue says since when a check is missing, nil while none is: three that were due may be under way or
// have been passed over.
func (s schedule) overdue(last time.Time) []api.Remark {
	if last.Before(s.Since) {
		last = s.Since
	}
	if missing := time.Since(last); s.Every > 0 && missing > 3*s.Every {
		return []api.Remark{{Code: "part.checks_overdue", Values: map[string]any{"missing": missing.Seconds(), "every": s.Every.Seconds()}}}
	}
	return nil
}
