package retrain

import (
	"errors"
	"time"

	"iacontinu/internal/ml"
)

// events are what people are told of a verdict. That a version serves and that retraining works are
// two topics: the second is news only after it did not.
func (j *job) events(r ml.RetrainResult, at time.Time) []ml.Event {
	event := func(topic ml.EventTopic, state string, severity ml.Severity, title string) ml.Event {
		says := append([]ml.Remark{{Code: title}}, r.Reasons...)
		return ml.Event{Topic: topic, State: state, Severity: severity, At: at, Says: says, Figures: j.figures(r)}
	}
	if r.Verdict == ml.VerdictRejected {
		return []ml.Event{event(ml.EventRetrain, ml.StateRejected, ml.SeverityWarning, "notice.rejected")}
	}
	return []ml.Event{
		event(ml.EventModel, r.Version, ml.SeveritySuccess, "notice.activated"),
		event(ml.EventRetrain, ml.StateOK, ml.SeveritySuccess, "notice.works_again"),
	}
}

func (j *job) figures(r ml.RetrainResult) []ml.Remark {
	figures := []ml.Remark{
		figure("figure.serving", r.Version),
		figure("figure.candidate", r.Candidate),
		figure("figure.verdict", string(r.Verdict)),
		figure("figure.accuracy", r.CandidateAccuracy),
	}
	if r.ChampionAccuracy != nil {
		figures = append(figures, figure("figure.champion_accuracy", *r.ChampionAccuracy))
	}
	return append(figures,
		figure("figure.majority", r.MajorityAccuracy),
		figure("figure.training_rows", r.TrainingSamples),
		figure("figure.holdout_rows", r.HoldoutSamples),
		figure("figure.reason", j.args.Reason),
	)
}

func figure(code string, value any) ml.Remark {
	return ml.Remark{Code: code, Values: map[string]any{"value": value}}
}

// publicCause is a cause for everybody, which only a coded error is.
func publicCause(cause error) []ml.Remark {
	coded := (*ml.Error)(nil)
	switch {
	case !errors.As(cause, &coded):
		return []ml.Remark{{Code: "error.internal"}}
	case coded.Remarks != nil:
		return coded.Remarks
	}
	return []ml.Remark{{Code: "error.told", Values: map[string]any{"error": coded.Error()}}}
}

// failedEvent says that a retraining ended without a verdict.
func failedEvent(jobID int64, args ml.RetrainArgs, cause error, at time.Time) ml.Event {
	return ml.Event{
		Topic: ml.EventRetrain, State: ml.StateFailed, Severity: ml.SeverityFailure, At: at,
		Says:    append([]ml.Remark{{Code: "notice.failed"}}, publicCause(cause)...),
		Figures: []ml.Remark{figure("figure.job", jobID), figure("figure.reason", args.Reason)},
	}
}
