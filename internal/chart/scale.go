package chart

import (
	"math"
	"time"
)

// scale maps values to a share of the way from low to high.
type scale struct{ low, high float64 }

func (s scale) at(v float64) float64 {
	if s.high <= s.low {
		return 0.5
	}
	return (v - s.low) / (s.high - s.low)
}

// with widens the scale until the value lies on it.
func (s scale) with(v float64) scale {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return s
	}
	return scale{min(s.low, v), max(s.high, v)}
}

func nothing() scale { return scale{math.Inf(1), math.Inf(-1)} }

func (s scale) empty() bool { return s.low > s.high }

// rounded widens the scale to the ticks around it, so that the axis ends with one. A wider scale may have
// ticks further apart, so it is done again until they stay.
func (s scale) rounded(n int) scale {
	const mostTimes = 4
	for range mostTimes {
		ticks := Ticks(s.low, s.high, n)
		if len(ticks) < 2 {
			return s
		}
		step := ticks[1] - ticks[0]
		wider := scale{math.Floor(s.low/step+slack) * step, math.Ceil(s.high/step-slack) * step}
		if wider == s {
			return s
		}
		s = wider
	}
	return s
}

// slack is what rounding may cost, as a share of a step.
const slack = 1e-9

// Ticks gives about n round numbers from low to high: 1, 2 or 5 times a power of ten apart.
func Ticks(low, high float64, n int) []float64 {
	if !(high > low) || n < 1 || math.IsInf(high-low, 0) {
		return []float64{low}
	}
	step := math.Pow(10, math.Floor(math.Log10((high-low)/float64(n))))
	for _, factor := range []float64{1, 2, 5, 10} {
		if (high-low)/(step*factor) <= float64(n)+slack {
			step *= factor
			break
		}
	}
	var out []float64
	for i := math.Ceil(low/step - slack); i*step <= high+step*slack; i++ {
		out = append(out, i*step+0) // +0: no negative zero
	}
	return out
}

// steps of time that people count by.
var steps = []time.Duration{
	time.Second, 5 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour,
	24 * time.Hour, 2 * 24 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour, 30 * 24 * time.Hour, 91 * 24 * time.Hour,
}

// TimeTicks gives at most n moments from low to high, in Unix seconds, at times that are round in a zone.
func TimeTicks(low, high float64, n int, zone *time.Location) []float64 {
	if !(high > low) || n < 1 {
		return []float64{low}
	}
	step := steps[len(steps)-1].Seconds()
	for _, s := range steps {
		if (high-low)/s.Seconds() <= float64(n) {
			step = s.Seconds()
			break
		}
	}
	step *= math.Max(1, math.Ceil((high-low)/step/float64(n)))
	var out []float64
	for clock := math.Floor(onClock(low, zone)/step) * step; ; clock += step {
		at := fromClock(clock, zone)
		if at > high {
			return out
		}
		if at >= low && (len(out) == 0 || at > out[len(out)-1]) { // a time that the clock leaves out is one that it has
			out = append(out, at)
		}
	}
}

// onClock is what the clock of a zone shows at a moment, as the seconds that it would be in UTC; fromClock is
// its inverse.
func onClock(unix float64, zone *time.Location) float64 {
	_, offset := time.Unix(int64(unix), 0).In(zone).Zone()
	return unix + float64(offset)
}

func fromClock(clock float64, zone *time.Location) float64 {
	t := time.Unix(int64(clock), 0).UTC()
	return float64(time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, zone).Unix())
}
