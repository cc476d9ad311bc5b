package webui

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

// again is a form that the API did not answer, as its page keeps it to be sent once more.
type again struct {
	Action   string
	Page     string     // where the form stands
	Fields   url.Values // without passwords, which no page repeats
	Password bool       // there was one, to be typed again
	File     bool       // there was one, to be chosen again on the form's page: only the browser has it
}

// againOf keeps the form of a request. One that can't be read, as a file that is too large, is taken for a file.
func againOf(w http.ResponseWriter, r *http.Request) *again {
	a := &again{Action: backTo(r.URL.Path), Page: formPage(r).path}
	r.Body = http.MaxBytesReader(w, r.Body, maxBatchFile+maxForm)
	if err := r.ParseMultipartForm(maxBatchFile); err != nil && !errors.Is(err, http.ErrNotMultipart) {
		a.File = true
		return a
	}
	a.Fields = url.Values{}
	for name, values := range r.PostForm {
		if name == "password" {
			a.Password = true
			continue
		}
		a.Fields[name] = values
	}
	if r.MultipartForm != nil {
		for _, files := range r.MultipartForm.File {
			a.File = a.File || files[0].Size > 0
		}
	}
	return a
}

// formPage is the page that a form stands on: the one whose path begins the form's.
func formPage(r *http.Request) page {
	for _, p := range pages[1:] {
		if r.URL.Path == p.path || strings.HasPrefix(r.URL.Path, p.path+"/") {
			return p
		}
	}
	return pages[0]
}
