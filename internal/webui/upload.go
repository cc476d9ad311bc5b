package webui

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"time"

	"iacontinu/internal/api"
)

// upload is a form as it comes: its fields and, after all of them, a file that is not read yet.
type upload struct {
	fields url.Values
	name   string
	file   *bufio.Reader
}

var (
	errNoFile     = errors.New("webui: the form has no file")
	errLongFields = errors.New("webui: the form's fields are too long")
)

// uploaded reads a form up to its file: nothing of that is kept here, neither in memory nor on a disk. What comes
// after the file is not read.
func (s *Server) uploaded(w http.ResponseWriter, r *http.Request) (*upload, error) {
	control := http.NewResponseController(w)
	until := time.Now().Add(s.opt.UploadPatience)
	if err := errors.Join(control.SetReadDeadline(until), control.SetWriteDeadline(until.Add(readPatience))); err != nil {
		s.log.DebugContext(r.Context(), "an upload has the patience of any request", "error", err)
	}
	r.Body = http.MaxBytesReader(w, r.Body, s.opt.MaxUpload)
	form, err := r.MultipartReader()
	if err != nil {
		return nil, err
	}
	const each = 16 // what a field without a name and a value costs
	up := &upload{fields: url.Values{}}
	for left := maxForm; ; {
		part, err := form.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return nil, errNoFile
		case err != nil:
			return nil, err
		case part.FormName() == "file":
			up.name, up.file = part.FileName(), bufio.NewReaderSize(part, api.MaxPreview+1)
			if _, err := up.file.Peek(1); errors.Is(err, io.EOF) {
				return nil, errNoFile
			}
			return up, nil // another error comes again
		}
		value, err := io.ReadAll(io.LimitReader(part, int64(left)))
		if err != nil {
			return nil, err
		}
		if left -= each + len(part.FormName()) + len(value); left <= 0 {
			return nil, errLongFields
		}
		up.fields.Add(part.FormName(), string(value))
	}
}

// beginning is what a preview is given of a file.
type beginning struct {
	text  []byte
	whole bool // it is all of the file
}

// begin waits for the beginning of the file, which stays to be read.
func (up *upload) begin() (beginning, error) {
	text, err := up.file.Peek(api.MaxPreview + 1)
	if err != nil && !errors.Is(err, io.EOF) {
		return beginning{}, err
	}
	return beginning{bytes.Clone(text[:min(len(text), api.MaxPreview)]), err != nil && up.fields.Get("cut") == ""}, nil
}

// readRest reads what is left of a form: a browser that is still sending does not read the answer.
func readRest(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

// received is the form of a file and the file's beginning; ok is false where the viewer was told why there is none.
func (s *Server) received(w http.ResponseWriter, r *http.Request, v *visit) (up *upload, head beginning, ok bool) {
	v.Path = "/data"
	up, err := s.uploaded(w, r)
	if err == nil {
		head, err = up.begin()
	}
	if err != nil {
		s.refuseUpload(w, r, v, err)
	}
	return up, head, err == nil
}

// preview shows what the beginning of a file tells of it, before anything is kept.
func (s *Server) preview(w http.ResponseWriter, r *http.Request, v *visit) {
	up, head, ok := s.received(w, r, v)
	if !ok {
		return
	}
	readRest(r)
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	seen, err := v.client.Preview(ctx, head.text, head.whole)
	if err != nil {
		s.refuse(w, r, v, "data", err)
		return
	}
	if text := v.nothingToLearn(seen, head.whole); text != "" {
		v.Fault = &fault{Title: v.must("fault.invalid"), Text: text}
		s.answer(w, r, v, pageOf("data"), http.StatusUnprocessableEntity)
		return
	}
	v.Data = &dataData{Preview: chosenOf(seen, up.fields)}
	s.answer(w, r, v, pageOf("data"), http.StatusOK)
}

// nothingToLearn says why a file can't be imported, whatever is chosen for it; "" if it might be.
func (l *language) nothingToLearn(seen api.DatasetPreview, whole bool) string {
	switch {
	case !whole: // more may come
	case seen.RowsRead == 0:
		return l.must("data.no_rows")
	case seen.Target == "" && len(seen.Rows) > 0:
		return l.must("data.no_target")
	}
	return ""
}

// previewed is what a file's beginning tells of it, and what is chosen for it.
type previewed struct {
	api.DatasetPreview
	SkipBad bool
	Refused bool // it was sent, so that only the browser has it
	ignored []string
}

// chosenOf has the fields' choices for the columns that there are.
func chosenOf(seen api.DatasetPreview, fields url.Values) *previewed {
	p := &previewed{DatasetPreview: seen, SkipBad: len(seen.Problems) > 0 || fields.Get("skip_bad") != "", ignored: fields["ignore"]}
	if target := fields.Get("target"); slices.ContainsFunc(seen.Columns, func(c api.PreviewColumn) bool { return c.Name == target }) {
		p.Target = target
	}
	return p
}

// Ignored tells that a column is left out: as chosen, and where it could be no feature.
func (p *previewed) Ignored(c api.PreviewColumn) bool {
	return c.Kind != "number" || slices.Contains(p.ignored, c.Name)
}

// importFile hands a file on to the API, which says what became of it.
func (s *Server) importFile(w http.ResponseWriter, r *http.Request, v *visit) {
	up, head, ok := s.received(w, r, v)
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.UploadPatience+readPatience)
	defer cancel()
	got, broken, err := up.sendTo(ctx, v.client)
	readRest(r)
	switch {
	case broken != nil:
		s.refuseUpload(w, r, v, broken)
	case err != nil:
		v.keepChoices(ctx, up, head, err)
		s.refuse(w, r, v, "data", err)
	case got.BadCount == 0 && got.CopyOf == 0:
		toDataset(w, r, got.GenerationID, "imported")
	default:
		v.query = url.Values{"id": {strconv.FormatInt(got.GenerationID, 10)}}
		v.Data = &dataData{Imported: &got}
		s.answer(w, r, v, pageOf("data"), http.StatusOK)
	}
}

// keepChoices has the page show what was chosen for a file that the API refused.
func (v *visit) keepChoices(ctx context.Context, up *upload, head beginning, err error) {
	if api.AsProblem(err) == nil {
		return // it is away
	}
	if seen, err := v.client.Preview(ctx, head.text, head.whole); err == nil && v.nothingToLearn(seen, head.whole) == "" {
		kept := chosenOf(seen, up.fields)
		kept.Refused = true
		v.Data = &dataData{Preview: kept}
	}
}

// sendTo hands the file on as it comes. The API may answer before it has all of it; broken is why the file did not
// come to its end by itself.
func (up *upload) sendTo(ctx context.Context, client *api.Client) (got api.ImportResponse, broken, err error) {
	spec := api.Upload{Name: up.name, Target: up.fields.Get("target"), SkipBad: up.fields.Get("skip_bad") != ""}
	spec.Ignore = slices.DeleteFunc(slices.Clone(up.fields["ignore"]), func(name string) bool { return name == spec.Target })
	file, coming := io.Pipe() // a request's body may still be read when its answer is there: this one's end is waited for
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(coming, up.file)
		_ = coming.CloseWithError(err) // nil: the end of the file
		ended <- err
	}()
	got, err = client.Import(ctx, file, spec)
	_ = file.Close()
	if broken = <-ended; errors.Is(broken, io.ErrClosedPipe) {
		broken = nil // the API has answered
	}
	return got, broken, err
}

// refuseUpload tells what is wrong with a form before the API has seen it, or why it could not be read.
func (s *Server) refuseUpload(w http.ResponseWriter, r *http.Request, v *visit, err error) {
	readRest(r)
	status, text := http.StatusBadRequest, v.must("data.cut_off")
	var large *http.MaxBytesError
	switch {
	case errors.Is(err, errNoFile):
		status, text = http.StatusUnprocessableEntity, v.must("data.no_file")
	case errors.Is(err, errLongFields):
		status, text = http.StatusRequestEntityTooLarge, v.must("data.long_fields")
	case errors.As(err, &large):
		status, text = http.StatusRequestEntityTooLarge, v.must("data.too_large")
	case errors.Is(err, os.ErrDeadlineExceeded):
		status, text = http.StatusRequestTimeout, v.must("data.too_slow")
	}
	v.Fault = &fault{Title: v.must("fault.invalid"), Text: text}
	r = r.WithContext(context.WithoutCancel(r.Context())) // which ends when a body can't be read in time
	s.answer(w, r, v, pageOf("data"), status)
}
