package webui

import (
	"bufio"
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
			up.name, up.file = part.FileName(), bufio.NewReader(part)
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

// readRest reads what is left of a form: a browser that is still sending does not read the answer.
func readRest(r *http.Request) { _, _ = io.Copy(io.Discard, r.Body) }

// preview shows what the beginning of a file tells of it, before anything is kept.
func (s *Server) preview(w http.ResponseWriter, r *http.Request, v *visit) {
	v.Path = "/data"
	up, err := s.uploaded(w, r)
	if err != nil {
		s.refuseUpload(w, r, v, err)
		return
	}
	head, err := io.ReadAll(io.LimitReader(up.file, api.MaxPreview))
	if err != nil {
		s.refuseUpload(w, r, v, err)
		return
	}
	_, end := up.file.Peek(1)
	whole := errors.Is(end, io.EOF) && up.fields.Get("cut") == ""
	readRest(r)
	ctx, cancel := context.WithTimeout(r.Context(), s.opt.Patience)
	defer cancel()
	seen, err := v.client.Preview(ctx, head, whole)
	if err != nil {
		s.refuse(w, r, v, "data", err)
		return
	}
	v.Data = &dataData{Preview: &seen}
	s.answer(w, r, v, pageOf("data"), http.StatusOK)
}

// importFile hands a file on to the API, which says what became of it.
func (s *Server) importFile(w http.ResponseWriter, r *http.Request, v *visit) {
	v.Path = "/data"
	up, err := s.uploaded(w, r)
	if err != nil {
		s.refuseUpload(w, r, v, err)
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
		s.refuse(w, r, v, "data", err)
	case got.BadCount == 0 && got.CopyOf == 0:
		toDataset(w, r, got.GenerationID, "imported")
	default:
		v.query = url.Values{"id": {strconv.FormatInt(got.GenerationID, 10)}}
		v.Data = &dataData{Imported: &got}
		s.answer(w, r, v, pageOf("data"), http.StatusOK)
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
