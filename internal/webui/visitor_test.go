package webui

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// visitor is a browser without scripts.
type visitor struct {
	t      *testing.T
	base   string
	client *http.Client
	server *Server
}

// setup starts the pages before an API. Who is not "" is signed in.
func setup(t *testing.T, f *fakeAPI, who string, change ...func(*Options)) *visitor {
	t.Helper()
	o := Options{Addr: "127.0.0.1:0", APIURL: f.URL, Pace: 5 * time.Millisecond}
	for _, c := range change {
		c(&o)
	}
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	pages := httptest.NewServer(s)
	t.Cleanup(pages.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, base: pages.URL, server: s, client: &http.Client{Jar: jar}}
	if who != "" {
		if page := v.post("/login", url.Values{"username": {who}, "password": {"secret"}}); page.status != http.StatusOK {
			t.Fatalf("login: %d", page.status)
		}
	}
	return v
}

// answered is a page as a visitor gets it, after redirects.
type answered struct {
	status int
	body   string
	path   string
	header http.Header
}

func (v *visitor) send(r *http.Request) answered {
	v.t.Helper()
	res, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		v.t.Fatal(err)
	}
	return answered{res.StatusCode, string(body), res.Request.URL.RequestURI(), res.Header}
}

func (v *visitor) request(method, path string, form url.Values) *http.Request {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.base+path, strings.NewReader(form.Encode()))
	if err != nil {
		v.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return r
}

func (v *visitor) get(path string) answered {
	v.t.Helper()
	return v.send(v.request(http.MethodGet, path, nil))
}

func (v *visitor) post(path string, form url.Values) answered {
	v.t.Helper()
	return v.send(v.request(http.MethodPost, path, form))
}

// wants fails unless the page is of that status and has all of the texts.
func (a answered) wants(t *testing.T, status int, texts ...string) {
	t.Helper()
	if a.status != status {
		t.Errorf("%s: status %d, want %d", a.path, a.status, status)
	}
	for _, text := range texts {
		if !strings.Contains(a.body, text) {
			t.Errorf("%s lacks %q:\n%s", a.path, text, a.body)
		}
	}
}
