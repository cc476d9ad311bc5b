package apiserver

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/go-chi/chi/v5"

	"iacontinu/internal/ml"
)

// tableRoute is a route with a request that is answered well if it comes from those it is for.
type tableRoute struct {
	method, pattern string
	who             access
	path, body      string // path if it differs from the pattern
	status          int    // of the answer, if not 200
}

// routeTable is every route.
var routeTable = []tableRoute{
	{"GET", "/", open, "", "", 307},
	{"GET", "/health", open, "", "", 0},
	{"HEAD", "/health", open, "", "", 0},
	{"GET", "/health/ready", open, "", "", 0},
	{"HEAD", "/health/ready", open, "", "", 0},
	{"GET", "/metrics", open, "", "", 0},
	{"GET", "/docs", open, "", "", 0},
	{"GET", "/docs/*", open, "/docs/swagger-ui.css", "", 0},
	{"GET", "/openapi.json", open, "", "", 0},
	{"GET", "/model/info", open, "", "", 0},
	{"GET", "/datasets/list", open, "", "", 0},
	{"POST", "/auth/login", open, "", `{"username":"testuser","password":"test123"}`, 0},
	{"POST", "/auth/password", signedIn, "", `{"old_password":"test123","new_password":"test12345"}`, 0},
	{"GET", "/auth/me", signedIn, "", "", 0},
	{"GET", "/auth/users", adminOnly, "", "", 0},
	{"PATCH", "/auth/users/{username}", adminOnly, "/auth/users/testuser", `{"role":"user"}`, 0},
	{"POST", "/auth/register", adminOnly, "", `{"username":"new","email":"new@x.example","password":"test12345"}`, 0},
	{"POST", "/predict", signedIn, "", `{"features":[1,2]}`, 0},
	{"POST", "/predict/batch", signedIn, "", `{"instances":[[1,2]]}`, 0},
	{"GET", "/predictions/history", signedIn, "", "", 0},
	{"GET", "/predictions/history/all", adminOnly, "", "", 0},
	{"GET", "/predictions/stats", signedIn, "", "", 0},
	{"POST", "/generate", signedIn, "", `{"samples":10}`, 0},
	{"POST", "/datasets", signedIn, "/datasets?target=y", "a,y\n1,0\n", 201},
	{"GET", "/datasets/{id}", signedIn, "/datasets/7", "", 0},
	{"POST", "/datasets/preview", signedIn, "", "a,y\n1,0\n", 0},
	{"DELETE", "/datasets/{id}", adminOnly, "/datasets/7", "", 204},
	{"POST", "/retrain", signedIn, "", "", 0},
	{"POST", "/retrain/conditional", signedIn, "", `{}`, 0},
	{"GET", "/jobs/{id}", signedIn, "/jobs/5", "", 0},
	{"GET", "/models", signedIn, "", "", 0},
	{"GET", "/models/{version}", signedIn, "/models/v1", "", 0},
	{"POST", "/models/{version}/activate", adminOnly, "/models/v1/activate", "", 0},
	{"POST", "/models/rollback", adminOnly, "", "", 0},
	{"GET", "/training/history", signedIn, "", "", 0},
	{"GET", "/drift/history", signedIn, "", "", 0},
	{"GET", "/drift/scores", signedIn, "", "", 0},
	{"GET", "/drift/distributions", signedIn, "/drift/distributions?check=3", "", 0},
	{"GET", "/logs/system", adminOnly, "", "", 0},
	{"GET", "/events", signedIn, "", "", 0},
	{"GET", "/settings", adminOnly, "", "", 0},
	{"GET", "/backups", adminOnly, "", "", 0},
	{"POST", "/backups", adminOnly, "", "", 0},
	{"POST", "/notifications/test", adminOnly, "", "", 202},
	{"GET", "/services", signedIn, "", "", 0},
	{"GET", "/kpis", signedIn, "", "", 0},
	{"GET", "/overview", signedIn, "", "", 0},
	{"POST", "/auth/logout", signedIn, "", "", 204}, // last: it takes the token away
}

// Each route answers exactly those whom it is for, and everybody else with the right problem.
func TestAccess(t *testing.T) {
	t.Parallel()
	b := setup(t, func(_ *world, o *Options) { o.UserLogins, o.AddressLogins = 100, 100 })
	b.begin("testuser")
	b.finish(ml.RetrainResult{Verdict: ml.VerdictActivated, Version: "v2"})

	for _, rt := range routeTable {
		path, status := rt.path, rt.status
		if path == "" {
			path = rt.pattern
		}
		if status == 0 {
			status = http.StatusOK
		}
		header := []string{}
		if strings.HasPrefix(rt.body, "a,y\n") {
			header = []string{"Content-Type: text/csv"}
		}
		send := func(token string, more ...string) reply {
			return b.send(t, rt.method, path, token, rt.body, append(slices.Clone(header), more...)...)
		}
		name := rt.method + " " + rt.pattern
		for who, r := range map[string]reply{
			"nobody":       send(""),
			"expired":      send("expired"),
			"forged":       send("forged"),
			"no scheme":    send("", "Authorization: user"),
			"other scheme": send("", "Authorization: Basic dXNlcjp1c2Vy"),
			"empty token":  send("", "Authorization: Bearer "),
		} {
			if rt.who == open {
				if r.StatusCode != status {
					t.Errorf("%s by %s: %d, want %d: %s", name, who, r.StatusCode, status, r.body)
				}
				continue
			}
			problem(t, r, http.StatusUnauthorized)
			if got := r.Header.Get("WWW-Authenticate"); got != "Bearer" {
				t.Errorf("%s by %s: WWW-Authenticate %q", name, who, got)
			}
		}
		for _, who := range []string{"user", "service"} {
			r := send(who)
			switch {
			case rt.who == adminOnly:
				problem(t, r, http.StatusForbidden)
			case who == "service" && (rt.pattern == "/auth/password" || rt.pattern == "/predictions/history"):
				problem(t, r, http.StatusForbidden)
			case r.StatusCode != status:
				t.Errorf("%s by %s: %d, want %d: %s", name, who, r.StatusCode, status, r.body)
			}
		}
		if r := send("admin", "Authorization: bearer admin"); r.StatusCode != status { // the scheme in any case
			t.Errorf("%s by admin: %d, want %d: %s", name, r.StatusCode, status, r.body)
		}
	}
}

// The table above has every route of the router, so that none is added without its access being
// thought of.
func TestAccessTableIsComplete(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var inRouter, inTable []string
	for _, rt := range routeTable {
		inTable = append(inTable, rt.method+" "+rt.pattern)
	}
	if err := chi.Walk(b.server.router, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		inRouter = append(inRouter, method+" "+pattern)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	slices.Sort(inRouter)
	slices.Sort(inTable)
	if !slices.Equal(inRouter, inTable) {
		t.Errorf("routes:\n%s\ntable:\n%s", strings.Join(inRouter, "\n"), strings.Join(inTable, "\n"))
	}
}

func TestUnknownPathsAndMethods(t *testing.T) {
	t.Parallel()
	b := setup(t)
	for _, path := range []string{"/nope", "/health/", "/predict/x", "/docs/nope.js", "/docs/../health", "//health", "/jobs/"} {
		problem(t, b.send(t, "GET", path, "", ""), http.StatusNotFound)
	}
	for _, tt := range []struct{ method, path, allow string }{
		{"PUT", "/health", "GET, HEAD"},
		{"GET", "/predict", "POST"},
		{"OPTIONS", "/predict", "POST"},
		{"POST", "/model/info", "GET"},
		{"PATCH", "/datasets/7", "GET, DELETE"},
		{"GET", "/auth/users/ann", "PATCH"},
		{"BREW", "/metrics", "GET"},
	} {
		r := b.send(t, tt.method, tt.path, "", "")
		if p := problem(t, r, http.StatusMethodNotAllowed); p.Code != "method_not_allowed" {
			t.Errorf("%s %s: code %q", tt.method, tt.path, p.Code)
		}
		if got := r.Header.Get("Allow"); got != tt.allow {
			t.Errorf("%s %s: Allow %q, want %q", tt.method, tt.path, got, tt.allow)
		}
	}
}

func TestJobIsForItsAskers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.jobs[5] = ml.Job{ID: 5, Kind: "retrain", State: ml.JobRunning, RequestedBy: "testuser"}
	b.jobs[6] = ml.Job{ID: 6, Kind: "notify", State: ml.JobRunning}
	b.jobs[7] = ml.Job{ID: 7, Kind: "retrain", State: ml.JobRunning, RequestedBy: "flow"}
	b.jobs[8] = ml.Job{ID: 8, Kind: "retrain", State: ml.JobRunning, RequestedBy: "service:flow"}
	for _, tt := range []struct {
		who, path string
		status    int
	}{
		{"user", "/jobs/5", 200},
		{"admin", "/jobs/5", 200},
		{"other", "/jobs/5", 404},
		{"service", "/jobs/5", 200}, // the operator's command, for one
		{"user", "/jobs/6", 404},
		{"admin", "/jobs/6", 404}, // no retraining
		{"flow", "/jobs/7", 200},
		{"flow", "/jobs/8", 404}, // a user may have a service's name
		{"service", "/jobs/6", 404},
		{"admin", "/jobs/99", 404},
		{"admin", "/jobs/0", 422},
		{"admin", "/jobs/-1", 422},
		{"admin", "/jobs/99999999999999999999", 422},
		{"admin", "/jobs/one", 422},
	} {
		if r := b.send(t, "GET", tt.path, tt.who, ""); r.StatusCode != tt.status {
			t.Errorf("%s by %s: %d, want %d: %s", tt.path, tt.who, r.StatusCode, tt.status, r.body)
		}
	}
}
