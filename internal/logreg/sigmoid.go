package logreg

import "math"

// The exponential of the inner loop. Only arguments at or below zero occur, so a table of 2^(i/128)
// and a polynomial of degree 5 do (Tang, "Table-driven implementation of the exponential function",
// 1989): exp(v) = 2^e · 2^(i/128) · exp(r) with |r| ≤ ln2/256, where the polynomial is off by less
// than r⁶/720 < 6e-19. The relative error stays below expError, which a test holds against math.Exp.
const (
	expBits  = 7
	expSize  = 1 << expBits
	expError = 4e-16
	// expLimit keeps the result a normal number; what is smaller counts for nothing beside 1.
	expLimit = 700

	expInvLn2 = expSize / math.Ln2
	// expShift brings the integer part of a number below 2^51 into the low bits of its mantissa.
	expShift = 0x1.8p52
	// ln2/128 in two parts; the first has 21 trailing zero bits, so that its products are exact.
	expLn2Hi = 0x1.62e42fefa0000p-8
	expLn2Lo = 0x1.cf79abc9e3b39p-47
)

// expTable holds the bits of 2^(i/128) less i<<45, so that adding e<<52 + i<<45, which is the
// rounded argument shifted once, gives the bits of 2^(e + i/128).
var expTable = makeExpTable()

func makeExpTable() (t [expSize]uint64) {
	for i := range t {
		t[i] = math.Float64bits(math.Exp2(float64(i)/expSize)) - uint64(i)<<(52-expBits)
	}
	return t
}

// expReduce splits -|v| into r and the shifted integer n with -|v| = n·ln2/128 + r. It and
// expScale are apart so that the compiler inlines both into the loops.
func expReduce(v float64) (r float64, n uint64) {
	v = math.Abs(v)
	if v > expLimit { // never in ordinary data, so cheaper than min; NaN passes
		v = expLimit
	}
	shifted := expShift - v*expInvLn2
	whole := shifted - expShift
	return -v - whole*expLn2Hi - whole*expLn2Lo, math.Float64bits(shifted)
}

// expScale is 2^(n/128)·exp(r).
func expScale(r float64, n uint64) float64 {
	scale := math.Float64frombits(expTable[n%expSize] + n<<(52-expBits))
	r2 := r * r
	return scale + scale*(r+r2*(0.5+r*(1.0/6))+r2*r2*(1.0/24+r*(1.0/120)))
}

// expNegAbs is exp(-|v|), at least exp(-700); NaN stays NaN.
func expNegAbs(v float64) float64 { return expScale(expReduce(v)) }

// sigmoid is 1/(1+exp(-v)), without loss of relative precision at either end.
func sigmoid(v float64) float64 {
	e := expNegAbs(v)
	if v < 0 {
		return e / (1 + e)
	}
	return 1 / (1 + e)
}
