package pagerdutytest

import (
	"net/http"
	"strings"
	"testing"
)

func TestEvents(t *testing.T) {
	t.Parallel()
	const head = `{"routing_key":"` + RoutingKey + `","event_action":`
	long := strings.Repeat("x", 256)
	for _, c := range []struct {
		name, kind, body string
		status           int
		problem          string
	}{
		{"a trigger", "application/json", head + `"trigger","payload":{"summary":"s","source":"x","severity":"critical"},"links":[{"href":"http://x/"}]}`, 202, ""},
		{"a resolve", "application/json; charset=utf-8", head + `"resolve","dedup_key":"k"}`, 202, ""},
		{"a resolve of nothing", "application/json", head + `"resolve"}`, 400, "dedup_key"},
		{"a long key", "application/json", head + `"resolve","dedup_key":"` + long + `"}`, 400, "dedup_key"},
		{"no source", "application/json", head + `"trigger","payload":{"summary":"s","severity":"critical"}}`, 400, "source"},
		{"no summary", "application/json", head + `"trigger","payload":{"source":"s","severity":"critical"}}`, 400, "summary"},
		{"an own severity", "application/json", head + `"trigger","payload":{"summary":"s","source":"x","severity":"page"}}`, 400, "severity"},
		{"an action in words", "application/json", head + `"fire"}`, 400, "event_action"},
		{"a link that is a path", "application/json", head + `"resolve","dedup_key":"k","links":[{"href":"/d/x"}]}`, 400, "href"},
		{"another key", "application/json", `{"routing_key":"x","event_action":"resolve","dedup_key":"k"}`, 400, "routing_key"},
		{"text", "text/plain", "x", 400, "Content-Type"},
		{"no JSON", "application/json", "{", 400, "body"},
	} {
		s := NewServer(t)
		res, err := http.Post(s.URL, c.kind, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != c.status || (len(s.Events()) == 1) != (c.status == 202) || !strings.Contains(strings.Join(s.Refused(), " "), c.problem) {
			t.Errorf("%s: status %d, %d events, refused for %q; want %d for %q", c.name, res.StatusCode, len(s.Events()), s.Refused(), c.status, c.problem)
		}
	}
}
