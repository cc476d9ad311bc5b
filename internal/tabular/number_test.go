package tabular

import (
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

func parseText(t *numbers, s string) (float64, int) {
	return t.parse([]byte(s+strings.Repeat("\n", padding)), 0)
}

func TestNumbersAgreeWithStrconv(t *testing.T) {
	t.Parallel()
	numbers := newNumbers('.')
	rng := rand.New(rand.NewPCG(1, 2))
	check := func(s string) {
		t.Helper()
		want, err := strconv.ParseFloat(s, 64)
		got, next := parseText(numbers, s)
		switch {
		case err != nil && next != 0:
			t.Fatalf("%s: read as %v, strconv says %v", s, got, err)
		case err == nil && (next != len(s) || math.Float64bits(got) != math.Float64bits(want)):
			t.Fatalf("%s: got %v up to byte %d, want %v", s, got, next, want)
		}
	}
	for range 60_000 {
		v := math.Float64frombits(rng.Uint64())
		if math.IsNaN(v) || math.IsInf(v, 0) {
			continue
		}
		check(strconv.FormatFloat(v, 'g', -1, 64))
		n := rng.NormFloat64()
		check(strconv.FormatFloat(n, 'f', -1, 64))
		check(strconv.FormatFloat(n, 'e', rng.IntN(25), 64))
		check(strconv.FormatFloat(n*1e9, 'f', rng.IntN(12), 64))
		check(strconv.FormatUint(rng.Uint64(), 10) + "e" + strconv.Itoa(rng.IntN(200)-100))
	}
	for _, s := range []string{
		"0", "-0", "+1", "5.", ".5", "1e5", "1E+05", "1e-400", "0e999", "00000000000000000000000001.5",
		"123456789012345678901234567890", "0.00000000000000000000000000012345", "9007199254740993",
		"9007199254740993e1", "1.7976931348623157e308", "1.8e308", "1e400", "-1e400", "4.9e-324",
		"1e99999999999999999999", "18446744073709551615", "18446744073709551616", "8.5e-80", "8.5e80",
		"2.2250738585072011e-308", "0.1234567", "0.12345678", "0.123456789", "0.1234567890123456789",
	} {
		check(s)
	}
}

func TestNumbersRefuseOtherForms(t *testing.T) {
	t.Parallel()
	numbers := newNumbers('.')
	for _, s := range []string{
		"", "-", "+", ".", "-.", "e5", "1e", "1e+", "nan", "NaN", "inf", "-Infinity", "abc",
	} {
		if v, next := parseText(numbers, s); next != 0 {
			t.Errorf("%q: read as %v", s, v)
		}
	}
	// What strconv would take and a table may not hold: only the decimal start is read, and the
	// caller sees that something follows.
	for _, s := range []string{"0x1p-2", "1_000", "1,5", "1 5", "1.5.2", "--1"} {
		if v, next := parseText(numbers, s); next == len(s) {
			t.Errorf("%q: read as %v", s, v)
		}
	}
}

func FuzzNumber(f *testing.F) {
	for _, s := range []string{"1.5", "-0.345584192064786", "1e400", "0x10", "1_0", "12345678901234567890e-30"} {
		f.Add(s)
	}
	numbers := newNumbers('.')
	f.Fuzz(func(t *testing.T, s string) {
		got, next := parseText(numbers, s)
		if next == 0 || next != len(s) {
			return
		}
		want, err := strconv.ParseFloat(s, 64)
		if err != nil || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%q: got %v, strconv %v, %v", s, got, want, err)
		}
	})
}

func BenchmarkNumber(b *testing.B) {
	numbers := newNumbers('.')
	rng := rand.New(rand.NewPCG(1, 2))
	var text []byte
	var starts []int
	for range 1 << 16 {
		starts = append(starts, len(text))
		text = append(strconv.AppendFloat(text, rng.NormFloat64(), 'g', -1, 64), ',')
	}
	text = append(text, paddingBytes...)
	b.SetBytes(int64(len(text) / len(starts)))
	for i := 0; b.Loop(); i++ {
		if _, next := numbers.parse(text, starts[i%len(starts)]); next == 0 {
			b.Fatal("not read")
		}
	}
}
