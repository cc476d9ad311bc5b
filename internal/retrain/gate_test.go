package retrain

import (
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"iacontinu/internal/ml"
)

func TestVerdicts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		d    duel
		want ml.Verdict
		says string
	}{
		"no better than the majority":     {duel{rows: 100, majority: 70, candidate: 70}, ml.VerdictRejected, "0.7000"},
		"one row better":                  {duel{rows: 100, majority: 70, candidate: 71}, ml.VerdictActivated, "0.7100"},
		"better, but not than majority":   {duel{rows: 100, majority: 70, candidate: 69, compared: true, champion: 50, onlyCandidate: 19}, ml.VerdictRejected, "more frequent"},
		"equal":                           {duel{rows: 100, majority: 50, candidate: 90, compared: true, champion: 90}, ml.VerdictActivated, "no worse"},
		"equal, on other rows":            {duel{rows: 100, majority: 50, candidate: 90, compared: true, champion: 90, onlyChampion: 5, onlyCandidate: 5}, ml.VerdictActivated, "no worse"},
		"two rows worse":                  {duel{rows: 100, majority: 50, candidate: 90, compared: true, champion: 92, onlyChampion: 2}, ml.VerdictActivated, "within their noise"},
		"three rows worse":                {duel{rows: 100, majority: 50, candidate: 90, compared: true, champion: 93, onlyChampion: 3}, ml.VerdictRejected, "worse than"},
		"three worse, many that differ":   {duel{rows: 100, majority: 50, candidate: 80, compared: true, champion: 83, onlyChampion: 10, onlyCandidate: 7}, ml.VerdictActivated, "within their noise"},
		"seven worse, many that differ":   {duel{rows: 100, majority: 50, candidate: 80, compared: true, champion: 87, onlyChampion: 12, onlyCandidate: 5}, ml.VerdictRejected, "0.0678"},
		"better than a champion":          {duel{rows: 100, majority: 50, candidate: 95, compared: true, champion: 60, onlyCandidate: 35}, ml.VerdictActivated, "0.6000"},
		"nothing answered by either side": {duel{rows: 4, majority: 2, candidate: 2}, ml.VerdictRejected, "no better"},
	} {
		got, why := c.d.verdict("v1")
		reason := english().joined([]ml.Remark{why})
		if got != c.want || !strings.Contains(reason, c.says) {
			t.Errorf("%s: %s because %q, want %s saying %q", name, got, reason, c.want, c.says)
		}
	}
}

// A probability of one half is class 0, as the model that serves answers.
func TestTieIsClassZero(t *testing.T) {
	t.Parallel()
	if right(0.5, 1) || !right(0.5, 0) {
		t.Error("0.5 counts as class 1")
	}
}

// drawDuel draws answers of both sides to some rows.
func drawDuel(t *rapid.T) (target []uint8, p, q []float64) {
	n := rapid.IntRange(1, 200).Draw(t, "rows")
	probability := rapid.SampledFrom([]float64{0, 0.2, 0.5, 0.500001, 0.9, 1})
	for range n {
		target = append(target, rapid.Uint8Range(0, 1).Draw(t, "label"))
		p = append(p, probability.Draw(t, "candidate"))
		q = append(q, probability.Draw(t, "champion"))
	}
	return target, p, q
}

func TestDuelCountsEachRowOnce(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		target, p, q := drawDuel(t)
		d, mirror := newDuel(target, p, q), newDuel(target, q, p)
		if d.candidate != mirror.champion || d.onlyCandidate != mirror.onlyChampion || d.onlyChampion != mirror.onlyCandidate {
			t.Fatalf("%+v is not the mirror of %+v", d, mirror)
		}
		if d.champion-d.onlyChampion != d.candidate-d.onlyCandidate {
			t.Fatalf("%+v: rows that both have right differ", d)
		}
		if alone := newDuel(target, p, nil); alone.candidate != d.candidate || alone.majority != d.majority || alone.compared {
			t.Fatalf("%+v without a champion, %+v with one", alone, d)
		}
		if 2*d.majority < d.rows || d.majority > d.rows {
			t.Fatalf("majority %d of %d", d.majority, d.rows)
		}
	})
}

func TestGateProperties(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		target, p, q := drawDuel(t)
		d := newDuel(target, p, q)
		verdict, _ := d.verdict("v1")
		if verdict == ml.VerdictActivated && d.candidate <= d.majority {
			t.Fatalf("%+v was let in and is no better than the majority", d)
		}
		if d.candidate >= d.champion && d.worse() {
			t.Fatalf("%+v: not behind, and called worse", d)
		}
		if same := newDuel(target, p, p); same.worse() {
			t.Fatalf("%+v is worse than itself", same)
		}
		if difference := d.share(d.champion) - d.share(d.candidate); math.Abs(difference-d.margin()) > 1e-9 && d.worse() != (difference > d.margin()) {
			t.Fatalf("%+v: worse %t, but the difference is %v and the margin %v", d, d.worse(), difference, d.margin())
		}
		// Rows on which both agree say nothing about who is better.
		more := d
		agreed := rapid.IntRange(0, 10_000).Draw(t, "agreed")
		more.rows, more.candidate, more.champion = d.rows+agreed, d.candidate+agreed, d.champion+agreed
		if more.worse() != d.worse() {
			t.Fatalf("%d rows on which both agree changed the comparison of %+v", agreed, d)
		}
		// A row more that only the champion has right never helps the candidate.
		behind := d
		behind.rows, behind.champion, behind.onlyChampion = d.rows+1, d.champion+1, d.onlyChampion+1
		if d.worse() && !behind.worse() {
			t.Fatalf("%+v is worse and %+v is not", d, behind)
		}
	})
}

// Of candidates that are as good as the champion in truth, about one in twenty is rejected.
func TestEqualModelsAreSeldomRejected(t *testing.T) {
	t.Parallel()
	const trials = 4000
	rejected := 0
	for i := range trials {
		differ := sample(200, uint64(i), func(f1, _ float64) uint8 { return label(f1 > 0) })
		counts := classCounts(differ)
		d := duel{rows: 1000, onlyCandidate: counts[0], onlyChampion: counts[1]}
		if d.worse() {
			rejected++
		}
	}
	if rate := float64(rejected) / trials; rate < 0.03 || rate > 0.07 {
		t.Errorf("%.3f of equal candidates rejected, want about 0.05", rate)
	}
}
