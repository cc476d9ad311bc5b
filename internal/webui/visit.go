package webui

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"iacontinu/internal/api"
	"iacontinu/internal/wording"
)

// page is one that the navigation lists.
type page struct {
	name, path string
	parts      []string
	admin      bool // for administrators alone
	// load asks the API for what the page shows.
	load func(ctx context.Context, v *visit) (any, error)
}

// visit is one look at a page: who looks, and how.
type visit struct {
	*language
	client *api.Client
	query  url.Values
	zone   *time.Location // of the viewer, nil if it is not known

	Theme string
	Path  string // of the page, with its query: where forms lead back to
	home  string // the page's path
	User  *api.User
	Page  string
	Data  any
	Down  bool     // the API does not answer
	Again *again   // the form that it did not answer
	Fault *fault   // what went wrong with the page or the form
	Done  string   // the message of what a form did
	Files fileURLs // of the assets
}

// Admin reports whether the viewer may do what only administrators may.
func (v *visit) Admin() bool { return v.User != nil && v.User.Role == "admin" }

// Nav is the pages that the viewer may see.
func (v *visit) Nav() []page {
	return slices.DeleteFunc(slices.Clone(pages), func(p page) bool { return p.admin && !v.Admin() })
}

// Themes are the colours that a viewer can choose.
func (v *visit) Themes() []string { return []string{"auto", "light", "dark"} }

// Name is the page's, by which its words and its icon are found.
func (p page) Name() string { return p.name }

// Href is where the page is.
func (p page) Href() string { return p.path }

// pattern matches the page's path and none below it.
func (p page) pattern() string {
	if p.path == "/" {
		return "/{$}"
	}
	return p.path
}

// Live is where the page's changes come from.
func (v *visit) Live() string {
	if v.User == nil && !v.Down || v.Page == "login" || v.Page == "error" {
		return ""
	}
	if len(v.query) > 0 {
		return "/live/" + v.Page + "?" + v.query.Encode()
	}
	return "/live/" + v.Page
}

// newVisit reads the preferences and the session of a request.
func (s *Server) newVisit(r *http.Request, name string) *visit {
	v := &visit{
		language: s.renderer.languageOf(r), query: r.URL.Query(), zone: zoneOf(r),
		Theme: themeOf(r), Path: r.URL.RequestURI(), Page: name, Files: s.renderer.files,
	}
	v.client = s.client(r, tokenOf(r))
	return v
}

// client is the API as the holder of a token meets it.
func (s *Server) client(r *http.Request, token string) *api.Client {
	c, err := api.New(s.opt.APIURL, api.Options{
		Token:      func(context.Context) (string, error) { return token, nil },
		HTTPClient: s.calls, UserAgent: "iacontinu-ui", ForwardedFor: forwardedFor(r),
	})
	if err != nil {
		panic("webui: the API's address was checked by New: " + err.Error())
	}
	return c
}

// forwardedFor is who asks, after those for whom proxies before say that they ask.
func forwardedFor(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return ""
	}
	return strings.Join(append(slices.Clone(r.Header.Values("X-Forwarded-For")), host), ", ")
}

// show answers GET of a page.
func (s *Server) show(p page) http.HandlerFunc {
	return s.signedIn(func(w http.ResponseWriter, r *http.Request, v *visit) {
		s.answer(w, r, v, p, http.StatusOK)
	})
}

// answer loads a page and renders it, with what a form has left in the visit.
func (s *Server) answer(w http.ResponseWriter, r *http.Request, v *visit, p page, status int) {
	v.Page = p.name
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	if !v.Down {
		if err := v.fill(ctx, p); err != nil {
			if s.toLogin(w, r, err) {
				return
			}
			status = s.failLook(r, v, err)
		}
	}
	if v.Down && r.Method == http.MethodPost {
		v.Data, v.Again, v.Path = nil, againOf(w, r), p.path
	}
	if v.Data == nil && v.Down {
		status = http.StatusServiceUnavailable
	}
	s.render(w, r, v, status)
}

// refuse tells on the page that a form is of what the API has against it.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, v *visit, name string, err error) {
	if s.toLogin(w, r, err) {
		return
	}
	status, p := s.fail(r, v, err), pageOf(name)
	v.Path = p.path
	s.answer(w, r, v, p, status)
}

// fill asks for the page's data.
func (v *visit) fill(ctx context.Context, p page) (err error) {
	v.home = p.path
	v.Data, err = p.load(ctx, v)
	if err != nil {
		v.Data = nil
	}
	return err
}

// signedIn lets in who has a session that the API knows; others are sent to the login page. While the API
// is away, nobody can be known, and the page says so.
func (s *Server) signedIn(next func(http.ResponseWriter, *http.Request, *visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if tokenOf(r) == "" {
			redirectToLogin(w, r, false)
			return
		}
		v := s.newVisit(r, "error")
		ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
		defer cancel()
		me, err := v.client.Me(ctx)
		switch {
		case err == nil:
			v.User = &me
		case s.toLogin(w, r, err):
			return
		default:
			status := s.failLook(r, v, err)
			switch {
			case !v.Down:
				s.render(w, r, v, status)
				return
			case r.Method == http.MethodPost:
				s.answer(w, r, v, formPage(r), status)
				return
			}
		}
		next(w, r, v)
	}
}

// together runs questions to the API side by side; the first error ends all.
func together(ctx context.Context, questions ...func(context.Context) error) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, q := range questions {
		group.Go(func() error { return q(ctx) })
	}
	return group.Wait()
}

// ask keeps the answer of one question.
func ask[T any](into *T, question func(context.Context) (T, error)) func(context.Context) error {
	return func(ctx context.Context) (err error) {
		*into, err = question(ctx)
		return err
	}
}

// fault is an error as a page tells of it.
type fault struct {
	Title, Text string
	English     bool // Text is the API's, in its language
	Fields      []string
	RequestID   string
}

// failLook is fail for a page that could not be filled: whatever the API lacks for it, the page waits until it
// has that again.
func (s *Server) failLook(r *http.Request, v *visit, err error) int {
	status := s.fail(r, v, err)
	v.Down = v.Down || status >= http.StatusInternalServerError
	return status
}

// fail puts an error into the visit and gives the status of the answer. An error without a code is not the API's: a
// proxy says so that it is away.
func (s *Server) fail(r *http.Request, v *visit, err error) int {
	p := api.AsProblem(err)
	if p == nil || p.Status >= http.StatusInternalServerError && p.Code == "" {
		if errors.Is(err, context.Canceled) {
			return http.StatusServiceUnavailable // nobody reads it
		}
		s.log.WarnContext(r.Context(), "the API does not answer", "path", r.URL.Path, "error", err)
		v.Down = true
		return http.StatusServiceUnavailable
	}
	if p.Status >= http.StatusInternalServerError {
		s.log.ErrorContext(r.Context(), "the API answered with an error", "path", r.URL.Path, "error", err)
	}
	v.Fault = v.faultOf(p)
	return p.Status
}

// faultOf tells of a problem: what kind it is in the reader's language, and what the API says of it,
// in that language too where it says it by codes.
func (l *language) faultOf(p *api.Problem) *fault {
	f := &fault{Text: p.Detail, English: true, RequestID: p.RequestID}
	kind := "other"
	switch {
	case p.Status == http.StatusTooManyRequests:
		kind = "busy"
	case p.Status == http.StatusForbidden:
		kind = "forbidden"
	case p.Status == http.StatusNotFound:
		kind = "not_found"
	case p.Status == http.StatusConflict:
		kind = "conflict"
	case p.Status == http.StatusServiceUnavailable:
		kind = "unavailable"
	case p.Status < http.StatusInternalServerError:
		kind = "invalid"
	}
	f.Title = l.must("fault." + kind)
	if words, ok := wording.Text(l.wording, p.Remarks); ok {
		f.Text, f.English = words, false
		return f
	}
	for _, e := range p.Errors {
		f.Fields = append(f.Fields, strings.TrimPrefix(strings.TrimPrefix(e.Location, "body.")+": "+e.Message, ": "))
	}
	return f
}

func (s *Server) notFound(w http.ResponseWriter, r *http.Request, v *visit) {
	v.Fault = &fault{Title: v.must("fault.not_found"), Text: v.must("fault.no_page")}
	s.render(w, r, v, http.StatusNotFound)
}

// healthz says that the pages are served; what the API is like is told by the API.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) }
