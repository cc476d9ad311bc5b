package drift

// ksExact is the probability that the Kolmogorov-Smirnov statistic of two windows of n and m values
// from one continuous distribution is at least h*g/(n*m), where g is the greatest common divisor of
// n and m.
func ksExact(n, m, h int) float64 {
	switch {
	case h == 0:
		return 1
	case n == m:
		return outsideSquare(n, h)
	default:
		return outsideBand(max(n, m), min(n, m), h)
	}
}

// outsideSquare is ksExact for windows of one size, by the reflection principle:
//
//	2 * (C(2n, n-h) - C(2n, n-2h) + C(2n, n-3h) - ...) / C(2n, n)
//
// (Gnedenko and Korolyuk 1951), each term taken relative to the one before it, as in Horner's
// scheme, so that no binomial coefficient is formed and nothing cancels.
func outsideSquare(n, h int) float64 {
	var p float64
	for k := n / h; k >= 0; k-- {
		term := 1.0
		for j := range h {
			term *= float64(n-k*h-j) / float64(n+k*h+j+1)
		}
		p = term * (1 - p)
	}
	return min(1, 2*p) // the last bit may be over
}

// outsideBand is ksExact for n > m. Each order of the n+m values is a lattice path from (0, 0) to
// (n, m); the statistic is at least h where the path leaves the band |m*i - n*j|/g < h. Let B(i, j) be
// the share of the paths to (i, j) that have left it: 1 outside the band, and within it
//
//	B(i, j) = (i*B(i-1, j) + j*B(i, j-1)) / (i+j)
//
// because i/(i+j) of the paths to (i, j) come from its left (Hodges 1958, section 4). Only one
// column is kept. All terms are positive, so the smallest shares are as precise as the largest.
func outsideBand(n, m, h int) float64 {
	g := gcd(n, m)
	ng, mg := n/g, m/g
	inverse := make([]float64, n+m+1)
	for s := 1; s <= n+m; s++ {
		inverse[s] = 1 / float64(s)
	}
	column := make([]float64, m+1) // B(i, 0..m), at first for i = 0
	for j := range column {
		if ng*j >= h {
			column[j] = 1
		}
	}
	for i := 1; i <= n; i++ {
		// The band at i is lo <= j < hi. Above it the column still holds the 1 it began with.
		lo, hi := 0, min((mg*i+h-1)/ng+1, m+1)
		left := 0.0 // B(i, lo-1); of no weight if lo is 0
		if mg*i >= h {
			lo, left = (mg*i-h)/ng+1, 1
		}
		if lo >= hi {
			return 1 // no point of the band: every path has left it
		}
		x, inv := float64(i), inverse[i+lo:i+hi]
		for k, below := range column[lo:hi] {
			left = below*(x*inv[k]) + left*(float64(lo+k)*inv[k])
			column[lo+k] = left
		}
	}
	return min(1, column[m])
}
