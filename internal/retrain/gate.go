package retrain

import (
	"context"
	"fmt"
	"math"

	"iacontinu/internal/ml"
)

// noise is the quantile of the standard normal distribution beyond which a difference is held to be
// more than noise: one-sided, 5% of equal models are rejected by mistake.
const noise = 1.6448536269514722

// duel counts who answered which rows of a holdout right.
type duel struct {
	rows      int
	majority  int // rows of the more frequent class
	candidate int // rows that the candidate answers right
	compared  bool
	champion  int // rows that the champion answers right
	// onlyCandidate and onlyChampion are the rows that one of them answers right and the other not.
	onlyCandidate, onlyChampion int
}

// newDuel counts from the probabilities of class 1 that the candidate p and the champion q give; q
// is nil if there is no champion to compare with.
func newDuel(target []uint8, p, q []float64) duel {
	d := duel{rows: len(target), compared: q != nil}
	var ones int
	for i, y := range target {
		ones += int(y)
		candidate := right(p[i], y)
		if candidate {
			d.candidate++
		}
		if q == nil {
			continue
		}
		switch champion := right(q[i], y); {
		case champion && candidate:
			d.champion++
		case champion:
			d.champion++
			d.onlyChampion++
		case candidate:
			d.onlyCandidate++
		}
	}
	d.majority = max(ones, d.rows-ones)
	return d
}

func right(p float64, y uint8) bool { return (p > 0.5) == (y == 1) }

func (d duel) share(rows int) float64 { return float64(rows) / float64(d.rows) }

// margin is how much less accurate than the champion a candidate may be before that is more than
// noise. With b rows that only the champion has right and c that only the candidate has right, of n,
// the accuracies differ by (b-c)/n, and if both were equally good in truth the standard error of that
// difference would be √(b+c)/n, for each of those b+c rows is a fair coin: the rows on which both
// agree say nothing. So the margin is z·√(b+c)/n, and b-c > z·√(b+c) is McNemar's test.
//
// McNemar, "Note on the sampling error of the difference between correlated proportions or
// percentages", Psychometrika 12 (1947); without the continuity correction, as Fagerland, Lydersen
// and Laake advise, "The McNemar test for binary matched-pairs data", BMC Med. Res. Methodol. 13 (2013).
func (d duel) margin() float64 {
	return noise * math.Sqrt(float64(d.onlyChampion+d.onlyCandidate)) / float64(d.rows)
}

// worse reports whether the candidate is less accurate than the champion by more than the margin. It
// compares counts, so that no rounding decides.
func (d duel) worse() bool {
	behind := float64(d.onlyChampion - d.onlyCandidate)
	return behind > 0 && behind*behind > noise*noise*float64(d.onlyChampion+d.onlyCandidate)
}

// verdict lets a candidate in that is more accurate than always answering the more frequent class and
// not worse than the champion. The reason gives the figures in one sentence.
func (d duel) verdict(champion string) (v ml.Verdict, reason string) {
	accuracy, majority := d.share(d.candidate), d.share(d.majority)
	switch {
	case d.candidate <= d.majority:
		return ml.VerdictRejected, fmt.Sprintf(
			"accuracy %.4f on %d holdout rows is no better than the %.4f of always answering the more frequent class",
			accuracy, d.rows, majority)
	case !d.compared:
		return ml.VerdictActivated, fmt.Sprintf(
			"accuracy %.4f on %d holdout rows is better than the %.4f of always answering the more frequent class",
			accuracy, d.rows, majority)
	case d.worse():
		return ml.VerdictRejected, fmt.Sprintf(
			"accuracy %.4f is worse than the %.4f of the champion %s on the same %d holdout rows by more than their noise, %.4f",
			accuracy, d.share(d.champion), champion, d.rows, d.margin())
	case d.candidate < d.champion:
		return ml.VerdictActivated, fmt.Sprintf(
			"accuracy %.4f against the %.4f of the champion %s on the same %d holdout rows is within their noise, %.4f",
			accuracy, d.share(d.champion), champion, d.rows, d.margin())
	}
	return ml.VerdictActivated, fmt.Sprintf(
		"accuracy %.4f is no worse than the %.4f of the champion %s on the same %d holdout rows",
		accuracy, d.share(d.champion), champion, d.rows)
}

// judge sets the verdict and its reason, with what else one should know.
func (j *job) judge(context.Context) error {
	j.verdict, j.reason = j.duel.verdict(j.champion.name)
	if j.champion.note != "" {
		j.reason += "; " + j.champion.note
	}
	if seen := j.seenByChampion(); seen > 0 {
		j.reason += fmt.Sprintf("; up to %d of these rows may have trained the champion, which favours it", seen)
	}
	return nil
}
