package store

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"time"
)

// timeLayout is how times are kept: UTC, to the second.
const timeLayout = "2006-01-02 15:04:05"

// preciseLayout is how the few times are kept where a second is too coarse.
const preciseLayout = "2006-01-02 15:04:05.000000"

// timestamp is a time as a column of text. The zero time is NULL.
type timestamp struct{ time.Time }

// precise is a timestamp to the microsecond.
type precise struct{ timestamp }

func stamp(t time.Time) timestamp { return timestamp{t.UTC().Truncate(time.Second)} }

// Value implements driver.Valuer.
func (t timestamp) Value() (driver.Value, error) { return textOf(t.Time, timeLayout), nil }

// Value implements driver.Valuer.
func (t precise) Value() (driver.Value, error) { return textOf(t.Time, preciseLayout), nil }

func textOf(t time.Time, layout string) driver.Value {
	if t.IsZero() {
		return nil
	}
	return t.UTC().Format(layout)
}

// Scan implements sql.Scanner. It takes what the earlier system wrote as well: fractions of a
// second, a T for the space, an offset, NULL. The driver parses columns that are declared as times.
func (t *timestamp) Scan(src any) error {
	var err error
	switch v := src.(type) {
	case nil:
		t.Time = time.Time{}
	case time.Time:
		t.Time = v.UTC()
	case string:
		t.Time, err = parseTime(v)
	case []byte:
		t.Time, err = parseTime(string(v))
	case int64:
		t.Time = time.Unix(v, 0).UTC()
	default:
		return fmt.Errorf("a time can't be read from a %T", src)
	}
	return err
}

func parseTime(s string) (time.Time, error) {
	s = strings.TrimSuffix(strings.Replace(s, "T", " ", 1), "Z")
	for _, layout := range []string{timeLayout, timeLayout + "-07:00", "2006-01-02 15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is not a time", s)
}
