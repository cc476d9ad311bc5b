package discordtest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

func post(t *testing.T, url, kind, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", kind)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	_ = json.Unmarshal(raw, &answer) // 204 has none
	return resp.StatusCode, answer
}

func TestValidate(t *testing.T) {
	t.Parallel()
	long := func(n int) string { return strings.Repeat("x", n) }
	many := func(n int, item string) string {
		return "[" + strings.TrimSuffix(strings.Repeat(item+",", n), ",") + "]"
	}
	for _, c := range []struct{ name, body, path, code string }{
		{"a plain message", `{"content":"hello"}`, "", ""},
		{"a whole embed", `{"embeds":[{"title":"t","description":"d","color":16753920,"fields":[{"name":"n","value":"v","inline":true}],"footer":{"text":"f"},"timestamp":"2026-01-02T03:04:05.678Z"}]}`, "", ""},
		{"a title of 256", `{"embeds":[{"title":"` + long(256) + `"}]}`, "", ""},
		{"a title of 257", `{"embeds":[{"title":"` + long(257) + `"}]}`, "embeds.0.title", "BASE_TYPE_MAX_LENGTH"},
		{"a title of 129 pairs", `{"embeds":[{"title":"` + strings.Repeat("😀", 129) + `"}]}`, "embeds.0.title", "BASE_TYPE_MAX_LENGTH"},
		{"a description of 4097", `{"embeds":[{"description":"` + long(4097) + `"}]}`, "embeds.0.description", "BASE_TYPE_MAX_LENGTH"},
		{"26 fields", `{"embeds":[{"fields":` + many(26, `{"name":"n","value":"v"}`) + `}]}`, "embeds.0.fields", "BASE_TYPE_MAX_LENGTH"},
		{"a field's name of 257", `{"embeds":[{"fields":[{"name":"` + long(257) + `","value":"v"}]}]}`, "embeds.0.fields.0.name", "BASE_TYPE_MAX_LENGTH"},
		{"a field's value of 1025", `{"embeds":[{"fields":[{"name":"n","value":"` + long(1025) + `"}]}]}`, "embeds.0.fields.0.value", "BASE_TYPE_MAX_LENGTH"},
		{"an empty value", `{"embeds":[{"fields":[{"name":"n","value":" "}]}]}`, "embeds.0.fields.0.value", "BASE_TYPE_REQUIRED"},
		{"a number as value", `{"embeds":[{"fields":[{"name":"n","value":3}]}]}`, "embeds.0.fields.0.value", "STRING_TYPE_CONVERT"},
		{"a footer without text", `{"embeds":[{"title":"t","footer":{}}]}`, "embeds.0.footer.text", "BASE_TYPE_REQUIRED"},
		{"a footer of 2049", `{"embeds":[{"footer":{"text":"` + long(2049) + `"}}]}`, "embeds.0.footer.text", "BASE_TYPE_MAX_LENGTH"},
		{"a colour out of range", `{"embeds":[{"title":"t","color":16777216}]}`, "embeds.0.color", "NUMBER_TYPE_MAX"},
		{"a colour in words", `{"embeds":[{"title":"t","color":"red"}]}`, "embeds.0.color", "NUMBER_TYPE_COERCE"},
		{"a time in words", `{"embeds":[{"title":"t","timestamp":"today"}]}`, "embeds.0.timestamp", "DATETIME_TYPE_PARSE"},
		{"11 embeds", `{"embeds":` + many(11, `{"title":"t"}`) + `}`, "embeds", "BASE_TYPE_MAX_LENGTH"},
		{"6001 in all", `{"embeds":[{"title":"t","description":"` + long(4000) + `"},{"description":"` + long(2000) + `"}]}`, "embeds", "MAX_EMBED_SIZE_EXCEEDED"},
		{"6000 in all", `{"embeds":[{"description":"` + long(4000) + `"},{"description":"` + long(2000) + `"}]}`, "", ""},
		{"embeds that are no list", `{"embeds":"x"}`, "embeds", "LIST_TYPE_CONVERT"},
		{"a forbidden name", `{"content":"x","username":"Discord"}`, "username", "USERNAME_INVALID_CONTAINS"},
		{"nothing", `{"embeds":[]}`, "", "50006"},
		{"no JSON", `{`, "", "50109"},
	} {
		problems := Validate([]byte(c.body))
		switch {
		case c.code == "" && len(problems) > 0:
			t.Errorf("%s: refused: %+v", c.name, problems)
		case c.code != "" && (len(problems) == 0 || problems[0].Path != c.path || problems[0].Code != c.code):
			t.Errorf("%s: got %+v, want %s at %q", c.name, problems, c.code, c.path)
		}
	}
}

func TestWebhook(t *testing.T) {
	t.Parallel()
	s := NewServer(t, Options{})
	if status, _ := post(t, s.WebhookURL, "application/json", `{"content":"one"}`); status != 204 {
		t.Errorf("status %d, want 204", status)
	}
	if status, _ := post(t, s.WebhookURL+"?wait=true", "application/json; charset=utf-8", `{"content":"two"}`); status != 200 {
		t.Errorf("status %d with wait, want 200", status)
	}
	status, answer := post(t, s.WebhookURL, "application/json", `{"embeds":[{"color":-1}]}`)
	errs, _ := json.Marshal(answer["errors"])
	if status != 400 || !strings.Contains(string(errs), `"embeds":{"0":{"color":{"_errors"`) {
		t.Errorf("status %d answer %s, want 400 with the nested path", status, errs)
	}
	if status, _ := post(t, s.WebhookURL, "text/plain", `{"content":"x"}`); status != 400 {
		t.Errorf("status %d for text/plain, want 400", status)
	}
	if status, _ := post(t, s.WebhookURL+"x", "application/json", `{"content":"x"}`); status != 401 {
		t.Errorf("status %d for a wrong token, want 401", status)
	}
	got := s.Payloads()
	if len(got) != 2 || string(got[0].Body) != `{"content":"one"}` {
		t.Errorf("accepted %d, want the two good ones in order", len(got))
	}
	if n := s.Calls(); n != 4 {
		t.Errorf("%d calls, want 4", n)
	}
}

func TestKnobs(t *testing.T) {
	t.Parallel()
	s := NewServer(t, Options{Burst: 1, Window: time.Hour})
	s.Fail(1, 503)
	if status, _ := post(t, s.WebhookURL, "application/json", `{"content":"x"}`); status != 503 {
		t.Errorf("status %d, want the 503 asked for", status)
	}
	status, answer := post(t, s.WebhookURL, "application/json", `{"content":"x"}`)
	if wait, _ := answer["retry_after"].(float64); status != 429 || wait < 3500 {
		t.Errorf("status %d answer %v, want 429 for an hour", status, answer)
	}
}

func TestWait(t *testing.T) {
	t.Parallel()
	s := NewServer(t, Options{})
	done := make(chan error, 1)
	go func() { done <- s.Wait(t.Context(), 1) }()
	post(t, s.WebhookURL, "application/json", `{"content":"x"}`)
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Wait(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}
