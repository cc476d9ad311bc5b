package retrain

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"iacontinu/internal/ml"
)

// The states of the topic retrain.
const (
	stateOK       = "ok"
	stateRejected = "rejected"
	stateFailed   = "failed"
)

// events are what people are told of a verdict. That a version serves and that retraining works are
// two topics: the second is news only after it did not.
func (j *job) events(r ml.RetrainResult, at time.Time) []ml.Event {
	if r.Verdict == ml.VerdictRejected {
		return []ml.Event{{
			Topic: ml.EventRetrain, State: stateRejected, Severity: ml.SeverityWarning, At: at,
			Title: "A retrained model was rejected", Text: sentence(r.Details), Fields: j.fields(r),
		}}
	}
	return []ml.Event{{
		Topic: ml.EventModel, State: r.Version, Severity: ml.SeveritySuccess, At: at,
		Title: "A new model version serves", Text: sentence(r.Details), Fields: j.fields(r),
	}, {
		Topic: ml.EventRetrain, State: stateOK, Severity: ml.SeveritySuccess, At: at,
		Title: "Retraining works again", Text: sentence(r.Details), Fields: j.fields(r),
	}}
}

func (j *job) fields(r ml.RetrainResult) []ml.EventField {
	fields := []ml.EventField{
		{Name: "Serving", Value: r.Version},
		{Name: "Candidate", Value: r.Candidate},
		{Name: "Verdict", Value: string(r.Verdict)},
		{Name: "Accuracy", Value: figure(r.CandidateAccuracy)},
	}
	if r.ChampionAccuracy != nil {
		fields = append(fields, ml.EventField{Name: "Champion's accuracy", Value: figure(*r.ChampionAccuracy)})
	}
	return append(fields,
		ml.EventField{Name: "More frequent class", Value: figure(r.MajorityAccuracy)},
		ml.EventField{Name: "Training rows", Value: strconv.Itoa(r.TrainingSamples)},
		ml.EventField{Name: "Holdout rows", Value: strconv.Itoa(r.HoldoutSamples)},
		ml.EventField{Name: "Reason", Value: j.args.Reason},
	)
}

// publicCause is a cause in words for everybody, which only a coded error is in.
func publicCause(cause error) string {
	if coded := (*ml.Error)(nil); errors.As(cause, &coded) {
		return coded.Error()
	}
	return "an internal error; the worker's log has it"
}

// failedEvent says that a retraining ended without a verdict.
func failedEvent(jobID int64, args ml.RetrainArgs, cause error, at time.Time) ml.Event {
	return ml.Event{
		Topic: ml.EventRetrain, State: stateFailed, Severity: ml.SeverityFailure, At: at,
		Title: "A retraining failed", Text: sentence(publicCause(cause)),
		Fields: []ml.EventField{{Name: "Job", Value: strconv.FormatInt(jobID, 10)}, {Name: "Reason", Value: args.Reason}},
	}
}

func figure(x float64) string { return fmt.Sprintf("%.4f", x) }

// sentence makes the first letter of a reason a capital and ends it with a full stop.
func sentence(s string) string {
	if s == "" {
		return ""
	}
	if c := s[0]; c >= 'a' && c <= 'z' {
		s = string(c-'a'+'A') + s[1:]
	}
	return s + "."
}
