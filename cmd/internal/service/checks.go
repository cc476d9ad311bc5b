package service

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
	"iacontinu/internal/presence"
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
		return api.Check{Status: stateDown, Detail: "the database does not answer"}
	}
	if err := p.Store.WriteTrouble(); err != nil {
		return api.Check{Status: stateWarning, Detail: "it can't be written: " + err.Error()}
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
func (p *Platform) processCheck(name, meanwhile string) api.Check {
	members, err := presence.Members(p.Folder.DataDir())
	if err != nil {
		return api.Check{Status: stateWarning, Detail: "unknown: the data folder can't be read"}
	}
	if slices.ContainsFunc(members, func(id string) bool {
		return strings.HasPrefix(id, name+"-") || strings.HasPrefix(id, "up-")
	}) {
		return api.Check{Status: stateOK}
	}
	return api.Check{Status: stateWarning, Detail: fmt.Sprintf("no %s runs: %s", name, meanwhile)}
}

// workerCheck tells what waits for the worker.
func (p *Platform) workerCheck(ctx context.Context) api.Check {
	check := p.processCheck("worker", "retrainings and messages wait until one starts")
	depths, err := p.Queue.Depth(ctx)
	if err != nil {
		return api.Check{Status: stateWarning, Detail: "unknown: the jobs can't be counted"}
	}
	waiting, oldest := 0, time.Duration(0)
	for _, d := range depths {
		waiting += d.Waiting
		oldest = max(oldest, d.OldestWait)
	}
	if waiting > 0 && check.Detail == "" {
		check.Detail = fmt.Sprintf("%d jobs wait, the longest overdue by %s", waiting, oldest.Round(time.Second))
	}
	return check
}

// flowCheck tells when the model was last checked, and how, or that it should have been.
func (p *Platform) flowCheck(ctx context.Context) api.Check {
	check := p.processCheck("flow", "the model is not checked for drift until one starts")
	last, _, err := p.Store.DriftHistory(ctx, 1)
	if err != nil {
		return check
	}
	var at time.Time
	var words []string
	if len(last) > 0 {
		at = last[0].CreatedAt
		check.At = &at
		words = append(words, fmt.Sprintf("last check %s ago by the %s detector", time.Since(at).Round(time.Second), last[0].Method))
	}
	if check.Status != stateOK {
		return check
	}
	s := p.schedule()
	if overdue := s.overdue(at); overdue != "" {
		check.Status, words = stateWarning, []string{overdue}
	}
	if s.Says != "" {
		words = append(words, s.Says)
	}
	check.Detail = strings.Join(words, "; ")
	return check
}
