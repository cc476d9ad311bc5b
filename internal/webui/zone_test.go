package webui

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

// Charts tell the time of their viewer; of one whose zone is not known, or is none, they tell UTC and say so.
func TestChartsTellTheViewersTime(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t).withModel(), "ann")
	for zone, want := range map[string][]string{
		"":                    {`data-tip="25 Nov, 13:00:00 UTC`, ">13:00:00 UTC</text>", ">12:59:45 UTC</text>"},
		"Europe/Paris":        {`data-tip="25 Nov, 14:00:00` + "\n", ">14:00:00</text>", ">13:59:45</text>"},
		"Asia/Kathmandu":      {`data-tip="25 Nov, 18:45:00` + "\n", ">18:45:00</text>"},
		"Pacific/Auckland":    {`data-tip="26 Nov, 02:00:00` + "\n"},
		"UTC":                 {`data-tip="25 Nov, 13:00:00` + "\n"},
		"Local":               {"25 Nov, 13:00:00 UTC"},
		"Europe/Nowhere":      {"25 Nov, 13:00:00 UTC"},
		"../../../etc/passwd": {"25 Nov, 13:00:00 UTC"},
	} {
		r := v.request(http.MethodGet, "/", nil)
		if zone != "" {
			r.AddCookie(&http.Cookie{Name: zoneCookie, Value: zone})
		}
		page := v.send(r)
		// The ends by which a range is chosen are the same everywhere.
		page.wants(t, http.StatusOK, append(want, ` data-from="1795611540" data-to="1795611600"`)...)
		_, charts, _ := strings.Cut(page.body, `<svg class="plot`)
		if said := strings.Contains(charts, ":00 UTC\n"); said != strings.Contains(want[0], "UTC") {
			t.Errorf("in %q, the hover texts speak of UTC: %v", zone, said)
		}
	}
}

func TestAxisNamesDaysOfTheZone(t *testing.T) {
	t.Parallel()
	auckland, err := time.LoadLocation("Pacific/Auckland")
	if err != nil {
		t.Fatal(err)
	}
	v := &visit{language: words(t)["fr"], zone: auckland}
	at := float64(now.Unix())
	for span, want := range map[time.Duration]string{time.Minute: "02:00:00", time.Hour: "02:00", 24 * time.Hour: "26 nov."} {
		if got := v.axis(span)(at); got != want {
			t.Errorf("over %s the axis says %q, want %q", span, got, want)
		}
	}
	v.zone = nil
	if got, want := v.axis(24*time.Hour)(at), "25 nov. UTC"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
