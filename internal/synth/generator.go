package synth

import (
	"cmp"
	"math"
	"math/rand/v2"
)

// The documented rule: target = 1 where weight1*f1 + weight2*f2 > 0.
const (
	weight1 = 0.5
	weight2 = 0.3
)

// pcgStream is the second word of PCG's state, so that seeds 1, 2, 3, ... are far apart from what
// other users of the same seed draw. Any constant serves; this is the golden ratio's fraction.
const pcgStream = 0x9E3779B97F4A7C15

// Generator draws the rows of a Spec one after the other. It is one stream: how many rows a call
// asks for does not change them. It is not for use by several goroutines at once.
type Generator struct {
	rng *rand.Rand
	// mean1 is the mean of f1.
	mean1 float64
	// w1, w2 are the weights of the rule.
	w1, w2 float64
	// prior is P(target = 1) under label drift, 0 otherwise.
	prior float64
}

// New returns the generator of s, or the error of [Spec.Validate].
func New(s Spec) (*Generator, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	g := &Generator{rng: rand.New(rand.NewPCG(s.Seed, pcgStream)), w1: weight1, w2: weight2}
	switch s.Drift {
	case FollowHour:
		if s.Hour%2 == 1 {
			g.mean1 = -HourShift
		}
	case Covariate:
		g.mean1 = -cmp.Or(s.Magnitude, DefaultCovariate)
	case Concept:
		sin, cos := math.Sincos(cmp.Or(s.Magnitude, DefaultConcept))
		g.w1, g.w2 = weight1*cos-weight2*sin, weight1*sin+weight2*cos
	case Label:
		g.prior = 0.5 + cmp.Or(s.Magnitude, DefaultLabel)
	}
	return g, nil
}

// Next fills the three slices, which must be of one length, with the next rows of the stream.
func (g *Generator) Next(f1, f2 []float64, y []uint8) {
	f2, y = f2[:len(f1)], y[:len(f1)]
	if g.prior > 0 {
		g.nextWithPrior(f1, f2, y)
		return
	}
	for i := range f1 {
		a, b := g.rng.NormFloat64()+g.mean1, g.rng.NormFloat64()
		f1[i], f2[i], y[i] = a, b, g.label(a, b)
	}
}

// nextWithPrior draws the class first and then the features given the class. Both classes have the
// same distribution but for its sign (N(0, I) is symmetric about 0 and the rule is odd), so a draw
// of the other class, reflected through 0, is an exact draw of the wanted one.
func (g *Generator) nextWithPrior(f1, f2 []float64, y []uint8) {
	for i := range f1 {
		var class uint8
		if g.rng.Float64() < g.prior {
			class = 1
		}
		a, b := g.rng.NormFloat64(), g.rng.NormFloat64()
		if g.label(a, b) != class {
			a, b = -a, -b
		}
		f1[i], f2[i], y[i] = a, b, class
	}
}

// label applies the rule. The conversions forbid a fused multiply-add, which some processors would
// use and others not: a row on the boundary must have the same label everywhere.
func (g *Generator) label(a, b float64) uint8 {
	if float64(g.w1*a)+float64(g.w2*b) > 0 {
		return 1
	}
	return 0
}
