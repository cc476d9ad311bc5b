package retrain

import (
	"slices"

	"iacontinu/internal/logreg"
)

// seenByChampion bounds how many rows of the holdout the champion was trained on.
//
// The same rows and seed give the same sides, so then there are none. Rows of datasets that came after
// the champion's are new to it. Of its own datasets, if they were several, it was trained on the oldest
// rows, and the newest were its holdout; if it was one, any row may have trained it. (A champion of
// several datasets whose newest rows lacked a class was split otherwise, and then there may be more.)
func (j *job) seenByChampion() int {
	a := j.champion.artifact
	if a == nil || (a.DataFingerprint == j.fingerprint && a.Seed == j.seed) {
		return 0
	}
	unseen := unseenRows(a, j.parts)
	seen, end, i := 0, j.data.Len(), len(j.parts)-1
	for _, row := range slices.Backward(j.sides.rows) {
		for row < end-j.parts[i].rows {
			end -= j.parts[i].rows
			i--
		}
		if row < end-unseen[i] {
			seen++
		}
	}
	return seen
}

// unseenRows is for each part how many of its newest rows the champion was not trained on.
func unseenRows(a *logreg.Artifact, parts []part) []int {
	unseen := make([]int, len(parts))
	for i, p := range parts {
		unseen[i] = p.rows
	}
	heldOut := 0
	if len(a.DatasetIDs) > 1 {
		heldOut = a.HoldoutSamples
	}
	for _, id := range slices.Backward(a.DatasetIDs) {
		i := slices.IndexFunc(parts, func(p part) bool { return p.dataset.ID == id })
		if i < 0 { // it may have held the champion's whole holdout
			heldOut = 0
			continue
		}
		unseen[i] = min(heldOut, parts[i].rows)
		heldOut = max(0, heldOut-parts[i].dataset.Samples)
	}
	return unseen
}
