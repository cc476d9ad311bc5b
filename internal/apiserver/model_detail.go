package apiserver

import (
	"context"
	"encoding/json"
	"sync"

	"iacontinu/internal/api"
	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
	"iacontinu/internal/summary"
)

func (s *Server) model(ctx context.Context, in *byVersion) (*with[api.ModelDetail], error) {
	v, err := s.opt.Versions.Version(ctx, in.Version)
	if err != nil {
		return nil, err
	}
	out := api.ModelDetail{Version: versionOf(v), Quality: qualityOf(v.Metrics), Details: []api.ModelFeature{}}
	out.Metrics = nil // Quality has them
	s.describeArtifact(ctx, &out, v)
	record, champion, err := s.opt.Records.Training(ctx, v.Name)
	switch {
	case ml.CodeOf(err) == ml.CodeNotFound:
	case err != nil:
		return nil, err
	default:
		training := trainingOf(record)
		out.Training, out.Champion = &training, champion
		if record.MLflowRunID != "" && s.opt.MLflowURL != "" {
			out.MLflowURL = s.opt.MLflowURL + "/#/runs/" + record.MLflowRunID
		}
	}
	return &with[api.ModelDetail]{out}, nil
}

// qualityOf reads the metrics as the retraining wrote them, nil for a version without.
func qualityOf(metrics json.RawMessage) *api.Quality {
	var q api.Quality
	if len(metrics) == 0 || json.Unmarshal(metrics, &q) != nil || q.N == 0 {
		return nil
	}
	zeros := q.Confusion[0][0] + q.Confusion[0][1]
	q.MajorityAccuracy = float64(max(zeros, q.N-zeros)) / float64(q.N)
	q.Calibration = list(q.Calibration)
	return &q
}

// describeArtifact adds what lies in the version's folder. Without it the rest is still worth telling.
func (s *Server) describeArtifact(ctx context.Context, out *api.ModelDetail, v ml.Version) {
	a, err := s.opt.Artifacts.Artifact(ctx, v)
	if err != nil {
		s.log.WarnContext(ctx, "version described without its artifact", "version", v.Name, "error", err)
		out.Problem = "the version's artifact is missing or damaged: it can't serve"
		return
	}
	out.Intercept = &a.Model.Intercept
	out.Fit = &api.Fit{
		C: a.Options.C, Balanced: a.Options.Balanced, Seed: a.Seed, Solver: a.Fit.Solver, Iterations: a.Fit.Iterations,
		Converged: a.Fit.Converged, Note: a.Fit.Note, HoldoutSamples: a.HoldoutSamples,
	}
	seen := s.seen.of(ctx, v.Name)
	for j, name := range a.Features {
		f := api.ModelFeature{Name: name, Coefficient: a.Model.Coef[j]}
		if j < len(seen) {
			f.Min, f.Max, f.Mean, f.Scale = &seen[j].Min, &seen[j].Max, &seen[j].Mean, &seen[j].SD
		}
		out.Details = append(out.Details, f)
	}
}

// seenWindows remembers what the reference windows of versions have, by feature: a version's never changes.
type seenWindows struct {
	read func(ctx context.Context, version string) ([][]float64, error)
	tell func(ctx context.Context, version string, err error)

	mu       sync.Mutex // held while a window is read: who comes meanwhile wants the same one
	versions map[string][]summary.Numbers
}

// keptWindows bounds how many versions are remembered.
const keptWindows = 16

// of is what the window of a version has, empty if there is none or it can't be read.
func (w *seenWindows) of(ctx context.Context, version string) []summary.Numbers {
	w.mu.Lock()
	defer w.mu.Unlock()
	if seen, ok := w.versions[version]; ok {
		return seen
	}
	columns, err := w.read(ctx, version)
	if err != nil && ml.CodeOf(err) != ml.CodeNotFound {
		w.tell(ctx, version, err)
		return nil // it may be readable the next time
	}
	seen := make([]summary.Numbers, len(columns))
	for j, values := range columns {
		seen[j] = summary.Of(values)
	}
	if len(w.versions) >= keptWindows {
		clear(w.versions)
	}
	w.versions[version] = seen
	return seen
}

func (s *Server) newSeen() *seenWindows {
	return &seenWindows{
		read: s.opt.Artifacts.Reference, versions: map[string][]summary.Numbers{},
		tell: func(ctx context.Context, version string, err error) {
			s.log.WarnContext(ctx, "the reference window can't be read", "version", version, "error", err)
		},
	}
}

// artifacts reads what lies in the folders of versions.
type artifacts interface {
	// Artifact fails if the folder is missing, damaged, or not the one that the store means.
	Artifact(ctx context.Context, v ml.Version) (*logreg.Artifact, error)
	// Reference reads the window that is pinned to a version, with ml.CodeNotFound if none is.
	Reference(ctx context.Context, version string) ([][]float64, error)
}
