package service

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/api"
	"iacontinu/internal/flowrun"
	"iacontinu/internal/kuma"
	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
	"iacontinu/internal/monitor"
	"iacontinu/internal/prefect"
)

// NewFlow returns the periodic check of the API at apiURL: as a worker of the Prefect server if one is
// set, and else by itself.
func NewFlow(p *Platform, c FlowSettings, server *prefect.Client, apiURL string) (boot.Part, error) {
	client, err := newClient(apiURL, p.Secret, "flow")
	if err != nil {
		return nil, err
	}
	o, note := p.monitoring(c, client), p.noter(time.Duration(c.Interval))
	if server != nil {
		o.HandOn = p.oweFlowRun
	}
	var pusher *kuma.Pusher
	if c.PushURL != "" {
		if pusher, err = kuma.NewPusher(kuma.PusherOptions{URL: c.PushURL, Logger: p.Log, Registerer: p.Registry}); err != nil {
			return nil, fmt.Errorf("KUMA_PUSH_URL: %w", err)
		}
		o.Checked = func(r ml.DriftReport) {
			pusher.Push(heartbeat(r), time.Duration(r.Details.Duration*float64(time.Second)))
		}
	}
	checks, err := monitor.New(o)
	if err != nil {
		return nil, err
	}
	f := &flow{log: p.Log, checks: checks, runs: checks}
	if server != nil {
		f.runs, err = p.scheduled(c, server, checks, note)
	}
	if pusher != nil {
		f.runs = boot.Parts{f.runs, pusher}
	}
	return f, err
}

// flow is the periodic check with who says when to check: the clock, or a server.
type flow struct {
	log    *slog.Logger
	checks *monitor.Monitor
	runs   boot.Part
}

// Run checks until ctx ends.
func (f *flow) Run(ctx context.Context) error {
	if err := f.checks.Recall(ctx); err != nil {
		f.log.WarnContext(ctx, "the metrics do not know the last check until the next one", "error", err)
	}
	return f.runs.Run(ctx)
}

// scheduled is the check as Prefect asks for it. While Prefect is away it ticks by itself, and what it
// did is told later.
func (p *Platform) scheduled(c FlowSettings, server *prefect.Client, m *monitor.Monitor, note func(string)) (boot.Part, error) {
	return prefect.NewRunner(prefect.RunnerOptions{
		Client: server, Flow: monitor.FlowName, Interval: time.Duration(c.Interval), Identity: p.member.ID(), Alive: p.alive,
		Check: func(ctx context.Context, r prefect.Request, rec *flowrun.Recorder) error {
			_, err := m.RunOnce(ctx, monitor.Request{
				Slot: r.Slot, Detector: r.Parameters.Detector, Threshold: r.Parameters.Threshold, Force: r.Parameters.Force, Recorder: rec,
			})
			if errors.Is(err, monitor.ErrSlotTaken) {
				return prefect.ErrTaken
			}
			return err
		},
		Local: m.RunUntil, Owe: p.oweFlowRun, Note: note, Tracer: p.Tracer, Logger: p.Log, Registerer: p.Registry,
	})
}

func (p *Platform) oweFlowRun(ctx context.Context, run flowrun.Run) error {
	return p.owe(ctx, ml.ServicePrefect, ml.DeliveryFlowRun, run)
}

// NewPrefect returns the client of the Prefect server, nil if none is set.
func NewPrefect(ctx context.Context, p *Platform, s PrefectSettings) (*prefect.Client, error) {
	if s.PrefectURL == "" {
		return nil, nil
	}
	installation, err := p.Store.Installation(ctx)
	if err != nil {
		return nil, err
	}
	client, err := prefect.New(prefect.Options{
		URL: s.PrefectURL, AuthString: s.PrefectAuth, APIKey: s.PrefectKey, CAFile: s.PrefectCAFile, Insecure: s.PrefectInsecure,
		Installation: installation, Logger: p.Log, Registerer: p.Registry,
	})
	if err != nil {
		return nil, fmt.Errorf("PREFECT_API_...: %w", err)
	}
	return client, nil
}

// monitoring is what the check uses of the platform.
func (p *Platform) monitoring(c FlowSettings, client *api.Client) monitor.Options {
	return monitor.Options{
		API:            checkedAPI{client},
		History:        p.Store,
		Record:         p.Store,
		Messenger:      p.Queue,
		Reference:      p.reference,
		NewestDatasets: p.Store.NewestDatasets,
		Interval:       time.Duration(c.Interval),
		Detector:       c.Detector,
		Cooldown:       cooldown(c.Cooldown),
		Tracer:         p.Tracer,
		Logger:         p.Log,
		Registerer:     p.Registry,
	}
}

// reference reads the window pinned to a version, with ml.CodeNotFound if none is.
func (p *Platform) reference(_ context.Context, version string) ([][]float64, error) {
	window, err := logreg.LoadReference(p.artifactDir(version))
	if errors.Is(err, logreg.ErrNoReference) || errors.Is(err, fs.ErrNotExist) {
		return nil, &ml.Error{Code: ml.CodeNotFound, Message: "version " + version + " has no reference window", Err: err}
	}
	return window, err
}

// cooldown is a setting as packages take it, where zero means their default and a negative one none.
func cooldown(d Duration) time.Duration {
	if d == 0 {
		return -1
	}
	return time.Duration(d)
}

// checkedAPI is the API as the periodic check meets it.
type checkedAPI struct{ client *api.Client }

// Health fails while the API does not answer, or answers that it is not well.
func (c checkedAPI) Health(ctx context.Context) error {
	health, err := c.client.Health(ctx)
	if err != nil {
		return err
	}
	if health.Status != stateOK {
		return fmt.Errorf("the API says %q of itself; its database: %s", health.Status, health.Checks["database"].Detail)
	}
	return nil
}

// Retrain asks for a retraining on fresh data and waits for its end. The API waits for a minute; a
// nil result says that the job goes on.
func (c checkedAPI) Retrain(ctx context.Context, t ml.Trigger) (*ml.RetrainResult, int64, error) {
	reason := ml.ReasonForced
	if t.Report.Drift {
		reason = ml.ReasonDrift
	}
	trigger, err := encodeTrigger(t)
	if err != nil {
		return nil, 0, fmt.Errorf("encode the check: %w", err)
	}
	reply, err := c.client.Retrain(ctx, api.RetrainRequest{Generate: true, TriggerReason: reason, Trigger: trigger}, true)
	switch {
	case err != nil:
		return nil, 0, err
	case reply.Done != nil:
		return resultOf(reply.Done), reply.Done.JobID, nil
	case reply.Job != nil:
		return nil, reply.Job.ID, nil
	}
	return nil, 0, errors.New("the API's answer to /retrain names neither a result nor a job")
}

// maxTrigger is how many bytes of a check go with the retraining that it asks for: less than the API
// takes.
const maxTrigger = 32 << 10

// encodeTrigger leaves out the scores of the features that differ least, if there are too many.
func encodeTrigger(t ml.Trigger) ([]byte, error) {
	d := &t.Report.Details
	d.Scores = slices.SortedFunc(slices.Values(d.Scores), func(a, b ml.FeatureScore) int { return cmp.Compare(a.PValue, b.PValue) })
	for {
		text, err := json.Marshal(t)
		if err != nil || len(text) <= maxTrigger || len(d.Scores) == 0 {
			return text, err
		}
		d.Scores, d.ScoreTrends = d.Scores[:len(d.Scores)/2], nil
	}
}

func resultOf(r *api.RetrainResponse) *ml.RetrainResult {
	return &ml.RetrainResult{
		Verdict:           ml.Verdict(r.Verdict),
		Version:           r.ModelVersion,
		Candidate:         r.CandidateVersion,
		CandidateAccuracy: r.CandidateAccuracy,
		ChampionAccuracy:  r.ChampionAccuracy,
		MajorityAccuracy:  r.MajorityAccuracy,
		TrainingSamples:   r.TrainingSamples,
		HoldoutSamples:    r.HoldoutSamples,
		Details:           r.Details,
		Reasons:           remarksOf(r.Reasons),
		DurationSeconds:   r.DurationSeconds,
		DatasetIDs:        r.DatasetIDs,
	}
}
