package apiserver

import (
	"context"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func (s *Server) job(ctx context.Context, in *byID) (*with[api.Job], error) {
	job, err := s.opt.Queue.Job(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	// A service holds the platform's key: it is the check, or the operator's command on the machine.
	who := identityOf(ctx)
	seesAll := who.Role == ml.RoleAdmin || who.Role == ml.RoleService
	switch {
	case !seesAll && !job.AskedBy(actor(who)):
		return nil, ml.Errorf(ml.CodeNotFound, "there is no job %d of yours", in.ID).Says("error.gone", nil)
	case job.Kind != (ml.RetrainArgs{}).Kind() && (job.Kind != (ml.NotifyArgs{}).Kind() || job.RequestedBy == ""):
		return nil, ml.Errorf(ml.CodeNotFound, "job %d is no retraining, nor a test message", in.ID)
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
		ID: job.ID, State: string(job.State), Attempt: job.Attempt, MaxAttempts: job.MaxAttempts, Error: job.Error, ErrorRemarks: remarksOf(job.ErrorRemarks),
		RequestedBy: job.RequestedBy, CreatedAt: stamp(job.CreatedAt), StartedAt: stampOrNil(job.StartedAt), FinishedAt: stampOrNil(job.FinishedAt),
	}
	p, err := s.progressOf(ctx, job.ID)
	if err != nil {
		return api.Job{}, err
	}
	out.Step, out.Progress = p.Step, p.Fraction
	if p.Result != nil {
		done := s.retrainedOf(*p.Result, job.ID, stamp(p.UpdatedAt))
		out.State, out.Result, out.Progress = string(ml.JobSucceeded), &done, 1
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
