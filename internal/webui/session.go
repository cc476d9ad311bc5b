package webui

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"iacontinu/internal/api"
)

const (
	sessionCookie  = "iacontinu_session"
	languageCookie = "iacontinu_language"
	themeCookie    = "iacontinu_theme"
)

func tokenOf(r *http.Request) string {
	c, err := r.Cookie(sessionCookie)
	if err != nil {
		return ""
	}
	return c.Value
}

// secure tells whether the browser speaks TLS to us or to the proxy before us.
func (s *Server) secure(r *http.Request) bool {
	return s.opt.SecureCookie || r.TLS != nil || strings.EqualFold(r.Header.Get("X-Forwarded-Proto"), "https")
}

// setSession keeps the token where no script can read it and no other site can have it sent. An age below
// zero ends the session.
func (s *Server) setSession(w http.ResponseWriter, r *http.Request, token string, age int) {
	http.SetCookie(w, &http.Cookie{
		Name: sessionCookie, Value: token, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: s.secure(r),
	})
}

// backTo is a path of ours that a form or a link names, "/" for anything else: a browser reads
// "//host" and "/\host" as other sites.
func backTo(path string) string {
	u, err := url.Parse(path)
	if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(path, "/") || strings.HasPrefix(path, "//") || strings.ContainsAny(path, "\\\r\n\t") {
		return "/"
	}
	return path
}

// redirectToLogin asks for a login, which leads back. ended says that there was one.
func redirectToLogin(w http.ResponseWriter, r *http.Request, ended bool) {
	q := url.Values{}
	if r.Method == http.MethodPost {
		q = url.Values{"back": {formPage(r).path}, "unsent": {"1"}}
	} else if ended {
		q.Set("ended", "1")
	}
	if r.Method == http.MethodGet && r.URL.Path != "/" && !strings.HasPrefix(r.URL.Path, "/live/") {
		q.Set("back", r.URL.RequestURI())
	}
	target := url.URL{Path: "/login", RawQuery: q.Encode()}
	http.Redirect(w, r, target.String(), http.StatusSeeOther)
}

// toLogin sends a viewer whose token the API does not take to the login page.
func (s *Server) toLogin(w http.ResponseWriter, r *http.Request, err error) bool {
	p := api.AsProblem(err)
	if p == nil || p.Status != http.StatusUnauthorized {
		return false
	}
	s.setSession(w, r, "", -1)
	redirectToLogin(w, r, true)
	return true
}

// loginData is what the login page shows.
type loginData struct {
	Back, Username string
	Wrong          bool
	Ended          bool // the session did
	Unsent         bool // the session ended before a form was sent
}

func (s *Server) loginPage(w http.ResponseWriter, r *http.Request) {
	v := s.newVisit(r, "login")
	v.Data = loginData{Back: backTo(v.query.Get("back")), Ended: v.query.Has("ended"), Unsent: v.query.Has("unsent")}
	s.render(w, r, v, http.StatusOK)
}

// maxForm bounds the small forms.
const maxForm = 64 << 10

func (s *Server) login(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	v := s.newVisit(r, "login")
	data := loginData{Back: backTo(r.PostFormValue("back")), Username: r.PostFormValue("username")}
	v.Data = &data
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	answer, err := s.client(r, "").Login(ctx, data.Username, r.PostFormValue("password"))
	if err == nil {
		s.setSession(w, r, answer.AccessToken, answer.ExpiresIn)
		http.Redirect(w, r, data.Back, http.StatusSeeOther)
		return
	}
	status := s.fail(r, v, err)
	if status == http.StatusUnauthorized || status == http.StatusUnprocessableEntity {
		v.Fault, data.Wrong = nil, true
	}
	s.render(w, r, v, status)
}

// logout ends the session here and makes the token invalid there. While the API is away the browser still
// forgets it.
func (s *Server) logout(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	if token := tokenOf(r); token != "" {
		if err := s.client(r, token).Logout(ctx); err != nil && api.AsProblem(err) == nil {
			s.log.WarnContext(ctx, "a session was ended here only", "error", err)
		}
	}
	s.setSession(w, r, "", -1)
	http.Redirect(w, r, "/login", http.StatusSeeOther)
}

// preferences keeps the language and the colours that a viewer chose.
func (s *Server) preferences(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	keep := func(name, value string) {
		http.SetCookie(w, &http.Cookie{
			Name: name, Value: value, Path: "/", MaxAge: int((365 * 24 * time.Hour).Seconds()),
			HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.secure(r),
		})
	}
	if code := r.PostFormValue("language"); s.renderer.languages[code] != nil {
		keep(languageCookie, code)
	}
	if theme := r.PostFormValue("theme"); theme == "light" || theme == "dark" || theme == "auto" {
		keep(themeCookie, theme)
	}
	http.Redirect(w, r, backTo(r.PostFormValue("back")), http.StatusSeeOther)
}

// themeOf is the colours of a page: those of the machine unless the viewer chose.
func themeOf(r *http.Request) string {
	if c, err := r.Cookie(themeCookie); err == nil && (c.Value == "light" || c.Value == "dark") {
		return c.Value
	}
	return "auto"
}
