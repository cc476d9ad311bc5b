package webui

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"html/template"
	"io"
	"math"
	"mime"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/wording"
)

//go:embed pages/*.html
var templates embed.FS

//go:embed static/*
var assets embed.FS

// fileURLs are the addresses of the assets: they change with their content, so that a browser may keep what
// it has for ever.
type fileURLs map[string]string

// renderer writes pages, in each language by templates whose functions speak it.
type renderer struct {
	languages map[string]*language
	pages     map[string]*template.Template // by language
	files     fileURLs
}

func newRenderer() (*renderer, error) {
	languages, err := loadLanguages()
	if err != nil {
		return nil, err
	}
	r := &renderer{languages: languages, pages: map[string]*template.Template{}, files: fileURLs{}}
	for code, l := range languages {
		set, err := template.New("").Funcs(l.functions()).ParseFS(templates, "pages/*.html")
		if err != nil {
			return nil, fmt.Errorf("webui: %w", err)
		}
		r.pages[code] = set
	}
	entries, err := assets.ReadDir("static")
	if err != nil {
		return nil, fmt.Errorf("webui: %w", err)
	}
	for _, e := range entries {
		content, err := assets.ReadFile("static/" + e.Name())
		if err != nil {
			return nil, fmt.Errorf("webui: %w", err)
		}
		sum := sha256.Sum256(content)
		r.files[assetKey(e.Name())] = "/static/" + e.Name() + "?v=" + hex.EncodeToString(sum[:6])
	}
	return r, nil
}

func (r *renderer) languageOf(req *http.Request) *language { return r.languages[chosen(req)] }

// functions are what templates call.
func (l *language) functions() template.FuncMap {
	return template.FuncMap{
		"t":     l.t,
		"count": func(key string, n any) (string, error) { return l.count(key, whole(n)) },
		"number": func(v any) string {
			return l.printer.Sprint(whole(v))
		},
		"decimal":   l.number,
		"percent":   l.percent,
		"megabytes": func(bytes int64) float64 { return float64(bytes) / 1e6 },
		"measure":   func(v any) string { return l.significant(float(v)) },
		"value":     l.value,
		// percentage is a length within a picture, which is written alike in all languages.
		"percentage": func(share float64) string { return strconv.FormatFloat(share*100, 'f', 2, 64) + "%" },
		"chance":     l.chance,
		"initial":    initial,
		"names":      found,
		"when":       func(t any) template.HTML { return l.timeElement(t, "") },
		// ago is told by app.js, which counts on; without it the moment is shown.
		"ago":  func(t any) template.HTML { return l.timeElement(t, ` data-ago`) },
		"due":  func(t any) template.HTML { return l.timeElement(t, ` data-due`) },
		"name": func(kind, code string) string { return l.or(kind+"."+code, code) },
		"said": func(remarks []api.Remark, text string) template.HTML {
			words, ok := wording.Text(l.wording, remarks)
			return inWords(words, ok, text)
		},
		"part": func(remarks []api.Remark, text string) template.HTML {
			words, ok := wording.Joined(l.wording, remarks)
			return inWords(words, ok, text)
		},
	}
}

// inWords is what remarks say, or the API's English text where they can't be put into words, as of an older or
// a newer API.
func inWords(words string, ok bool, text string) template.HTML {
	switch {
	case ok:
		return template.HTML(template.HTMLEscapeString(words))
	case text == "":
		return ""
	}
	return template.HTML(`<span lang="en">` + template.HTMLEscapeString(text) + `</span>`)
}

// initial is the first character of a name, which may be missing.
func initial(name string) string {
	for _, c := range name {
		return string(c)
	}
	return ""
}

// float is a number that a template has, which may be one that could be missing.
func float(v any) float64 {
	switch x := v.(type) {
	case float64:
		return x
	case *float64:
		if x != nil {
			return *x
		}
	}
	return math.NaN()
}

func whole(v any) int64 {
	switch n := v.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	}
	return 0
}

func (l *language) timeElement(at any, attributes string) template.HTML {
	t, ok := at.(time.Time)
	if p, pointer := at.(*time.Time); pointer && p != nil {
		t, ok = *p, true
	}
	if !ok {
		return ""
	}
	return template.HTML(fmt.Sprintf(`<time datetime="%s"%s>%s</time>`, t.UTC().Format(time.RFC3339), attributes, template.HTMLEscapeString(l.moment(t))))
}

// part renders one template of a visit.
func (r *renderer) part(w io.Writer, v *visit, name string) error {
	if err := r.pages[v.Code].ExecuteTemplate(w, name, v); err != nil {
		return fmt.Errorf("webui: render: %w", err)
	}
	return nil
}

// render answers with a whole page. It is made before the first byte is sent, so that an error is no half
// page.
func (s *Server) render(w http.ResponseWriter, r *http.Request, v *visit, status int) {
	var b bytes.Buffer
	if err := s.renderer.part(&b, v, "layout"); err != nil {
		s.log.ErrorContext(r.Context(), "a page can't be shown", "path", r.URL.Path, "error", err)
		http.Error(w, v.must("fault.page"), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Add("Vary", "Cookie, Accept-Language")
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes())
}

// assetKey is an asset's name as templates write it.
func assetKey(name string) string { return strings.ReplaceAll(name, ".", "_") }

// static serves an asset.
func (s *Server) static(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, "/static/")
	content, err := assets.ReadFile(path.Join("static", name))
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", mime.TypeByExtension(path.Ext(name)))
	// Only what the address says: another release beside this one has the same names.
	if s.renderer.files[assetKey(name)] == r.URL.RequestURI() {
		w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
	}
	_, _ = w.Write(content)
}
