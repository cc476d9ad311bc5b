package monitor

import (
	"context"
	"errors"
	"fmt"

	"iacontinu/internal/drift"
	"iacontinu/internal/ml"
)

// pinnedWindow is the reference window of a version, sorted and binned. A version's artifact never
// changes, so the window is read once.
type pinnedWindow struct {
	version  string
	features []*drift.Reference
}

// measure scores the latest predictions of the active version since its activation, feature by
// feature. Whatever is in the way of that becomes a note: a check without scores is a check too.
func (c *check) measure(ctx context.Context) {
	if c.version.Name == "" {
		return
	}
	columns, rows, err := c.opt.History.Recent(ctx, c.version.Name, c.version.SincePrediction,
		c.opt.Window, len(c.version.Schema.Features))
	if err != nil {
		c.unmeasured(err)
		return
	}
	c.report.Details.Rows = rows
	if rows < c.opt.MinRows {
		c.note("check.few_rows", map[string]any{"rows": rows, "want": c.opt.MinRows})
		return
	}
	pinned, err := c.window(ctx)
	if ml.CodeOf(err) == ml.CodeNotFound {
		c.note("check.no_window", map[string]any{"version": c.version.Name})
		return
	}
	if err == nil {
		c.report.Details.Scores, err = score(c.version.Schema.Features, pinned, columns)
	}
	if err != nil {
		c.unmeasured(err)
	}
}

// unmeasured notes that there are no scores. Why is for the log: the note is read by users.
func (c *check) unmeasured(err error) {
	c.note("check.unscored", nil)
	c.failed("score predictions", err)
}

// window returns the pinned window of the active version.
func (c *check) window(ctx context.Context) ([]*drift.Reference, error) {
	if c.pinned.version == c.version.Name {
		return c.pinned.features, nil
	}
	columns, err := c.opt.Reference(ctx, c.version.Name)
	if err != nil {
		return nil, err
	}
	if k := len(c.version.Schema.Features); len(columns) != k {
		return nil, fmt.Errorf("the window of version %s has %d columns, its schema %d features", c.version.Name, len(columns), k)
	}
	pinned := pinnedWindow{version: c.version.Name}
	for j, values := range columns {
		r, err := drift.NewReference(values, drift.Options{})
		if err != nil {
			return nil, fmt.Errorf("reference of feature %s: %w", c.version.Schema.Features[j], err)
		}
		pinned.features = append(pinned.features, r)
	}
	c.pinned = pinned
	return pinned.features, nil
}

// score compares each column with its reference.
func score(features []string, pinned []*drift.Reference, columns [][]float64) ([]ml.FeatureScore, error) {
	if len(columns) != len(features) {
		return nil, errors.New("the predictions have another number of features than the schema")
	}
	scores := make([]ml.FeatureScore, len(features))
	for j, name := range features {
		ks, p, err := pinned[j].KS(columns[j])
		if err != nil {
			return nil, fmt.Errorf("feature %s: %w", name, err)
		}
		psi, err := pinned[j].PSI(columns[j])
		if err != nil {
			return nil, fmt.Errorf("feature %s: %w", name, err)
		}
		scores[j] = ml.FeatureScore{Feature: name, KS: ks, PValue: p, PSI: psi}
	}
	return scores, nil
}
