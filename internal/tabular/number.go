package tabular

import (
	"encoding/binary"
	"math"
	"math/big"
	"math/bits"
	"strconv"
	"strings"
	"unsafe"
)

// padding is how many bytes must lie behind the text that numbers.parse reads, none of them part of
// a number: eight digits are loaded at once.
const padding = 16

// The powers of ten that fast conversion covers; numbers outside go through strconv.
const (
	minPower = -80
	maxPower = 80
)

// numbers converts decimal text to float64, correctly rounded. It holds tables, and is safe for
// concurrent use.
type numbers struct {
	point byte                               // between whole and fraction: a point or a comma
	exact [23]float64                        // 10^0 to 10^22, all exact
	wide  [maxPower - minPower + 1][2]uint64 // the top 128 bits of 10^q: high word, low word
	small [16]uint64                         // 10^0 to 10^15
}

func newNumbers(point byte) *numbers {
	t := &numbers{point: point}
	t.exact[0] = 1
	for i := 1; i < len(t.exact); i++ {
		t.exact[i] = t.exact[i-1] * 10
	}
	t.small[0] = 1
	for i := 1; i < len(t.small); i++ {
		t.small[i] = t.small[i-1] * 10
	}
	ten := big.NewInt(10)
	for q := minPower; q <= maxPower; q++ {
		v := new(big.Int).Exp(ten, big.NewInt(int64(max(q, -q))), nil)
		if q < 0 {
			v.Quo(new(big.Int).Lsh(big.NewInt(1), 1024), v)
		}
		if n := v.BitLen(); n > 128 {
			v.Rsh(v, uint(n-128))
		} else {
			v.Lsh(v, uint(128-n))
		}
		var b [16]byte
		v.FillBytes(b[:])
		t.wide[q-minPower] = [2]uint64{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
	}
	return t
}

// parse reads a decimal number, such as -1, .5 or 6.02e+23, that starts at b[i], and returns its
// value and the index of the byte behind it. The index is 0 if there is no such number, or if it
// is beyond the range of float64. At least padding bytes must follow the text.
func (t *numbers) parse(b []byte, i int) (float64, int) {
	first := i
	// No branch on the sign: half of all numbers are negative, and it would be mispredicted for them.
	var sign uint64
	if b[i] == '-' {
		sign = 1
	}
	i += int(sign)
	if b[i] == '+' && sign == 0 {
		i++
	}
	start := i
	var w uint64 // the digits, without the point
	for c := b[i] - '0'; c <= 9; c = b[i] - '0' {
		w = w*10 + uint64(c)
		i++
	}
	count, exp := i-start, 0
	if b[i] == t.point {
		i++
		point := i
		w, i = t.digits(b, i, w)
		exp = point - i
		count += i - point
	}
	if count == 0 {
		return 0, 0
	}
	if b[i]|0x20 == 'e' {
		var e int
		if e, i = exponent(b, i+1); i == 0 {
			return 0, 0
		}
		exp += e
	}
	if count <= 15 && -22 <= exp && exp <= 22 {
		// Both factors are exact, so that one rounding is all (Clinger 1990).
		v := float64(w)
		if exp < 0 {
			v /= t.exact[-exp]
		} else {
			v *= t.exact[exp]
		}
		return math.Float64frombits(math.Float64bits(v) | sign<<63), i
	}
	if count <= 19 { // else w may have overflowed
		if v, ok := t.convert(w, exp); ok {
			return math.Float64frombits(v | sign<<63), i
		}
	}
	text := unsafe.String(&b[first], i-first)
	if t.point != '.' {
		text = strings.Replace(text, string(t.point), ".", 1)
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil { // out of range: the form is right by now
		return 0, 0
	}
	return v, i
}

// digits appends the decimal digits at b[i:] to w, eight at a time (Lemire 2021, "Number parsing at
// a gigabyte per second", §5).
func (t *numbers) digits(b []byte, i int, w uint64) (uint64, int) {
	for {
		v := binary.LittleEndian.Uint64(b[i:])
		// A byte is a digit if its high half is 3, and still is after adding 6.
		other := (v&0xF0F0F0F0F0F0F0F0 | (v+0x0606060606060606)&0xF0F0F0F0F0F0F0F0>>4) ^ 0x3333333333333333
		v -= 0x3030303030303030
		if other == 0 {
			w = w*1e8 + eight(v)
			i += 8
			continue
		}
		// Moved up to the end, behind zeros, the n digits left are eight.
		n := bits.TrailingZeros64(other) >> 3
		return w*t.small[n&7] + eight(v<<(64-8*n)), i + n
	}
}

// eight is the number whose eight decimal digits are the bytes of v, the lowest byte first.
func eight(v uint64) uint64 {
	const mask = 0x000000FF000000FF
	v = v*10 + v>>8
	return (v&mask*(100+1000000<<32) + v>>16&mask*(1+10000<<32)) >> 32
}

// exponent reads an exponent behind its e. The index is 0 if there is none.
func exponent(b []byte, i int) (int, int) {
	negative := b[i] == '-'
	if negative || b[i] == '+' {
		i++
	}
	start, e := i, 0
	for c := b[i] - '0'; c <= 9; c = b[i] - '0' {
		if e < 1e6 { // enough to be out of range, and no overflow
			e = e*10 + int(c)
		}
		i++
	}
	if i == start {
		return 0, 0
	}
	if negative {
		e = -e
	}
	return e, i
}

// convert returns the bits of w * 10^q, correctly rounded; it declines the few cases that need more
// precision. The way is Eisel's and Lemire's (Lemire 2021, §§4-5).
func (t *numbers) convert(w uint64, q int) (uint64, bool) {
	if w == 0 {
		return 0, true
	}
	if q < minPower || q > maxPower {
		return 0, false
	}
	zeros := bits.LeadingZeros64(w)
	w <<= zeros
	power := &t.wide[q-minPower]
	hi, lo := bits.Mul64(w, power[0])
	if hi&0x1FF == 0x1FF && lo+w < w { // too close to tell: take the low half of the power too
		hi2, lo2 := bits.Mul64(w, power[1])
		sum, carry := bits.Add64(lo, hi2, 0)
		if hi += carry; hi&0x1FF == 0x1FF && sum+1 == 0 && lo2+w < w {
			return 0, false
		}
		lo = sum
	}
	msb := hi >> 63
	mantissa := hi >> (msb + 9)
	if lo == 0 && hi&0x1FF == 0 && mantissa&3 == 1 { // exactly half way, perhaps
		return 0, false
	}
	mantissa = (mantissa + mantissa&1) >> 1
	// 217706/2^16 is log2(10), good for |q| below 350. Powers from -80 to 80 and 64-bit w stay far
	// from the subnormal numbers and from infinity.
	exp := uint64((217706*q)>>16+64+1023) - uint64(zeros) - (1 ^ msb)
	if mantissa>>53 > 0 {
		mantissa >>= 1
		exp++
	}
	return exp<<52 | mantissa&(1<<52-1), true
}
