package forecast

// When a fit is believed.
const (
	// MinCrossN is the least number of values: three degrees of freedom for the slope's error.
	MinCrossN = 5
	// Level is the significance that the slope must have, two-sided, by AdjustedP.
	Level = 0.05
	// Horizon bounds how far ahead a crossing is told, in lengths of the series. Further away, a
	// slope that is only just significant is off by as much as it says.
	Horizon = 2
)

// Cross says how many steps after the last value the line reaches limit. ok is false while the fit
// says nothing about it: fewer than MinCrossN values, a slope that may well be zero (AdjustedP of
// Level or more), a line that heads away from the limit or has crossed it already, or a crossing more
// than Horizon times N steps ahead.
func (l Line) Cross(limit float64) (steps float64, ok bool) {
	if l.N < MinCrossN || l.AdjustedP >= Level || l.Slope == 0 {
		return 0, false
	}
	steps = (limit - l.At(float64(l.N-1))) / l.Slope
	if !(steps > 0 && steps <= Horizon*float64(l.N)) { // so written, NaN is refused
		return 0, false
	}
	return steps, true
}
