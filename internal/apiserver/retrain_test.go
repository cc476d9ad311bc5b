package apiserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func better() ml.RetrainResult {
	champion := 0.88
	return ml.RetrainResult{
		Verdict: ml.VerdictActivated, Version: "v3", Candidate: "v3", CandidateAccuracy: 0.92, ChampionAccuracy: &champion, MajorityAccuracy: 0.5,
		TrainingSamples: 800, HoldoutSamples: 200, Details: "better than the champion", DurationSeconds: 0.5, DatasetIDs: []int64{7},
	}
}

func rejected() ml.RetrainResult {
	r := better()
	r.Verdict, r.Version, r.CandidateAccuracy, r.Details = ml.VerdictRejected, "v2", 0.7, "worse than the champion"
	return r
}

func TestRetrainAnswersWhenTheVersionServes(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w *world, _ *Options) { w.entered, w.release = make(chan struct{}), make(chan struct{}) })
	b.finish(better())
	answer := make(chan reply, 1)
	go func() { answer <- b.send(t, "POST", "/retrain", "user", "") }()
	soon(t, b.entered) // the server waits for its swap
	select {
	case r := <-answer:
		t.Fatalf("answered before the version served: %s", r.body)
	default:
	}
	close(b.release)
	got := into[api.RetrainResponse](t, soon(t, answer))
	champion := 0.88
	want := api.RetrainResponse{
		Status: "success", ModelVersion: "v3", TrainingSamples: 800, Accuracy: 0.92, Timestamp: testNow, JobID: 5,
		RetrainResult: api.RetrainResult{
			Verdict: "activated", CandidateVersion: "v3", CandidateAccuracy: 0.92, ChampionAccuracy: &champion, MajorityAccuracy: 0.5,
			HoldoutSamples: 200, DurationSeconds: 0.5, DatasetIDs: []int64{7}, Details: "better than the champion",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]ml.RetrainArgs{{NewestDataset: 7, Reason: "manual", RequestedBy: "testuser"}}, b.enqueued); diff != "" {
		t.Errorf("job (-want +got):\n%s", diff)
	}
	if e := b.audits[0]; e.EventType != "retrain" || e.UserID != 2 {
		t.Errorf("audit entry %+v", e)
	}
}

// TestRetrainRejectedWithoutComparison: a champion of other features has no accuracy on the candidate's
// rows, and is not said to have 0.
func TestRetrainRejectedWithoutComparison(t *testing.T) {
	t.Parallel()
	b := setup(t)
	result := rejected()
	result.ChampionAccuracy = nil
	b.finish(result)
	got, err := b.client(t, "user").Retrain(t.Context(), api.RetrainRequest{}, true)
	if err != nil || got.Done == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	current, _ := b.Current()
	if d := got.Done; d.ModelVersion != current.Name || d.Accuracy != current.Accuracy || d.Accuracy == 0 || d.ChampionAccuracy != nil {
		t.Errorf("answer %+v, want the accuracy of %+v", d, current)
	}
}

func TestRetrainRejected(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.finish(rejected())
	got, err := b.client(t, "user").Retrain(t.Context(), api.RetrainRequest{}, true)
	if err != nil || got.Done == nil {
		t.Fatalf("%+v, %v", got, err)
	}
	if d := got.Done; d.Status != "rejected" || d.ModelVersion != "v2" || d.Accuracy != 0.88 || d.CandidateAccuracy != 0.7 || d.CandidateVersion != "v3" {
		t.Errorf("answer %+v", d)
	}
	if len(b.waited) != 0 {
		t.Error("waited for a swap that does not come")
	}
}

func TestRetrainOptions(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.finish(better())
	for who, req := range map[string]api.RetrainRequest{
		"user":    {DatasetID: 7, C: 0.5, Balanced: true, Seed: 3, TriggerReason: "manual"},
		"service": {Generate: true, TriggerReason: "drift", Trigger: json.RawMessage(`{"report":{"slot":9},"flow_run":"r"}`)},
		"admin":   {Generate: true, TriggerReason: "forced", Trigger: json.RawMessage(`null`)},
	} {
		b.enqueued = nil
		if _, err := b.client(t, who).Retrain(t.Context(), req, true); err != nil {
			t.Errorf("%s: %v", who, err)
		}
		want := ml.RetrainArgs{
			DatasetID: req.DatasetID, NewestDataset: 7, Generate: req.Generate, C: req.C, Balanced: req.Balanced, Seed: req.Seed, Reason: req.TriggerReason,
			RequestedBy: map[string]string{"user": "testuser", "service": "service:flow", "admin": "admin"}[who],
		}
		if who == "service" {
			want.Trigger = &ml.Trigger{Report: ml.DriftReport{Slot: 9}, FlowRun: "r"}
		}
		if diff := cmp.Diff([]ml.RetrainArgs{want}, b.enqueued); diff != "" {
			t.Errorf("%s: job (-want +got):\n%s", who, diff)
		}
	}
	b.enqueued = nil
	for _, body := range []string{`{"generate":true}`, `{"trigger_reason":"drift"}`, `{"trigger":{}}`} {
		problem(t, b.send(t, "POST", "/retrain", "user", body), 403)
	}
	if b.enqueued != nil {
		t.Error("a job was made all the same")
	}
	if r := b.send(t, "POST", "/retrain", "user", `{"trigger":null}`); r.StatusCode != 200 {
		t.Errorf("null for no trigger: %d %s", r.StatusCode, r.body)
	}
	b.enqueued = nil
	b.datasetRows = nil
	if _, err := b.client(t, "user").Retrain(t.Context(), api.RetrainRequest{}, true); err != nil || b.enqueued[0].NewestDataset != 0 {
		t.Errorf("without datasets: %v, %+v", err, b.enqueued)
	}
}

func TestRetrainRefusesATriggerThatIsNone(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for body, field := range map[string]string{
		`{"trigger":"x"}`:                                                       "body.trigger must not be a string",
		`{"trigger":{"report":{"slot":"x"}}}`:                                   "body.trigger.report.slot must not be a string",
		`{"trigger":{"report":{"created_at":"today"}}}`:                         "body.trigger is not the report of a check",
		`{"trigger":{"note":"` + strings.Repeat("x", api.MaxTrigger-10) + `"}}`: "body.trigger has 65537 bytes, at most 65536 are possible",
	} {
		p := problem(t, b.send(t, "POST", "/retrain", "service", body), 422)
		if len(p.Errors) != 1 || p.Errors[0].Location+" "+p.Errors[0].Message != field {
			t.Errorf("%.80s: %+v, want %s", body, p.Errors, field)
		}
	}
	if b.enqueued != nil {
		t.Error("a job was made all the same")
	}
}

func TestRetrainAsync(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.progressOf[5] = ml.JobProgress{Step: "train", Fraction: 0.4}
	for _, prefer := range []string{"respond-async", "Respond-Async; x=y, handling=lenient"} {
		r := b.send(t, "POST", "/retrain", "user", "", "Prefer: "+prefer)
		job := into[api.Job](t, r)
		if r.StatusCode != 202 || r.Header.Get("Location") != "/jobs/5" || r.Header.Get("Preference-Applied") != "respond-async" || r.Header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", prefer, r.StatusCode, r.Header)
		}
		if job.ID != 5 || job.State != "running" || job.Step != "train" || job.Progress != 0.4 {
			t.Errorf("job %+v", job)
		}
	}
	b.finish(better())
	job, err := b.client(t, "user").Job(t.Context(), 5)
	if err != nil || job.Progress != 1 || job.Result.Status != "success" || job.Result.ModelVersion != "v3" {
		t.Errorf("job %+v, %v", job, err)
	}
	if reply, err := b.client(t, "user").Retrain(t.Context(), api.RetrainRequest{}, false); err != nil || reply.Job == nil || reply.Done != nil {
		t.Errorf("by the client: %+v, %v", reply, err)
	}
}

func TestRetrainRunsOutOfPatience(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *world, o *Options) { o.RetrainPatience = 5 * time.Millisecond })
	for _, path := range []string{"/retrain", "/retrain/conditional"} {
		r := b.send(t, "POST", path, "user", map[string]string{"/retrain": "", "/retrain/conditional": `{"force_retrain":true}`}[path])
		if r.StatusCode != 202 || r.Header.Get("Location") != "/jobs/5" || r.Header.Get("Preference-Applied") != "" {
			t.Errorf("%s: %d %v %s", path, r.StatusCode, r.Header, r.body)
		}
	}
}

func TestRetrainWaitsAsLongAsAsked(t *testing.T) {
	t.Parallel()
	b := setup(t)
	if r := b.send(t, "POST", "/retrain", "user", "", "Prefer: wait=0"); r.StatusCode != 202 {
		t.Errorf("wait=0: %d", r.StatusCode)
	}
	b.finish(better())
	if r := b.send(t, "POST", "/retrain", "user", "", "Prefer: respond-async, wait=20"); r.StatusCode != 200 {
		t.Errorf("wait=20 of what has ended: %d", r.StatusCode)
	}
}

// A version that does not serve in time is not told of as if it did.
func TestRetrainDoesNotAnswerForASwapThatDoesNotCome(t *testing.T) {
	t.Parallel()
	b := setup(t, func(w *world, o *Options) {
		w.entered, w.release = make(chan struct{}, 1), make(chan struct{})
		o.RetrainPatience = 10 * time.Millisecond
	})
	b.finish(better())
	if r := b.send(t, "POST", "/retrain", "user", ""); r.StatusCode != 202 {
		t.Errorf("status %d, want 202: %s", r.StatusCode, r.body)
	}
}

func TestRetrainFailed(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		job    ml.Job
		status int
	}{
		{ml.Job{State: ml.JobFailed, Error: "all rows are of one class", ErrorCode: ml.CodeUnprocessed}, 422},
		{ml.Job{State: ml.JobFailed, Error: "the disk is full", ErrorCode: ml.CodeStorageFull}, 507},
		{ml.Job{State: ml.JobFailed, Error: "the retraining failed"}, 500},
		{ml.Job{State: ml.JobCancelled}, 409},
	} {
		b := setup(t)
		tt.job.ID, tt.job.Kind = 5, "retrain"
		b.jobs[5] = tt.job
		p := problem(t, b.send(t, "POST", "/retrain", "user", ""), tt.status)
		if !strings.Contains(p.Detail, tt.job.Error) {
			t.Errorf("%+v tells %q", tt.job, p.Detail)
		}
	}
}

func TestRetrainOfAJobThatGoesOnToTheEnd(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answer := make(chan reply, 1)
	go func() { answer <- b.send(t, "POST", "/retrain", "user", "") }()
	b.untilAudited(t)
	select {
	case r := <-answer:
		t.Fatalf("answered at once: %s", r.body)
	default:
	}
	b.finish(better())
	if got := into[api.RetrainResponse](t, soon(t, answer)); got.ModelVersion != "v3" {
		t.Errorf("answer %+v", got)
	}
}

// Whoever joins a job may look it up, though somebody else asked for it first.
func TestRetrainJoined(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.send(t, "POST", "/retrain", "other", "", "Prefer: respond-async")
	if _, err := b.client(t, "user").Job(t.Context(), 5); api.AsProblem(err) == nil || api.AsProblem(err).Status != 404 {
		t.Fatalf("another one's job: %v", err)
	}
	b.joined = true
	b.finish(better())
	got, err := b.client(t, "user").Retrain(t.Context(), api.RetrainRequest{}, true)
	if err != nil || !got.Done.Joined {
		t.Errorf("%+v, %v", got.Done, err)
	}
	if _, err := b.client(t, "user").Job(t.Context(), 5); err != nil {
		t.Errorf("a job that was joined: %v", err)
	}
}

// The client goes away, the job goes on.
func TestRetrainSurvivesItsClient(t *testing.T) {
	t.Parallel()
	b := setup(t)
	ctx, cancel := context.WithCancel(t.Context())
	gone := make(chan error, 1)
	go func() {
		_, err := b.client(t, "user").Retrain(ctx, api.RetrainRequest{}, true)
		gone <- err
	}()
	b.untilAudited(t)
	cancel()
	if err := soon(t, gone); !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	if job, err := b.client(t, "user").Job(t.Context(), 5); err != nil || job.State != "running" {
		t.Errorf("job %+v, %v", job, err)
	}
}

func TestParsePrefer(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]preference{
		"":                             {wait: -1},
		"respond-async":                {async: true, wait: -1},
		"RESPOND-ASYNC":                {async: true, wait: -1},
		"handling=strict":              {wait: -1},
		"wait=10":                      {wait: 10 * time.Second},
		`wait="10"`:                    {wait: 10 * time.Second},
		"respond-async, wait=10":       {wait: 10 * time.Second},
		"wait=-1":                      {wait: -1},
		"wait=soon, respond-async;q=1": {async: true, wait: -1},
		"wait=99999999999999999999":    {wait: -1},
	} {
		if got := parsePrefer(header); got != want {
			t.Errorf("parsePrefer(%q) = %+v, want %+v", header, got, want)
		}
	}
}

// Who does not want to wait is told of the job at once, though it has not ended.
func TestRetrainConditionalRespondsAsync(t *testing.T) {
	t.Parallel()
	got, err := setup(t).client(t, "user").RetrainConditional(t.Context(), api.ConditionalRequest{ForceRetrain: true}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got.Status != api.StatusAccepted || got.JobID != 5 || !got.RetrainTriggered || got.Retrain != nil {
		t.Errorf("answer %+v", got)
	}
}

func TestRetrainConditional(t *testing.T) {
	t.Parallel()
	low, accuracy, fresh := 0.95, 0.9, 0.92
	for _, tt := range []struct {
		name    string
		req     api.ConditionalRequest
		without bool // no version is active
		result  ml.RetrainResult
		want    api.ConditionalResponse
		reason  string
	}{
		{"good enough", api.ConditionalRequest{}, false, better(), api.ConditionalResponse{
			Status: "success", ActionTaken: "no_action_needed", CurrentAccuracy: &accuracy, Threshold: 0.85, ModelVersion: "v2",
		}, ""},
		{"below", api.ConditionalRequest{AccuracyThreshold: &low}, false, better(), api.ConditionalResponse{
			Status: "success", ActionTaken: "performance_below_threshold", CurrentAccuracy: &accuracy, Threshold: 0.95, ModelVersion: "v3", RetrainTriggered: true, JobID: 5,
		}, "threshold"},
		{"below, and no better one", api.ConditionalRequest{AccuracyThreshold: &low}, false, rejected(), api.ConditionalResponse{
			Status: "rejected", ActionTaken: "performance_below_threshold", CurrentAccuracy: &accuracy, Threshold: 0.95, ModelVersion: "v2", RetrainTriggered: true, JobID: 5,
		}, "threshold"},
		{"forced", api.ConditionalRequest{ForceRetrain: true}, false, better(), api.ConditionalResponse{
			Status: "success", ActionTaken: "forced_retrain", CurrentAccuracy: &accuracy, Threshold: 0.85, ModelVersion: "v3", RetrainTriggered: true, JobID: 5,
		}, "forced"},
		{"below and forced", api.ConditionalRequest{AccuracyThreshold: &low, ForceRetrain: true}, false, better(), api.ConditionalResponse{
			Status: "success", ActionTaken: "performance_below_threshold", CurrentAccuracy: &accuracy, Threshold: 0.95, ModelVersion: "v3", RetrainTriggered: true, JobID: 5,
		}, "threshold"},
		{"no model", api.ConditionalRequest{}, true, better(), api.ConditionalResponse{
			Status: "success", ActionTaken: "forced_retrain_no_model", CurrentAccuracy: &fresh, Threshold: 0.85, ModelVersion: "v3", RetrainTriggered: true, JobID: 5,
		}, "forced"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			b := setup(t)
			b.finish(tt.result)
			if tt.without {
				b.versionRows = nil
			}
			got, err := b.client(t, "user").RetrainConditional(t.Context(), tt.req, true)
			if err != nil {
				t.Fatal(err)
			}
			if got.Details == "" || (got.Retrain == nil) == got.RetrainTriggered {
				t.Errorf("answer %+v", got)
			}
			got.Details, got.Retrain = "", nil
			tt.want.Timestamp = testNow
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("answer (-want +got):\n%s", diff)
			}
			var reasons []string
			for _, args := range b.enqueued {
				reasons = append(reasons, args.Reason)
			}
			if want := strings.Fields(tt.reason); !slices.Equal(reasons, want) {
				t.Errorf("jobs for %v, want %v", reasons, want)
			}
		})
	}
}

// A server that stops lets those who wait for a retraining go with the job's address.
func TestStopLetsWaitingRetrainsGo(t *testing.T) {
	t.Parallel()
	b := setup(t)
	answer := make(chan reply, 1)
	go func() { answer <- b.send(t, "POST", "/retrain", "user", "") }()
	b.untilAudited(t)
	if err := b.stop(); err != nil {
		t.Fatal(err)
	}
	if r := soon(t, answer); r.StatusCode != http.StatusAccepted || r.Header.Get("Location") != "/jobs/5" {
		t.Errorf("answer %d %s", r.StatusCode, r.body)
	}
}
