package service

import (
	"context"
	"slices"
	"strings"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
	"iacontinu/internal/presence"
	"iacontinu/internal/wording"
)

// States of a part, as the API writes them.
const (
	stateOK      = "ok"
	stateWarning = "warning"
	stateDown    = "down"
	stateOff     = "off"
)

// serving is what the checks ask of the predictor.
type serving interface {
	Current() (v ml.Version, ok bool)
}

// checks returns what /health tells of each part.
func (p *Platform) checks(model serving) func(context.Context) map[string]api.Check {
	return func(ctx context.Context) map[string]api.Check {
		checks := map[string]api.Check{
			"database": p.databaseCheck(ctx),
			"model":    modelCheck(model),
			"worker":   p.workerCheck(ctx),
			"flow":     p.flowCheck(ctx),
			"discord":  p.discordCheck(ctx),
		}
		for _, service := range ml.Services() {
			if check, ok := p.backlogCheck(ctx, service); ok {
				checks[string(service)] = check
			}
		}
		return checks
	}
}

func (p *Platform) databaseCheck(ctx context.Context) api.Check {
	if err := p.Store.Ping(ctx); err != nil {
		p.Log.ErrorContext(ctx, "the database does not answer", "error", err)
		return said(stateDown, api.Remark{Code: "part.database_silent"})
	}
	if err := p.Store.WriteTrouble(); err != nil {
		return said(stateWarning, api.Remark{Code: "part.database_unwritable", Values: map[string]any{"error": err.Error()}})
	}
	return api.Check{Status: stateOK}
}

func modelCheck(model serving) api.Check {
	v, ok := model.Current()
	if !ok {
		return api.Check{Status: stateDown, Detail: "no version serves yet"}
	}
	return api.Check{Status: stateOK, Detail: v.Name}
}

// processCheck tells whether a process of that name works on the folder; `up` is all of them.
func (p *Platform) processCheck(name, absent string) api.Check {
	members, err := presence.Members(p.Folder.DataDir())
	if err != nil {
		return said(stateWarning, api.Remark{Code: "part.unknown"})
	}
	if slices.ContainsFunc(members, func(id string) bool {
		return strings.HasPrefix(id, name+"-") || strings.HasPrefix(id, "up-")
	}) {
		return api.Check{Status: stateOK}
	}
	return said(stateWarning, api.Remark{Code: absent})
}

// workerCheck tells what waits for the worker.
func (p *Platform) workerCheck(ctx context.Context) api.Check {
	check := p.processCheck("worker", "part.no_worker")
	depths, err := p.Queue.Depth(ctx)
	if err != nil {
		return said(stateWarning, api.Remark{Code: "part.jobs_uncounted"})
	}
	waiting, oldest := 0, time.Duration(0)
	for _, d := range depths {
		waiting += d.Waiting
		oldest = max(oldest, d.OldestWait)
	}
	if waiting > 0 && check.Detail == "" {
		code := "part.jobs_wait"
		if oldest < time.Second { // due later, or just now
			code = "part.jobs_queued"
		}
		return said(check.Status, api.Remark{Code: code, Values: map[string]any{"n": waiting, "overdue": oldest.Seconds()}})
	}
	return check
}

// flowCheck tells when the model was last checked, and how, or that it should have been.
func (p *Platform) flowCheck(ctx context.Context) api.Check {
	check := p.processCheck("flow", "part.no_flow")
	last, _, err := p.Store.DriftHistory(ctx, 1)
	if err != nil {
		return check
	}
	var at time.Time
	var says []api.Remark
	if len(last) > 0 {
		at = last[0].CreatedAt
		check.At = &at
		says = append(says, api.Remark{Code: "part.last_check", Values: map[string]any{"ago": time.Since(at).Seconds(), "method": last[0].Method}})
	}
	if check.Status != stateOK {
		return check
	}
	s := p.schedule()
	if overdue := s.overdue(at); overdue != nil {
		check.Status, says = stateWarning, overdue
	}
	if s.Says != "" {
		says = append(says, api.Remark{Code: s.Says})
	}
	found := said(check.Status, says...)
	found.At = check.At
	return found
}

// said is a check with what it says, for whoever asks in words.
func said(status string, remarks ...api.Remark) api.Check {
	text, _ := wording.Joined(wording.In("en"), remarks)
	return api.Check{Status: status, Detail: text, Remarks: remarks}
}
