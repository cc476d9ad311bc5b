package webui

import (
	"context"
	"slices"

	"iacontinu/internal/api"
)

// keepAlike leaves out predictions of versions with other columns or classes than the active one: they would be
// shown under its names. What an older version than those listed had is not known, so it is left out too.
func (d *predictData) keepAlike(ctx context.Context, v *visit, all []api.LoggedPrediction) error {
	alike := map[string]bool{}
	if d.Model.ModelVersion != nil {
		alike[*d.Model.ModelVersion] = true
	}
	if slices.ContainsFunc(all, func(p api.LoggedPrediction) bool { return !alike[p.ModelVersion] }) {
		list, err := v.client.Models(ctx, shownVersions)
		if err != nil {
			return err
		}
		for _, m := range list.Models {
			if slices.Equal(m.Features, d.Model.Features) && slices.Equal(m.Classes, d.Model.Classes) {
				alike[m.Version] = true
			}
		}
	}
	for _, p := range all {
		if alike[p.ModelVersion] {
			d.latest = append(d.latest, p)
		}
	}
	d.LeftOut = len(all) - len(d.latest)
	return nil
}
