package prefect

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"iacontinu/internal/prefect/prefecttest"
)

const secret = "s3cret-passw0rd"

// reply is what a server answers.
type reply struct {
	status     int
	body       string
	retryAfter string
}

func (a reply) response() *http.Response {
	w := httptest.NewRecorder()
	if a.retryAfter != "" {
		w.Header().Set("Retry-After", a.retryAfter)
	}
	w.WriteHeader(a.status)
	_, _ = w.WriteString(a.body)
	return w.Result()
}

// answers is a transport that gives one answer after the other, the last for ever.
type answers struct {
	list []reply
	seen []*http.Request
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.seen = append(a.seen, r)
	return a.list[min(len(a.seen), len(a.list))-1].response(), nil
}

func client(t *testing.T, o Options) *Client {
	t.Helper()
	if o.URL == "" {
		o.URL = "http://prefect.test/api"
	}
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// get is a request that is safe to send twice, post one that is not.
var (
	get  = request{operation: "read", method: http.MethodGet, path: "/thing"}
	post = request{operation: "make", method: http.MethodPost, path: "/thing", in: object{}, once: true}
)

func TestWhatIsSafeIsTriedAgain(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		r     request
		fault prefecttest.Fault
		tries int
	}{
		{"busy", get, prefecttest.Fault{Status: 503}, 4},
		{"a proxy without a server", get, prefecttest.Fault{Status: 502}, 4},
		{"a broken connection", get, prefecttest.Fault{Lost: true}, 4},
		{"busy, once", post, prefecttest.Fault{Status: 503}, 4},
		{"a proxy that may have passed it on", post, prefecttest.Fault{Status: 504}, 1},
		{"a lost answer", post, prefecttest.Fault{Lost: true}, 1},
		{"a refusal", get, prefecttest.Fault{Status: 422}, 1},
		{"a fault of the server", get, prefecttest.Fault{Status: 500}, 1},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := prefecttest.New()
				s.SetFault(func(r *http.Request) *prefecttest.Fault {
					if strings.HasSuffix(r.URL.Path, "/thing") {
						return &test.fault
					}
					return nil
				})
				_, err := client(t, Options{Transport: s}).do(t.Context(), test.r)
				if n := s.Count("/thing"); err == nil || n != test.tries {
					t.Errorf("%d tries, error %v", n, err)
				}
			})
		})
	}
}

func TestTheServerSaysHowLongToWait(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		a := &answers{list: []reply{{429, "", "7"}, {200, `"3.8.8"`, ""}}}
		start := time.Now()
		v, err := client(t, Options{Transport: a}).Version(t.Context())
		if err != nil || v != "3.8.8" || time.Since(start) != 7*time.Second {
			t.Errorf("%q after %s, error %v", v, time.Since(start), err)
		}
	})
}

func TestAServerThatNeverAnswersIsGivenUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := prefecttest.New()
		s.SetFault(func(*http.Request) *prefecttest.Fault { return &prefecttest.Fault{Hang: true} })
		start := time.Now()
		_, err := client(t, Options{Transport: s, Timeout: 2 * time.Second}).Version(t.Context())
		if took := time.Since(start); err == nil || took < 8*time.Second || took > 10*time.Second {
			t.Errorf("given up after %s, error %v", took, err)
		}
	})
}

func TestErrorsTellWhatToMendAndNoSecret(t *testing.T) {
	t.Parallel()
	log := &bytes.Buffer{}
	a := &answers{list: []reply{
		{200, `{}`, ""}, {401, `{"detail":"` + secret + `"}`, ""}, {400, `{"detail":"user:` + secret + ` is wrong"}`, ""},
	}}
	c := client(t, Options{Transport: a, AuthString: "user:" + secret, Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	_, unauthorized := c.do(t.Context(), post)
	_, refused := c.do(t.Context(), post)
	if unauthorized == nil || !strings.Contains(unauthorized.Error(), "PREFECT_API_AUTH_STRING") {
		t.Errorf("error %v", unauthorized)
	}
	if refused == nil || !strings.Contains(refused.Error(), "[redacted] is wrong") {
		t.Errorf("error %v", refused)
	}
	if text := unauthorized.Error() + refused.Error() + log.String(); strings.Contains(text, secret) {
		t.Errorf("the secret is told: %s", text)
	}
	for _, r := range a.seen {
		if user, password, ok := r.BasicAuth(); !ok || user != "user" || password != secret {
			t.Errorf("%s %s was sent as %q", r.Method, r.URL, user)
		}
	}
}

// What the server says is kept as its JSON, where such a password stands with escapes.
func TestAPasswordThatJSONEscapesIsNotTold(t *testing.T) {
	t.Parallel()
	for password, escaped := range map[string]string{`hush"hush`: `hush\"hush`, `hush\hush`: `hush\\hush`, `hush"`: `hush\"`} {
		c := client(t, Options{AuthString: "user:" + password, Transport: &answers{list: []reply{
			{200, `{}`, ""}, {400, `{"detail":"it is not ` + escaped + `"}`, ""},
		}}})
		if _, err := c.do(t.Context(), post); err == nil || !strings.HasSuffix(err.Error(), "it is not [redacted]") {
			t.Errorf("%s: %v", password, err)
		}
	}
}

func TestTheEncodedPasswordIsNotTold(t *testing.T) {
	t.Parallel()
	encoded := base64.StdEncoding.EncodeToString([]byte("user:" + secret))
	c := client(t, Options{AuthString: "user:" + secret, Transport: &answers{list: []reply{
		{200, `{}`, ""}, {400, `{"detail":"bad header Basic ` + encoded + `"}`, ""}, {200, `{"status":"ABORT","details":{"reason":"Basic ` + encoded + `"}}`, ""},
	}}})
	_, refused := c.do(t.Context(), post)
	v, err := c.propose(t.Context(), "x", proposal{Type: typeFailed})
	if err != nil || !strings.Contains(refused.Error(), "[redacted]") || v.Details.Reason != "Basic [redacted]" {
		t.Errorf("told: %v; %q, error %v", refused, v.Details.Reason, err)
	}
	proxied := c.plain(&url.Error{Op: "Post", URL: "x", Err: errors.New("malformed answer " + encoded)})
	if strings.Contains(proxied.Error(), encoded) {
		t.Errorf("told: %v", proxied)
	}
}

func TestSecretsAreTakenOutBeforeAnAnswerIsCut(t *testing.T) {
	t.Parallel()
	for _, form := range []string{`{"detail":"%s"}`, "%s"} {
		body := strings.Replace(form, "%s", strings.Repeat("x", 290)+secret, 1)
		_, err := client(t, Options{APIKey: secret, Transport: &answers{list: []reply{{200, `{}`, ""}, {400, body, ""}}}}).do(t.Context(), post)
		if err == nil || strings.Contains(err.Error(), secret[:4]) || !strings.Contains(err.Error(), "xxx") {
			t.Errorf("told: %v", err)
		}
	}
}

func TestAnAddressThatIsNotTheAPIsIsNamed(t *testing.T) {
	t.Parallel()
	for _, answer := range []reply{
		{404, `{"detail":"Not Found"}`, ""}, {404, "<html>nothing here</html>", ""}, {405, `{"detail":"Method Not Allowed"}`, ""}, {200, "<html>Prefect</html>", ""},
	} {
		_, err := client(t, Options{Transport: &answers{list: []reply{answer}}}).Version(t.Context())
		if err == nil || !strings.Contains(err.Error(), "PREFECT_API_URL") || !strings.Contains(err.Error(), "/api") {
			t.Errorf("%d %s: %v", answer.status, answer.body, err)
		}
	}
	_, err := client(t, Options{Transport: &answers{list: []reply{{404, `{"detail":"Work pool \"x\" not found."}`, ""}}}}).Version(t.Context())
	if err == nil || strings.Contains(err.Error(), "PREFECT_API_URL") {
		t.Errorf("what the API lacks: %v", err)
	}
}

func TestAnAPIKeyIsABearerToken(t *testing.T) {
	t.Parallel()
	a := &answers{list: []reply{{200, `"3.8.8"`, ""}}}
	if _, err := client(t, Options{Transport: a, APIKey: secret}).Version(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := a.seen[0].Header.Get("Authorization"); got != "Bearer "+secret {
		t.Errorf("authorization %q", got)
	}
}

// protected is a server that wants CSRF tokens, and whose first token stops being good.
type protected struct {
	clients []string
	tokens  []string
}

func (p *protected) RoundTrip(r *http.Request) (*http.Response, error) {
	if strings.HasSuffix(r.URL.Path, "/csrf-token") {
		p.clients = append(p.clients, r.URL.Query().Get("client"))
		return reply{200, `{"token":"token-` + string(rune('0'+len(p.clients))) + `"}`, ""}.response(), nil
	}
	token := r.Header.Get("Prefect-Csrf-Token")
	p.tokens = append(p.tokens, token)
	if (token == "token-1" && len(p.tokens) > 2) || token == "" || r.Header.Get("Prefect-Csrf-Client") != p.clients[0] {
		return reply{403, `{"detail":"Invalid CSRF token or client identifier."}`, ""}.response(), nil
	}
	return reply{200, `{}`, ""}.response(), nil
}

func TestACSRFTokenIsKeptUntilItIsRefused(t *testing.T) {
	t.Parallel()
	p := &protected{}
	c := client(t, Options{Transport: p})
	for range 4 {
		if _, err := c.do(t.Context(), post); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"token-1", "token-1", "token-1", "token-2", "token-2"}
	if !slices.Equal(p.tokens, want) || len(p.clients) != 2 || p.clients[0] != p.clients[1] {
		t.Errorf("tokens %v, clients %v", p.tokens, p.clients)
	}
}

func TestATokenIsAskedForOnceWhereThereIsNoProtection(t *testing.T) {
	t.Parallel()
	s := prefecttest.New()
	c := client(t, Options{Transport: s})
	for range 3 {
		if _, err := c.flowID(t.Context(), t.Name()+c.o.NewID()); err != nil {
			t.Fatal(err)
		}
	}
	if n := s.Count("csrf-token"); n != 1 {
		t.Errorf("asked %d times", n)
	}
}

func TestTheServersCertificateIsChecked(t *testing.T) {
	t.Parallel()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`"3.8.8"`)) }))
	defer s.Close()
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		o  Options
		ok bool
	}{{Options{}, false}, {Options{CAFile: ca}, true}, {Options{Insecure: true}, true}} {
		test.o.URL = s.URL
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		_, err := client(t, test.o).Version(ctx)
		cancel()
		if (err == nil) != test.ok {
			t.Errorf("CA file %q, insecure %v: %v", test.o.CAFile, test.o.Insecure, err)
		}
	}
}

func TestRequestsAreCountedByWhatBecameOfThem(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	a := &answers{list: []reply{{200, `"3.8.8"`, ""}, {404, "", ""}, {500, "", ""}}}
	c := client(t, Options{Transport: a, Registerer: registry})
	for range 3 {
		_, _ = c.Version(t.Context())
	}
	for _, want := range []string{outcomeOK, outcomeRefused, outcomeFailed} {
		if n := testutil.ToFloat64(c.metrics.requests.WithLabelValues("version", want)); n != 1 {
			t.Errorf("%s is %v, want 1", want, n)
		}
	}
}

func TestAnAnswerThatIsNotPrefectsIsAnError(t *testing.T) {
	t.Parallel()
	a := &answers{list: []reply{{200, "<html>", ""}, {307, "", ""}, {200, `"` + strings.Repeat("x", maxAnswer) + `"`, ""}}}
	c := client(t, Options{Transport: a})
	for _, want := range []string{"PREFECT_API_URL", "redirect", "longer than"} {
		if _, err := c.do(t.Context(), request{operation: "version", method: http.MethodGet, path: "/", out: new(string), once: true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one about %s", err, want)
		}
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{}, "Options.URL"},
		{Options{URL: "prefect:4200/api"}, "Options.URL"},
		{Options{URL: "http://user:" + secret + "@prefect/api"}, "AuthString"},
		{Options{URL: "http://prefect/api?x=1"}, "query"},
		{Options{URL: "http://prefect/api", AuthString: secret}, "user:password"},
		{Options{URL: "http://prefect/api", AuthString: "a:" + secret, APIKey: secret}, "both"},
		{Options{URL: "http://prefect/api", CAFile: "/nowhere"}, "CAFile"},
		{Options{URL: "http://prefect/api", Timeout: -1}, "Timeout"},
	} {
		_, err := New(test.o)
		if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("error %v, want one about %s", err, test.want)
		}
	}
}
