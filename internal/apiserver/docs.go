package apiserver

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/swaggest/swgui"
	"github.com/swaggest/swgui/v5/static"
	"github.com/swaggest/swgui/v5emb"

	"iacontinu/internal/api"
)

// docs serves the pages that explain the API, from files that lie in the program: no other server is
// asked for anything.
type docs struct {
	index  []byte
	policy string // Content-Security-Policy
	names  map[string]bool
	assets http.Handler
}

// newDocs renders the page once. Its scripts are allowed by their hashes, so that the policy needs
// no unsafe-inline for them.
func newDocs() (*docs, error) {
	h := v5emb.NewHandlerWithConfig(swgui.Config{
		Title: "IA Continu", AppendHead: `<meta name="viewport" content="width=device-width, initial-scale=1">`,
		SwaggerJSON: api.PathOpenAPI, BasePath: api.PathDocs + "/",
		SettingsUI: map[string]string{"persistAuthorization": "true", "tryItOutEnabled": "true"},
	})
	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, api.PathDocs, http.NoBody)
	if err != nil {
		return nil, fmt.Errorf("apiserver: render documentation page: %w", err)
	}
	page := &memoryWriter{header: http.Header{}}
	h.ServeHTTP(page, request)
	index := bytes.TrimSpace(page.body.Bytes())
	scripts := []string{"'self'"}
	for _, m := range regexp.MustCompile(`(?s)<script>(.*?)</script>`).FindAllSubmatch(index, -1) {
		sum := sha256.Sum256(m[1])
		scripts = append(scripts, "'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'")
	}
	if page.status != 0 || len(scripts) == 1 {
		return nil, errors.New("apiserver: the documentation page could not be rendered")
	}
	// Swagger UI sets styles from its scripts and draws with images of its own in data URLs.
	policy := "default-src 'none'; connect-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'; " +
		"script-src " + strings.Join(scripts, " ") + "; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
	files, err := static.FS.ReadDir(".")
	if err != nil {
		return nil, fmt.Errorf("apiserver: list documentation files: %w", err)
	}
	names := map[string]bool{}
	for _, f := range files {
		names[strings.TrimSuffix(f.Name(), ".gz")] = true
	}
	return &docs{index: index, policy: policy, names: names, assets: h}, nil
}

// memoryWriter keeps an answer.
type memoryWriter struct {
	header http.Header
	status int // 0: not set, which means 200
	body   bytes.Buffer
}

// Header implements http.ResponseWriter.
func (w *memoryWriter) Header() http.Header { return w.header }

// WriteHeader implements http.ResponseWriter.
func (w *memoryWriter) WriteHeader(status int) { w.status = status }

// Write implements http.ResponseWriter.
func (w *memoryWriter) Write(b []byte) (int, error) { return w.body.Write(b) }

func (s *Server) docsPage(w http.ResponseWriter, _ *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Security-Policy", s.docs.policy)
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	_, _ = w.Write(s.docs.index) // an error says that the client has gone
}

func (s *Server) docsFile(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, api.PathDocs+"/")
	switch {
	case name == "":
		s.docsPage(w, r)
	case s.docs.names[name]:
		w.Header().Set("Cache-Control", "public, max-age=3600")
		s.docs.assets.ServeHTTP(w, r)
	default:
		s.notFound(w, r)
	}
}

func toDocs(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, api.PathDocs, http.StatusTemporaryRedirect)
}

// serveDocument answers with the OpenAPI document.
func (s *Server) serveDocument(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(s.document) // an error says that the client has gone
}
