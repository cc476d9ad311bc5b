package synth

import (
	"errors"
	"fmt"
	"math"
	"strings"
)

// The kinds of drift that a Spec may ask for.
const (
	FollowHour = ""          // Covariate by HourShift in an odd hour, None in an even one
	None       = "none"      // f1, f2 ~ N(0, 1) and the documented rule
	Covariate  = "covariate" // f1 is moved by -Magnitude, the rule stays
	Concept    = "concept"   // the rule's boundary is turned by Magnitude radians, the features stay
	Label      = "label"     // P(target = 1) is 0.5 + Magnitude, the features given the target stay
)

// HourShift is how far below zero the mean of f1 lies in an odd hour.
const HourShift = 0.5

// Default magnitudes, one a kind of drift.
const (
	DefaultCovariate = HourShift   // standard deviations of f1
	DefaultConcept   = math.Pi / 4 // radians: a quarter of all labels differ from the documented rule's
	DefaultLabel     = 0.3         // added to 0.5: four rows of five are of class 1
)

// Largest magnitudes, one a kind of drift.
const (
	MaxCovariate = 10      // further away one of the classes does not occur any more
	MaxConcept   = math.Pi // at which every label is the other one
	MaxLabel     = 0.45    // so that one row of twenty is still of class 0
)

// MaxSamples is the greatest number of rows of one dataset.
const MaxSamples = 1_000_000

// CheckSamples returns a [FieldError] unless so many rows may be drawn at once.
func CheckSamples(n int) error {
	if n < 1 || n > MaxSamples {
		return &FieldError{"samples", fmt.Sprintf("must be a whole number from 1 to %d", MaxSamples), n}
	}
	return nil
}

// Spec says which data to draw. Its zero value is the documented data at midnight with seed 0.
type Spec struct {
	// Seed chooses the stream: equal specs give equal rows. Zero is a seed too.
	Seed uint64
	// Hour is the hour of the day in UTC, 0 to 23. It counts only while Drift is FollowHour.
	Hour int
	// Drift is one of the kinds above.
	Drift string
	// Magnitude is the strength of the drift in the unit of its kind; 0 means the kind's default.
	// It must be 0 where Drift is FollowHour or None.
	Magnitude float64
}

// FieldError says which field of a request for rows is wrong and what it may be.
type FieldError struct {
	Field   string // samples, hour, drift or magnitude
	Message string
	Value   any
}

// Error implements error.
func (e *FieldError) Error() string {
	return fmt.Sprintf("synth: %s %s, not %v", e.Field, e.Message, e.Value)
}

// Validate returns nil, or the [FieldError] of each wrong field, joined.
func (s Spec) Validate() error {
	var errs []error
	if s.Hour < 0 || s.Hour > 23 {
		errs = append(errs, &FieldError{"hour", "must be 0 to 23", s.Hour})
	}
	if err := s.validateDrift(); err != nil {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s Spec) validateDrift() error {
	var largest float64
	switch s.Drift {
	case FollowHour, None:
		if s.Magnitude != 0 {
			return &FieldError{
				"magnitude",
				fmt.Sprintf("must be left out unless drift is %s, %s or %s", Covariate, Concept, Label), s.Magnitude,
			}
		}
		return nil
	case Covariate:
		largest = MaxCovariate
	case Concept:
		largest = MaxConcept
	case Label:
		largest = MaxLabel
	default:
		allowed := strings.Join([]string{None, Covariate, Concept, Label}, ", ")
		return &FieldError{"drift", "must be left out or one of " + allowed, fmt.Sprintf("%q", s.Drift)}
	}
	if !(s.Magnitude >= 0 && s.Magnitude <= largest) { // so written, NaN is refused
		return &FieldError{
			"magnitude",
			fmt.Sprintf("of %s drift must be above 0 and at most %.4g (0 means the default)", s.Drift, largest), s.Magnitude,
		}
	}
	return nil
}
