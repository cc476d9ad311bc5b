package retrain

import (
	"context"
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
// not worse than the champion. The reason has the figures.
func (d duel) verdict(champion string) (v ml.Verdict, reason ml.Remark) {
	why := func(code string) ml.Remark {
		values := map[string]any{"accuracy": d.share(d.candidate), "rows": d.rows, "majority": d.share(d.majority)}
		if d.compared {
			values["champion"], values["champion_accuracy"], values["noise"] = champion, d.share(d.champion), d.margin()
		}
		return ml.Remark{Code: code, Values: values}
	}
	switch {
	case d.candidate <= d.majority:
		return ml.VerdictRejected, why("gate.no_better")
	case !d.compared:
		return ml.VerdictActivated, why("gate.better")
	case d.worse():
		return ml.VerdictRejected, why("gate.worse")
	case d.candidate < d.champion:
		return ml.VerdictActivated, why("gate.within_noise")
	}
	return ml.VerdictActivated, why("gate.no_worse")
}

// judge sets the verdict and its reasons, with what else one should know.
func (j *job) judge(context.Context) error {
	verdict, reason := j.duel.verdict(j.champion.name)
	j.verdict, j.reasons = verdict, []ml.Remark{reason}
	if j.champion.note.Code != "" {
		j.reasons = append(j.reasons, j.champion.note)
	}
	if seen := j.seenByChampion(); seen > 0 {
		j.reasons = append(j.reasons, ml.Remark{Code: "gate.seen", Values: map[string]any{"rows": seen}})
	}
	return nil
}
