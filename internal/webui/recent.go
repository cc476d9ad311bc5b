package webui

import (
	"context"
	"slices"

	"iacontinu/internal/api"
)

// listRecent lists predictions from the newest on, or from the one that the address names. Those of versions with other
// columns or classes than the active one are left out: they would be shown under its names.
func (d *predictData) listRecent(ctx context.Context, v *visit, newest api.PredictionHistory) error {
	all := newest.Predictions
	if before := v.before(); before > 0 {
		older, err := v.client.HistoryBefore(ctx, before, boundaryPoints+1)
		if err != nil {
			return err
		}
		all = older.Predictions
	}
	alike, err := d.alike(ctx, v, slices.Concat(newest.Predictions, all))
	if err != nil {
		return err
	}
	for _, p := range newest.Predictions[:min(len(newest.Predictions), boundaryPoints)] {
		if alike[p.ModelVersion] {
			d.latest = append(d.latest, p)
		}
	}
	seen := 0
	for _, p := range all[:min(len(all), boundaryPoints)] {
		if len(d.Recent) == recentPredictions {
			break
		}
		if seen++; alike[p.ModelVersion] {
			d.Recent = append(d.Recent, p)
		}
	}
	d.Listing = listing{Of: "predictions", Part: "predict-recent", Total: newest.Total, None: v.must("predict.no_recent")}
	cut(v, &d.Listing, all, seen, func(p api.LoggedPrediction) int64 { return p.ID })
	d.LeftOut = seen - len(d.Recent)
	return nil
}

// alike are the versions with the columns and classes of the active one. What an older version than those listed had is
// not known, so that it is none of them.
func (d *predictData) alike(ctx context.Context, v *visit, all []api.LoggedPrediction) (map[string]bool, error) {
	alike := map[string]bool{}
	if d.Model.ModelVersion != nil {
		alike[*d.Model.ModelVersion] = true
	}
	if !slices.ContainsFunc(all, func(p api.LoggedPrediction) bool { return !alike[p.ModelVersion] }) {
		return alike, nil
	}
	list, err := v.client.Models(ctx, shownVersions)
	if err != nil {
		return nil, err
	}
	for _, m := range list.Models {
		if slices.Equal(m.Features, d.Model.Features) && slices.Equal(m.Classes, d.Model.Classes) {
			alike[m.Version] = true
		}
	}
	return alike, nil
}
