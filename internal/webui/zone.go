package webui

import (
	"net/http"
	"time"
)

// zoneCookie is set by app.js, for only the browser knows where its viewer is.
const zoneCookie = "iacontinu_zone"

// zoneOf is the time zone of the viewer, nil if the browser has not told one that there is. "Local" would be
// the zone of this machine.
func zoneOf(r *http.Request) *time.Location {
	c, err := r.Cookie(zoneCookie)
	if err != nil || c.Value == "" || c.Value == time.Local.String() {
		return nil
	}
	zone, err := time.LoadLocation(c.Value)
	if err != nil {
		return nil
	}
	return zone
}

// at is a moment of a chart as the viewer's clock shows it. Charts can't be written anew by app.js as other
// moments are; what they show of a viewer whose zone is not known is in UTC, which is said after it.
func (v *visit) at(unix float64) (t time.Time, unit string) {
	t = time.Unix(int64(unix), 0)
	if v.zone == nil {
		return t.UTC(), " UTC"
	}
	return t.In(v.zone), ""
}

// axis writes a moment short, as long as the span of the axis needs it.
func (v *visit) axis(span time.Duration) func(float64) string {
	return func(unix float64) string {
		t, unit := v.at(unix)
		switch {
		case span < 10*time.Minute:
			return t.Format("15:04:05") + unit
		case span < 24*time.Hour:
			return t.Format("15:04") + unit
		}
		return v.day(t) + unit
	}
}

func (v *visit) exact(unix float64) string {
	t, unit := v.at(unix)
	return v.day(t) + t.Format(", 15:04:05") + unit
}
