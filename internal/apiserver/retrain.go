package apiserver

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

type retrainInput struct {
	Prefer string `header:"Prefer" doc:"respond-async: answer 202 at once; wait=N: wait N seconds at most (RFC 7240)"`
	Body   *api.RetrainRequest
}

// retrainOutput is 200 with the end of a retraining, or 202 with its job.
type retrainOutput struct {
	Status     int
	Location   string `header:"Location" hidden:"true"`
	RetryAfter string `header:"Retry-After" hidden:"true"`
	Applied    string `header:"Preference-Applied" hidden:"true"`
	Body       any
}

func (s *Server) retrainOp() huma.Operation {
	op := s.op(post, api.PathRetrain, signedIn, "models", "retrain", "Retrain, and wait until the result serves", 403, 500, 503, 507)
	op.Description = fmt.Sprintf("Waits up to 60 s for the end, then answers 202 with the job; at once if %d requests of the caller or %d in all wait already. ", callerWaiters, maxWaiters) +
		"A candidate that is not better is rejected: 200 with status \"rejected\", and the champion goes on. The body may be left out."
	op.Responses["200"] = s.response("The retraining has ended", api.RetrainResponse{})
	op.Responses["202"] = s.goesOn(api.Job{})
	op.Responses["202"].Headers["Preference-Applied"] = &huma.Header{Schema: &huma.Schema{Type: huma.TypeString}}
	return op
}

// goesOn describes the answer to a retraining that takes longer.
func (s *Server) goesOn(body any) *huma.Response {
	r := s.response("The retraining goes on: see Location", body)
	r.Headers = map[string]*huma.Header{
		"Location":    {Schema: &huma.Schema{Type: huma.TypeString}, Description: "Where the job is looked up"},
		"Retry-After": {Schema: &huma.Schema{Type: huma.TypeInteger}, Description: "Seconds"},
	}
	return r
}

// response describes a JSON answer.
func (s *Server) response(text string, body any) *huma.Response {
	return &huma.Response{Description: text, Content: map[string]*huma.MediaType{"application/json": {Schema: s.schema(body)}}}
}

func (s *Server) retrain(ctx context.Context, in *retrainInput) (*retrainOutput, error) {
	req := api.RetrainRequest{}
	if in.Body != nil {
		req = *in.Body
	}
	trigger, err := triggerOf(req.Trigger)
	if err != nil {
		return nil, err
	}
	reason := cmp.Or(req.TriggerReason, ml.ReasonManual)
	if who := identityOf(ctx); who.Role == ml.RoleUser && (req.Generate || reason != ml.ReasonManual || trigger != nil) {
		return nil, ml.Errorf(ml.CodeForbidden, "generate, trigger and a trigger_reason other than manual are for services and administrators")
	}
	job, joined, err := s.enqueueRetrain(ctx, req, reason, trigger)
	if err != nil {
		return nil, err
	}
	wish := parsePrefer(in.Prefer)
	if wish.async {
		return s.accepted(ctx, job, "respond-async")
	}
	result, err := s.await(ctx, job, wish.patience(s.opt.RetrainPatience))
	if err != nil {
		return nil, err
	}
	if result == nil {
		return s.accepted(ctx, job, "")
	}
	out := s.retrainedOf(*result, job, s.now())
	out.Joined, out.IgnoredFields = joined, exchangeOf(ctx).ignored
	return &retrainOutput{Status: http.StatusOK, Body: out}, nil
}

// triggerOf reads the check that asks for a retraining; nil if none does.
func triggerOf(raw json.RawMessage) (*ml.Trigger, error) {
	if len(raw) > api.MaxTrigger {
		return nil, invalidBody(ml.FieldError{Location: "body.trigger", Message: fmt.Sprintf("has %d bytes, at most %d are possible", len(raw), api.MaxTrigger)})
	}
	if len(raw) == 0 {
		return nil, nil
	}
	var trigger *ml.Trigger // stays nil for null
	var kind *json.UnmarshalTypeError
	switch err := json.Unmarshal(raw, &trigger); {
	case errors.As(err, &kind):
		return nil, invalidBody(ml.FieldError{Location: strings.TrimSuffix("body.trigger."+kind.Field, "."), Message: "must not be a " + kind.Value})
	case err != nil: // a time that is none
		return nil, invalidBody(ml.FieldError{Location: "body.trigger", Message: "is not the report of a check"})
	}
	return trigger, nil
}

// enqueueRetrain asks for a retraining and records who asked.
func (s *Server) enqueueRetrain(ctx context.Context, req api.RetrainRequest, reason string, trigger *ml.Trigger) (id int64, joined bool, err error) {
	if req.DatasetID != 0 {
		if _, err := s.opt.Catalogue.Dataset(ctx, req.DatasetID); ml.CodeOf(err) == ml.CodeNotFound {
			return 0, false, invalidBody(ml.FieldError{Location: "body.dataset_id", Message: "there is no such dataset", Value: req.DatasetID})
		} else if err != nil {
			return 0, false, err
		}
	}
	newest, _, err := s.opt.Catalogue.ListDatasets(ctx, 0, 1)
	if err != nil {
		return 0, false, err
	}
	who := actor(identityOf(ctx))
	args := ml.RetrainArgs{
		DatasetID: req.DatasetID, Generate: req.Generate, C: req.C, Balanced: req.Balanced, Seed: req.Seed,
		Reason: reason, RequestedBy: who, Trigger: trigger,
	}
	if len(newest) > 0 {
		args.NewestDataset = newest[0].ID
	}
	if id, joined, err = s.opt.Queue.EnqueueRetrain(ctx, args); err != nil {
		return 0, false, err
	}
	err = s.audit(ctx, "retrain", fmt.Sprintf("retraining asked for: job %d", id), map[string]any{"job_id": id, "reason": reason, "joined": joined, "dataset_id": req.DatasetID, "generate": req.Generate})
	return id, joined, err
}

// await waits until the job has ended and this process serves its result. It returns nil if that
// takes longer than patience, if too many wait already, or if the server stops.
func (s *Server) await(ctx context.Context, job int64, patience time.Duration) (*ml.RetrainResult, error) {
	w, leave := s.watches.join(job, actor(identityOf(ctx)))
	if w == nil {
		return nil, nil
	}
	defer leave()
	enough := time.NewTimer(patience)
	defer enough.Stop()
	select {
	case <-w.done:
		return w.result, w.err
	case <-enough.C:
		return nil, nil
	case <-s.stopping:
		return nil, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// follow looks at a job until it has ended and this process serves its result.
func (s *Server) follow(ctx context.Context, job int64) (*ml.RetrainResult, error) {
	tick := time.NewTicker(s.opt.RetrainPoll)
	defer tick.Stop()
	for {
		result, err := s.ended(ctx, job)
		if err != nil {
			return nil, err
		}
		if result != nil {
			return result, s.serves(ctx, *result)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// ended is the result of a job, nil while it goes on. A failed job is an error.
func (s *Server) ended(ctx context.Context, id int64) (*ml.RetrainResult, error) {
	p, err := s.progressOf(ctx, id)
	if err != nil || p.Result != nil {
		return p.Result, err
	}
	job, err := s.opt.Queue.Job(ctx, id)
	if err != nil || !job.State.Final() {
		return nil, err
	}
	if job.State == ml.JobSucceeded { // its result was stored after the first look
		p, err := s.progressOf(ctx, id)
		if err == nil && p.Result == nil {
			err = fmt.Errorf("apiserver: job %d has succeeded without a result", id)
		}
		return p.Result, err
	}
	return nil, jobFailure(job)
}

// jobFailure words the end of a job that has no result. The words are the job's own, for its asker.
func jobFailure(job ml.Job) *failure {
	status := statusOf(job.ErrorCode)
	if job.State == ml.JobCancelled {
		status = http.StatusConflict
	}
	f := newFailure(status, job.ErrorCode, cmp.Or(job.Error, "the retraining was "+string(job.State)))
	f.Remarks = remarksOf(job.ErrorRemarks)
	f.cause = fmt.Errorf("apiserver: job %d %s: %s", job.ID, job.State, job.Error)
	if status == http.StatusServiceUnavailable {
		f.header.Set("Retry-After", "1")
	}
	return f
}

// serves waits until this process serves what the retraining has activated.
func (s *Server) serves(ctx context.Context, r ml.RetrainResult) error {
	if r.Verdict != ml.VerdictActivated {
		return nil
	}
	return s.opt.Follower.WaitFor(ctx, r.Version)
}

// accepted answers with the job that goes on.
func (s *Server) accepted(ctx context.Context, id int64, applied string) (*retrainOutput, error) {
	job, err := s.opt.Queue.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	body, err := s.jobOf(ctx, job)
	if err != nil {
		return nil, err
	}
	body.IgnoredFields = exchangeOf(ctx).ignored
	return &retrainOutput{Status: http.StatusAccepted, Location: api.JobPath(id), RetryAfter: "1", Applied: applied, Body: body}, nil
}

func (s *Server) retrainedOf(r ml.RetrainResult, job int64, at time.Time) api.RetrainResponse {
	out := api.RetrainResponse{
		Status: api.StatusSuccess, ModelVersion: r.Version, TrainingSamples: r.TrainingSamples, Accuracy: r.CandidateAccuracy, Timestamp: at, JobID: job,
		RetrainResult: api.RetrainResult{
			Verdict: string(r.Verdict), CandidateVersion: r.Candidate, CandidateAccuracy: r.CandidateAccuracy, ChampionAccuracy: r.ChampionAccuracy,
			MajorityAccuracy: r.MajorityAccuracy, HoldoutSamples: r.HoldoutSamples, DurationSeconds: r.DurationSeconds,
			DatasetIDs: list(r.DatasetIDs), Details: r.Details, Reasons: remarksOf(r.Reasons),
		},
	}
	if r.Verdict == ml.VerdictRejected {
		out.Status, out.Accuracy = api.StatusRejected, s.championAccuracy(r)
	}
	return out
}

// championAccuracy is that of the champion a candidate was rejected for: on the candidate's holdout, or,
// where it could not be asked there because its features are others, on its own.
func (s *Server) championAccuracy(r ml.RetrainResult) float64 {
	if r.ChampionAccuracy != nil {
		return *r.ChampionAccuracy
	}
	if v, ok := s.opt.Predictor.Current(); ok && v.Name == r.Version {
		return v.Accuracy
	}
	return 0
}

// preference is what a Prefer header (RFC 7240) asks of a retraining.
type preference struct {
	async bool
	wait  time.Duration // negative if not given
}

func parsePrefer(header string) preference {
	p := preference{wait: -1}
	for wish := range strings.SplitSeq(header, ",") {
		wish, _, _ = strings.Cut(wish, ";")
		name, value, _ := strings.Cut(wish, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "respond-async":
			p.async = true
		case "wait":
			if n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`)); err == nil && n >= 0 {
				p.wait = time.Duration(min(n, 3600)) * time.Second
			}
		}
	}
	// Together they mean: wait so long, and then answer 202, which is what wait does anyway.
	p.async = p.async && p.wait < 0
	return p
}

// patience is how long the answer waits, at most so long.
func (p preference) patience(most time.Duration) time.Duration {
	switch {
	case p.async:
		return 0
	case p.wait >= 0:
		return min(most, p.wait)
	}
	return most
}

type conditionalInput struct {
	Prefer string `header:"Prefer" doc:"respond-async: answer 202 at once; wait=N: wait N seconds at most (RFC 7240)"`
	Body   *api.ConditionalRequest
}

type conditionalOutput struct {
	Status     int
	Location   string `header:"Location" hidden:"true"`
	RetryAfter string `header:"Retry-After" hidden:"true"`
	Body       api.ConditionalResponse
}

func (s *Server) conditionalOp() huma.Operation {
	op := s.op(post, api.PathConditional, signedIn, "models", "retrain-conditional", "Retrain if accuracy is below a threshold", 500, 503, 507)
	op.Description = "Accuracy is the active version's on its holdout. force_retrain forces the training, never the gate."
	op.Responses["202"] = s.goesOn(api.ConditionalResponse{})
	return op
}

func (s *Server) retrainConditional(ctx context.Context, in *conditionalInput) (*conditionalOutput, error) {
	out := &conditionalOutput{Status: http.StatusOK}
	b := &out.Body
	b.Status, b.Threshold, b.IgnoredFields = api.StatusSuccess, accuracyFloor, exchangeOf(ctx).ignored
	force := false
	if in.Body != nil {
		force = in.Body.ForceRetrain
		if in.Body.AccuracyThreshold != nil {
			b.Threshold = *in.Body.AccuracyThreshold
		}
	}
	active, err := s.opt.Versions.Active(ctx)
	missing := ml.CodeOf(err) == ml.CodeNotFound
	if err != nil && !missing {
		return nil, err
	}
	if !missing {
		b.CurrentAccuracy, b.ModelVersion = &active.Accuracy, active.Name
	}
	var reason string
	switch {
	case missing:
		b.ActionTaken, reason = api.ActionForcedNoModel, ml.ReasonForced
		b.Details = "no model was active"
	case active.Accuracy < b.Threshold:
		b.ActionTaken, reason = api.ActionBelowThreshold, ml.ReasonThreshold
		b.Details = fmt.Sprintf("accuracy %.4f is below the threshold %.4f", active.Accuracy, b.Threshold)
	case force:
		b.ActionTaken, reason = api.ActionForced, ml.ReasonForced
		b.Details = fmt.Sprintf("asked for, though accuracy %.4f reaches the threshold %.4f", active.Accuracy, b.Threshold)
	default:
		b.ActionTaken, b.Timestamp = api.ActionNone, s.now()
		b.Details = fmt.Sprintf("accuracy %.4f reaches the threshold %.4f", active.Accuracy, b.Threshold)
		return out, nil
	}
	return out, s.retrainFor(ctx, out, reason, parsePrefer(in.Prefer).patience(s.opt.RetrainPatience))
}

// retrainFor retrains and completes the answer by what came of it.
func (s *Server) retrainFor(ctx context.Context, out *conditionalOutput, reason string, patience time.Duration) error {
	b := &out.Body
	job, joined, err := s.enqueueRetrain(ctx, api.RetrainRequest{}, reason, nil)
	if err != nil {
		return err
	}
	result, err := s.await(ctx, job, patience)
	if err != nil {
		return err
	}
	b.RetrainTriggered, b.JobID, b.Timestamp = true, job, s.now()
	if result == nil {
		b.Status, b.Details = api.StatusAccepted, b.Details+": the retraining goes on"
		out.Status, out.Location, out.RetryAfter = http.StatusAccepted, api.JobPath(job), "1"
		return nil
	}
	done := s.retrainedOf(*result, job, b.Timestamp)
	done.Joined = joined
	b.Status, b.ModelVersion, b.Retrain, b.Details = done.Status, done.ModelVersion, &done, b.Details+": "+done.Details
	if b.ActionTaken == api.ActionForcedNoModel && result.Verdict == ml.VerdictActivated {
		b.CurrentAccuracy = &done.Accuracy // there was none before
	}
	return nil
}
