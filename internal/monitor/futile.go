package monitor

import (
	"context"
	"slices"

	"iacontinu/internal/ml"
)

// easedBy is the share of the worst distance by which a retraining on freshly drawn rows must have
// lessened it, for another one to be worth its while.
const easedBy = 0.1

// futile reports whether another retraining would leave the drift as it is: the last one for drift did
// not end it, and nothing new to learn from has come since. It is read from what is stored, so that a
// restart does not begin anew.
func (c *check) futile(ctx context.Context) bool {
	last, ok := c.lastForDrift()
	if !ok || c.newData(ctx, last) {
		return false
	}
	// Rows that are drawn anew for each retraining may still do some good.
	return !c.version.Schema.Equal(ml.GeneratedSchema()) || !c.eased(last)
}

// lastForDrift is the version that the last retraining for drift made, if what it came to still holds:
// it serves, or it was rejected and the one that serves did so then.
func (c *check) lastForDrift() (ml.Version, bool) {
	i := slices.IndexFunc(c.versions, func(v ml.Version) bool {
		return v.Reason == ml.ReasonDrift && v.Schema.Equal(c.version.Schema)
	})
	if i < 0 || c.drawn(c.versions[i].Name) {
		return ml.Version{}, false
	}
	v := c.versions[i]
	return v, v.Name == c.version.Name || v.Status == ml.VersionRejected && c.version.ActivatedAt.Before(v.CreatedAt)
}

// drawn reports whether a version was trained because of a random number, which says nothing about the
// data.
func (c *check) drawn(version string) bool {
	return slices.ContainsFunc(c.past, func(r ml.DriftReport) bool {
		return r.Details.NewVersion == version && r.Method == Random
	})
}

// newData reports whether there is a dataset of the active schema that came after those a version was
// trained on, that is no copy of an older one, which a retraining would leave out, and that no retraining
// drew for itself. If that can't be told, there is.
func (c *check) newData(ctx context.Context, v ml.Version) bool {
	if len(v.DatasetIDs) == 0 {
		return true
	}
	sets, err := c.opt.NewestDatasets(ctx, c.version.Schema.Key(), ml.MaxDatasets) // as many as a retraining considers
	if err != nil {
		c.failed("read the newest datasets", err)
		return true
	}
	newest := slices.Max(v.DatasetIDs) // the retention may have removed it
	return slices.ContainsFunc(ml.WithoutCopies(sets), func(ds ml.Dataset) bool { return ds.JobID == 0 && ds.ID > newest })
}

// eased reports whether the drift is less than at the check that had the version trained, or was gone
// meanwhile.
func (c *check) eased(v ml.Version) bool {
	now, ok := worst(c.report.Details.Scores)
	if !ok {
		return false
	}
	for _, r := range c.past {
		was, ok := worst(r.Details.Scores)
		switch {
		case !ok || r.Method != Statistical:
		case r.CreatedAt.Before(v.CreatedAt): // the check that asked for it
			return now.KS < was.KS*(1-easedBy)
		case !r.Drift:
			return true
		}
	}
	return false
}

// advice says what helps where a retraining does not.
func (c *check) advice() ml.Remark {
	return ml.Remark{Code: "check.advice", Values: map[string]any{"target": c.version.Schema.Target}}
}
