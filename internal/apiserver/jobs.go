package apiserver

import (
	"context"
	"sync"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func (s *Server) job(ctx context.Context, in *byID) (*with[api.Job], error) {
	job, err := s.opt.Queue.Job(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	who := identityOf(ctx)
	asked := job.RequestedBy == actor(who) || s.askers.has(job.ID, actor(who))
	if job.Kind != (ml.RetrainArgs{}).Kind() || who.Role != ml.RoleAdmin && !asked {
		return nil, ml.Errorf(ml.CodeNotFound, "there is no job %d of yours", in.ID)
	}
	out, err := s.jobOf(ctx, job)
	if err != nil {
		return nil, err
	}
	return &with[api.Job]{out}, nil
}

// jobOf is a job together with how far it has come.
func (s *Server) jobOf(ctx context.Context, job ml.Job) (api.Job, error) {
	out := api.Job{
		ID: job.ID, State: string(job.State), Attempt: job.Attempt, MaxAttempts: job.MaxAttempts, Error: job.Error,
		RequestedBy: job.RequestedBy, CreatedAt: stamp(job.CreatedAt), StartedAt: stampOrNil(job.StartedAt), FinishedAt: stampOrNil(job.FinishedAt),
	}
	p, err := s.progressOf(ctx, job.ID)
	if err != nil {
		return api.Job{}, err
	}
	out.Step, out.Progress = p.Step, p.Fraction
	if p.Result != nil {
		done := retrainedOf(*p.Result, job.ID, stamp(p.UpdatedAt))
		out.Result, out.Progress = &done, 1
	}
	return out, nil
}

// progressOf is how far a job has come, the zero value if it has not begun.
func (s *Server) progressOf(ctx context.Context, id int64) (ml.JobProgress, error) {
	p, err := s.opt.Progress.Progress(ctx, id)
	if ml.CodeOf(err) == ml.CodeNotFound {
		return ml.JobProgress{}, nil
	}
	return p, err
}

// askers remembers who joined a job that somebody else had asked for, so that they may look it up
// too. It holds the latest ones and is lost with the process.
type askers struct {
	mu     sync.Mutex
	joined map[asker]bool
	order  []asker
}

type asker struct {
	job  int64
	name string
}

const maxAskers = 1000

func newAskers() *askers { return &askers{joined: map[asker]bool{}} }

func (a *askers) add(job int64, name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k := asker{job, name}
	if a.joined[k] {
		return
	}
	if len(a.order) == maxAskers {
		delete(a.joined, a.order[0])
		a.order = a.order[1:]
	}
	a.joined[k], a.order = true, append(a.order, k)
}

func (a *askers) has(job int64, name string) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.joined[asker{job, name}]
}
