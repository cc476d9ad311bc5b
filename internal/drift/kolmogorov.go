package drift

import (
	"math"

	"gonum.org/v1/gonum/mat"
)

// The distribution of D_n, the one-sample Kolmogorov-Smirnov statistic of n values. No one formula
// is precise everywhere; the choice among them follows R. Simard and P. L'Ecuyer, "Computing the
// two-sided Kolmogorov-Smirnov distribution", Journal of Statistical Software 39(11), 2011, as in
// SciPy's kstwo.
const (
	// durbinAlways is the largest n for which Durbin's matrix is small wherever it is needed.
	durbinAlways = 140
	// durbinNever is the n above which the error of pelzGood is below 3e-9 everywhere (measured
	// against Durbin's matrix); below it, pelzGood is used where n*d^1.5 > 1.4, as in the paper.
	durbinNever = 2000
	// limitFrom is the n from which on Kolmogorov's limit stands for the sum of n terms: it is then
	// less than 0.5% off where the p-value is above 1e-9.
	limitFrom = 1_000_000
)

// kolmogorovSurvival is P(D_n >= d) for 0 <= d <= 1.
func kolmogorovSurvival(n int, d float64) float64 {
	nd := float64(n) * d
	z2 := nd * d
	switch {
	case nd <= 0.5:
		return 1 // D_n is at least 1/(2n)
	case d >= 1:
		return 0
	case d >= 0.5 || n <= durbinAlways && z2 > 4 || n > durbinAlways && z2 >= 2.2:
		if n >= limitFrom {
			return kolmogorovLimit(math.Sqrt(z2))
		}
		// Beyond these points both one-sided events at once are less likely than 1e-15 (exactly
		// impossible from 0.5 on), so twice the one-sided probability it is.
		return min(1, 2*smirnovSurvival(n, d))
	case n <= durbinAlways || n <= durbinNever && nd*math.Sqrt(d) <= 1.4:
		return max(0, 1-durbin(n, d))
	default:
		return max(0, min(1, 1-pelzGood(n, d)))
	}
}

// kolmogorovLimit is the limit of P(sqrt(n)*D_n >= z) for large n, by the better of Kolmogorov's two
// series (1933), which meet about z = 1.
func kolmogorovLimit(z float64) float64 {
	if z < 1 {
		if z <= 0 {
			return 1
		}
		q := -math.Pi * math.Pi / (8 * z * z)
		return 1 - math.Sqrt(2*math.Pi)/z*(math.Exp(q)+math.Exp(9*q)+math.Exp(25*q))
	}
	var p float64
	for k := 6; k >= 1; k-- { // the next term is below exp(-98)
		p = math.Exp(-2*float64(k*k)*z*z) - p
	}
	return 2 * p
}

// smirnovSurvival is the one-sided P(D_n^+ >= d), by the sum of Birnbaum and Tingey, "One-sided
// confidence contours for probability distribution functions", Annals of Mathematical Statistics 22
// (1951):
//
//	d * sum over j of C(n, j) * (d + j/n)^(j-1) * (1 - d - j/n)^(n-j),   0 <= j <= n*(1-d)
//
// All terms are positive.
func smirnovSurvival(n int, d float64) float64 {
	size := float64(n)
	sum := math.Exp(size * math.Log1p(-d)) // j = 0
	logBinomial, logD := 0.0, math.Log(d)
	for j := 1.0; j <= size*(1-d); j++ {
		logBinomial += math.Log((size - j + 1) / j)
		at := d + j/size
		if at >= 1 {
			break
		}
		sum += math.Exp(logBinomial + logD + (j-1)*math.Log(at) + (size-j)*math.Log1p(-at))
	}
	return sum
}

// durbin is P(D_n < d), exact: element (k, k) of n!/n^n * H^n for a matrix H of 2k-1 rows, k = ceil(n*d).
// J. Durbin (1968) in the form of G. Marsaglia, W. W. Tsang and J. Wang, "Evaluating Kolmogorov's
// distribution", Journal of Statistical Software 8(18), 2003.
func durbin(n int, d float64) float64 {
	nd := float64(n) * d
	k := int(math.Ceil(nd))
	size := 2*k - 1
	power, exponent := scaledPower(durbinMatrix(size, float64(k)-nd), n, k-1)
	p := power.At(k-1, k-1)
	for i := 1; i <= n; i++ { // n!/n^n, without underflow
		p *= float64(i) / float64(n)
		if p < 0x1p-128 {
			p *= 0x1p128
			exponent -= 128
		}
	}
	return math.Ldexp(p, exponent)
}

// durbinMatrix is Marsaglia, Tsang and Wang's H for h = k - n*d.
func durbinMatrix(size int, h float64) *mat.Dense {
	m := mat.NewDense(size, size, nil)
	factorial := 1.0 // of i+1
	power := 1.0     // h^(i+1)
	for i := range size {
		factorial *= float64(i + 1)
		power *= h
		for j := i + 1; j < size; j++ { // 1/(i+1)! on the i-th diagonal below the first column's
			m.Set(j, j-i, 1/factorial)
		}
		m.Set(i, 0, (1-power)/factorial)
		m.Set(size-1, size-1-i, (1-power)/factorial)
	}
	for i := range size - 1 {
		m.Set(i, i+1, 1)
	}
	corner := 1 - 2*power
	if h > 0.5 {
		corner += math.Pow(2*h-1, float64(size))
	}
	m.Set(size-1, 0, corner/factorial)
	return m
}

// scaledPower is m^n as a matrix and a power of two that it is to be multiplied by. at is the row and
// column of the element that is kept in range.
func scaledPower(m *mat.Dense, n, at int) (*mat.Dense, int) {
	size, _ := m.Dims()
	result, square := mat.NewDense(size, size, nil), mat.DenseCopyOf(m)
	for i := range size {
		result.Set(i, i, 1)
	}
	var scratch mat.Dense
	var exponent, squareExponent int
	for ; n > 0; n /= 2 {
		if n%2 == 1 {
			scratch.Mul(result, square)
			result.Copy(&scratch)
			exponent += squareExponent
		}
		scratch.Mul(square, square)
		square.Copy(&scratch)
		squareExponent *= 2
		if square.At(at, at) > 0x1p128 {
			square.Scale(0x1p-128, square)
			squareExponent += 128
		}
	}
	return result, exponent
}

// pelzGood is an approximation to P(D_n < d) with an error of order 1/n^2: K0(z) + K1(z)/n^(1/2) +
// K2(z)/n + K3(z)/n^(3/2) at z = d*sqrt(n), the K in their form for small z. W. Pelz and I. J. Good,
// "Approximating the lower tail-areas of the Kolmogorov-Smirnov one-sample statistic", Journal of
// the Royal Statistical Society B 38 (1976).
func pelzGood(n int, d float64) float64 {
	const pi2, pi4, pi6 = math.Pi * math.Pi, math.Pi * math.Pi * math.Pi * math.Pi,
		math.Pi * math.Pi * math.Pi * math.Pi * math.Pi * math.Pi
	root := math.Sqrt(float64(n))
	z := d * root
	z2 := z * z
	z4, z6 := z2*z2, z2*z2*z2

	var k0, k1, k2, k3 float64
	for k := 0.5; ; k++ { // over half-integers
		m2 := k * k
		e := math.Exp(-pi2 * m2 / (2 * z2))
		if e < 1e-40 && k > 1 || e == 0 {
			break
		}
		k0 += e
		k1 += (pi2*m2 - z2) * e
		k2 += (6*z6 + 2*z4 + pi2*(2*z4-5*z2)*m2 + pi4*(1-2*z2)*m2*m2) * e
		k3 += (-30*z6 - 90*z6*z2 + pi2*(135*z4-96*z6)*m2 + pi4*(212*z4-60*z2)*m2*m2 + pi6*(5-30*z2)*m2*m2*m2) * e
	}
	var l2, l3 float64
	for k := 1.0; ; k++ { // over integers
		m2 := k * k
		e := math.Exp(-pi2 * m2 / (2 * z2))
		if e < 1e-40 {
			break
		}
		l2 += m2 * e
		l3 += (3*z2 - pi2*m2) * m2 * e
	}
	c := math.Sqrt(2 * math.Pi)
	k0 *= c / z
	k1 *= c / (6 * z4)
	k2 = c * (k2/(72*z6*z) - pi2*l2/(36*z2*z))
	k3 = c * (k3/(6480*z6*z4) + pi2*l3/(216*z6))
	return k0 + k1/root + k2/float64(n) + k3/(float64(n)*root)
}
