package service

import (
	"context"
	"io"

	"iacontinu/internal/api"
	"iacontinu/internal/apiserver"
	"iacontinu/internal/datasets"
	"iacontinu/internal/logreg"
	"iacontinu/internal/ml"
	"iacontinu/internal/store"
)

// uploads gives the API its view of the datasets.
type uploads struct{ *datasets.Datasets }

func (u uploads) Generate(ctx context.Context, g apiserver.Generate) (ml.Dataset, error) {
	return u.Datasets.Generate(ctx, datasets.GenerateSpec{
		Samples: g.Samples, Seed: g.Seed, Hour: &g.Hour, Drift: g.Drift, Magnitude: g.Magnitude,
	}, nil)
}

func (u uploads) Import(ctx context.Context, file io.Reader, i apiserver.Import) (ml.Dataset, apiserver.ImportReport, error) {
	set, report, err := u.Datasets.Import(ctx, file, datasets.ImportSpec{
		Name: i.Name, Target: i.Target, Ignore: i.Ignore, SkipBad: i.SkipBad, Decimal: i.Decimal,
	})
	out := apiserver.ImportReport{Rows: report.Rows, BadCount: report.BadCount, CopyOf: report.CopyOf}
	for _, b := range report.Bad {
		out.Bad = append(out.Bad, api.BadRow{Line: b.Line, Column: b.Column, Reason: b.Reason, Remarks: []api.Remark{{Code: b.Code, Values: b.Values}}})
	}
	return set, out, err
}

// records gives the API its view of the prediction log.
type records struct{ *store.Store }

func (r records) Predictions(ctx context.Context, userID, before int64, limit int) ([]ml.LoggedPrediction, int64, error) {
	return r.History(ctx, store.HistoryFilter{UserID: userID, Before: before, Limit: limit})
}

// Training is the store's with the version that was compared with.
func (r records) Training(ctx context.Context, version string) (ml.TrainingRecord, string, error) {
	t, err := r.Store.Training(ctx, version)
	if err != nil {
		return t, "", err
	}
	champion, err := r.Champion(ctx, t)
	return t, champion, err
}

// artifacts gives the API what lies in the folders of versions.
type artifacts struct{ *Platform }

func (a artifacts) Artifact(_ context.Context, v ml.Version) (*logreg.Artifact, error) {
	return a.loadArtifact(v)
}

func (a artifacts) Reference(ctx context.Context, version string) ([][]float64, error) {
	return a.reference(ctx, version)
}

// remarksOf is what a text of the API says, nil if only the text is known.
func remarksOf(remarks []api.Remark) (out []ml.Remark) {
	for _, r := range remarks {
		out = append(out, ml.Remark(r))
	}
	return out
}
