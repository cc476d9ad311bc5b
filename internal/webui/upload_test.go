package webui

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/api"
)

// upload sends a form with a file; "" is none.
func (v *visitor) upload(path, file string, fields url.Values) answered {
	v.t.Helper()
	return v.send(v.formWith(path, file, fields))
}

// formWith is a form with a file.
func (v *visitor) formWith(path, file string, fields url.Values) *http.Request {
	v.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	for name, values := range fields {
		for _, value := range values {
			if err := form.WriteField(name, value); err != nil {
				v.t.Fatal(err)
			}
		}
	}
	name := ""
	if file != "" {
		name = "rows.csv"
	}
	part, err := form.CreateFormFile("file", name)
	if err == nil {
		_, err = part.Write([]byte(file))
	}
	if err = errors.Join(err, form.Close()); err != nil {
		v.t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.base+path, &body)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", form.FormDataContentType())
	return r
}

// taking has the API's imports answered by one that reads them as they come.
func (f *fakeAPI) taking(answer http.HandlerFunc) *fakeAPI {
	before := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost && r.URL.Path == api.PathDatasets {
			answer(w, r)
			return
		}
		f.ServeHTTP(w, r)
	}))
	f.t.Cleanup(before.Close)
	f.URL = before.URL
	return f
}

const (
	boundary  = "multipart/form-data; boundary=b"
	formBegin = "--b\r\nContent-Disposition: form-data; name=\"target\"\r\n\r\nill\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"rows.csv\"\r\n\r\n"
	formEnd   = "\r\n--b--\r\n"
)

// raw sends a form as it is written.
func (v *visitor) raw(path, kind string, body io.Reader) answered {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, v.base+path, body)
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	return v.send(r)
}

// The API is given a file while it comes, and nothing of it is kept on the way.
func TestImportIsStreamed(t *testing.T) {
	t.Setenv("TMPDIR", "/nowhere") // there is no place to keep it
	const half = 2 << 20
	first := make(chan struct{})
	v := setup(t, newFakeAPI(t).withModel().taking(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.CopyN(io.Discard, r.Body, half); err != nil {
			t.Error(err)
		}
		close(first)
		if rest, err := io.ReadAll(r.Body); err != nil || len(rest) != half || r.URL.Query().Get("target") != "ill" {
			t.Errorf("%s: %d more bytes, %v", r.URL, len(rest), err)
		}
		w.WriteHeader(http.StatusCreated)
		_, _ = io.WriteString(w, `{"generation_id":2}`)
	}), "ann")
	body, browser := io.Pipe()
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		_, _ = io.WriteString(browser, formBegin+strings.Repeat("1", half))
		// What looks like the beginning of the form's end is held back until more comes.
		select {
		case <-first:
		case <-time.After(10 * time.Second):
			t.Error("the API has nothing of a file that is half there")
		}
		_, _ = io.WriteString(browser, strings.Repeat("2", half)+formEnd)
		_ = browser.Close()
	}()
	v.raw("/data/import", boundary, body).wants(t, http.StatusOK, "The file was imported")
	<-sent
}

// The API's own bounds answer: before it has the whole file, and to a browser that reads no answer while it sends.
func TestImportIsRefusedByTheAPI(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f.taking(func(w http.ResponseWriter, _ *http.Request) {
		f.problem(w, api.Problem{Status: http.StatusTooManyRequests, Detail: "2 files of yours are being uploaded"})
	}), "ann")
	v.upload("/data/import", strings.Repeat("1,2\n", 1<<20), nil).wants(t, http.StatusTooManyRequests, "2 files of yours are being uploaded", "All datasets")
}

func TestUploadsAreBounded(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t).withModel(), "ann", func(o *Options) { o.MaxUpload = 1000 })
	v.upload("/data/import", strings.Repeat("1", 500), nil).wants(t, http.StatusOK)
	for _, path := range []string{"/data/import", "/data/preview"} {
		v.upload(path, strings.Repeat("1", 1000), nil).wants(t, http.StatusRequestEntityTooLarge, "larger than 1 GB")
	}
	v = setup(t, newFakeAPI(t).withModel(), "ann")
	for _, fields := range []url.Values{{"ignore": {strings.Repeat("x", maxForm)}}, {"": slices.Repeat([]string{""}, 5000)}} {
		v.upload("/data/import", "1", fields).wants(t, http.StatusRequestEntityTooLarge, "more columns than it can")
	}
}

// What is wrong with an upload is told for what it is.
func TestBrokenUploads(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t).withModel(), "ann")
	for name, form := range map[string][2]string{
		"cut off": {boundary, formBegin + "1,2\n"}, "no form": {"text/csv", "1,2\n"}, "cut off before the file": {boundary, formBegin[:20]},
	} {
		for _, path := range []string{"/data/import", "/data/preview"} {
			t.Run(name+path, func(t *testing.T) {
				v.raw(path, form[0], strings.NewReader(form[1])).wants(t, http.StatusBadRequest, "did not arrive whole")
			})
		}
	}
	v.raw("/data/import", boundary, strings.NewReader("--b--\r\n")).wants(t, http.StatusUnprocessableEntity, "There is no file")
}

// A file whose sender falls silent is not waited for longer than any other.
func TestSlowUploadsEnd(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t).withModel(), "ann", func(o *Options) { o.UploadPatience = 100 * time.Millisecond })
	for _, path := range []string{"/data/import", "/data/preview"} {
		body, browser := io.Pipe()
		go func() { _, _ = io.WriteString(browser, formBegin+"1,2\n") }() // ends with the request
		v.raw(path, boundary, body).wants(t, http.StatusRequestTimeout, "took too long to arrive")
	}
}

// What is after a file in a form is not read: the page has its file last.
func TestFileIsLastInItsForm(t *testing.T) {
	t.Parallel()
	page := setup(t, newFakeAPI(t).withModel(), "ann").upload("/data/preview", "age,note,ill\n1,a,no\n", nil)
	form, _, _ := strings.Cut(page.body[strings.Index(page.body, `action="/data/import"`):], "</form>")
	fields := strings.Split(form, ` name="`)[1:]
	if n := len(fields); n < 4 || !strings.HasPrefix(fields[n-1], "file") {
		t.Errorf("fields %q", fields)
	}
}
