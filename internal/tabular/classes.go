package tabular

import (
	"cmp"
	"math"
	"strconv"
)

// classes are the values of the target seen so far, in the order of their first rows.
type classes struct {
	values [2]string
	lines  [2]int // where each was first seen
	n      int
}

// code is the code of a value; ok is false if it is not one of those seen.
func (c *classes) code(value []byte) (code uint8, ok bool) {
	switch {
	case c.n > 0 && string(value) == c.values[0]:
		return 0, true
	case c.n > 1 && string(value) == c.values[1]:
		return 1, true
	}
	return 0, false
}

// add takes in a value that is not there yet; ok is false if there are two already.
func (c *classes) add(value string, line int) (code uint8, ok bool) {
	if c.n == len(c.values) {
		return 0, false
	}
	c.values[c.n], c.lines[c.n] = value, line
	c.n++
	return uint8(c.n - 1), true
}

// ClassOrder puts the two values of a target in the order of their labels: the index is the label.
// It is the order of scikit-learn's encoders: by number if both are numbers, else by bytes.
func ClassOrder(a, b string) [2]string {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	order := cmp.Compare(a, b)
	if errX == nil && errY == nil && !math.IsNaN(x) && !math.IsNaN(y) && x != y {
		order = cmp.Compare(x, y)
	}
	if order > 0 {
		return [2]string{b, a}
	}
	return [2]string{a, b}
}
