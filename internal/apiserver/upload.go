package apiserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// How many files may be on their way at once, in all and of one caller: each costs memory for as long as its
// sender takes. The last place is for administrators, who can lock out those that hold the others.
const (
	maxUploads    = 8
	callerUploads = 2
	adminUploads  = 1
)

// multipartRoom is what a form may add to its file, in bytes.
const multipartRoom = 1 << 20

// maxIgnored is how often a form may have the field ignore, each time with several names.
const maxIgnored = 100

// upload takes a file of comma- or semicolon-separated values as it comes, without keeping it in
// memory: as the body, or as the part "file" of a form.
func (s *Server) upload(w http.ResponseWriter, r *http.Request) {
	body := newUploadBody(w, r, s.stopping, s.opt.UploadPatience)
	r.Body = body
	d, report, err := s.importFile(r)
	if body.err != nil {
		err = body.err // the cause, however it was worded on the way
	}
	body.answer()
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	err = s.audit(r.Context(), "import", fmt.Sprintf("dataset %d of %d rows imported", d.ID, d.Samples),
		map[string]any{"generation_id": d.ID, "name": d.Name, "samples": d.Samples, "bad_rows": report.BadCount})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	w.Header().Set("Location", api.DatasetPath(d.ID))
	s.writeJSON(w, r, http.StatusCreated, "application/json", api.ImportResponse{
		Dataset: datasetOf(d), Rows: report.Rows, BadCount: report.BadCount, Bad: list(report.Bad), CopyOf: report.CopyOf,
		IgnoredFields: exchangeOf(r.Context()).ignored,
	})
}

// uploadPlace is the leave to send a file, until done is called.
func (s *Server) uploadPlace(ctx context.Context) (done func(), err error) {
	who, left := identityOf(ctx), adminUploads
	if who.Role == ml.RoleAdmin {
		left = 0
	}
	done, own := s.uploads.TakeBut(left, actor(who))
	if done != nil {
		return done, nil
	}
	f := newFailure(http.StatusServiceUnavailable, ml.CodeUnavailable, fmt.Sprintf("%d files are being uploaded, and no more are taken at once: send this one when one of them has ended", maxUploads-left)).
		says("error.sending", nil)
	if own {
		f = newFailure(http.StatusTooManyRequests, "", fmt.Sprintf("%d files of yours are being uploaded, and no more are taken at once: send this one when one of them has ended", callerUploads)).
			says("error.sending_own", map[string]any{"n": callerUploads})
	}
	f.header.Set("Retry-After", "10")
	return nil, f
}

func (s *Server) importFile(r *http.Request) (ml.Dataset, ImportReport, error) {
	done, err := s.uploadPlace(r.Context())
	if err != nil {
		return ml.Dataset{}, ImportReport{}, err
	}
	defer done()
	if err := identityEncoding(r.Header); err != nil {
		return ml.Dataset{}, ImportReport{}, err
	}
	if r.ContentLength > api.MaxUpload+multipartRoom {
		return ml.Dataset{}, ImportReport{}, tooLarge(api.MaxUpload)
	}
	fields, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil { // a parameter would be left out without a word
		return ml.Dataset{}, ImportReport{}, invalidBody(ml.FieldError{Location: "query", Message: err.Error() + "; write ; as %3B and % as %25"})
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !isField(name) {
			exchangeOf(r.Context()).ignore(name)
		}
	}
	kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	file, where := io.Reader(r.Body), "query"
	switch {
	case r.Header.Get("Content-Type") == "", err == nil && kind == "text/csv":
	case err == nil && kind == "multipart/form-data":
		where = "body"
		if file, err = formFile(r, fields); err != nil {
			return ml.Dataset{}, ImportReport{}, err
		}
	default:
		return ml.Dataset{}, ImportReport{}, wrongType("text/csv or multipart/form-data")
	}
	spec, err := importSpec(fields, where)
	if err != nil {
		return ml.Dataset{}, ImportReport{}, err
	}
	return s.opt.Datasets.Import(r.Context(), file, spec)
}

// importSpec reads the fields that say how to read the file.
func importSpec(fields url.Values, where string) (Import, error) {
	const most = 200
	var wrong []ml.FieldError
	i := Import{
		Name: path.Base(strings.ReplaceAll(fields.Get("name"), `\`, "/")), Target: fields.Get("target"), Ignore: fields["ignore"],
	}
	if fields.Get("name") == "" {
		i.Name = ""
	}
	switch {
	case i.Target == "":
		message := "is required: the name of the column that is predicted"
		if where == "body" {
			message += "; send it before the file, which is read as it comes, or as ?target="
		}
		wrong = append(wrong, ml.FieldError{Location: where + ".target", Message: message})
	case len(i.Target) > most:
		wrong = append(wrong, ml.FieldError{Location: where + ".target", Message: fmt.Sprintf("must have at most %d bytes", most)})
	}
	if fault := ml.NameFault(i.Name); fault != "" {
		wrong = append(wrong, ml.FieldError{Location: where + ".name", Message: fault})
	}
	if given := fields.Get("skip_bad"); given != "" {
		var err error
		if i.SkipBad, err = strconv.ParseBool(given); err != nil {
			wrong = append(wrong, ml.FieldError{Location: where + ".skip_bad", Message: "must be true or false", Value: given})
		}
	}
	switch given := fields.Get("decimal"); given {
	case "":
	case ".", ",":
		i.Decimal = given[0]
	default:
		wrong = append(wrong, ml.FieldError{Location: where + ".decimal", Message: "must be . or ,", Value: given})
	}
	if wrong != nil {
		return Import{}, invalidBody(wrong...)
	}
	return i, nil
}

// formFile reads a form up to its file, which it returns. The other fields are added to those given.
func formFile(r *http.Request, fields url.Values) (io.Reader, error) {
	form, err := r.MultipartReader()
	if err != nil {
		return nil, badForm(err)
	}
	for {
		part, err := form.NextPart()
		if errors.Is(err, io.EOF) {
			return nil, invalidBody(ml.FieldError{Location: "body.file", Message: "is required: the file"})
		}
		if err != nil {
			return nil, badForm(err)
		}
		name := part.FormName()
		if name == "file" {
			if fields.Get("name") == "" {
				fields.Set("name", part.FileName())
			}
			return &lastFile{part: part, form: form, ignore: exchangeOf(r.Context()).ignore}, nil
		}
		if !isField(name) {
			exchangeOf(r.Context()).ignore(name)
			continue
		}
		const most = 1024
		value, err := io.ReadAll(io.LimitReader(part, most))
		if err != nil {
			return nil, badForm(err)
		}
		if name != "ignore" {
			fields.Del(name)
		}
		if fields.Add(name, string(value)); len(fields[name]) > maxIgnored {
			return nil, invalidBody(ml.FieldError{Location: "body." + name, Message: fmt.Sprintf("must come at most %d times", maxIgnored)})
		}
	}
}

func isField(name string) bool {
	return name == "target" || name == "name" || name == "ignore" || name == "decimal" || name == "skip_bad"
}

func badForm(cause error) error {
	wrong := invalidBody(ml.FieldError{Location: "body", Message: "is not multipart/form-data: a part is malformed or cut off, or Content-Type names no boundary, or another one"})
	return fmt.Errorf("%w: %w", wrong, cause)
}

// lastFile reads the file of a form and, before it reports its end, makes sure that nothing follows
// which would change how it should have been read.
type lastFile struct {
	part   *multipart.Part
	form   *multipart.Reader
	ignore func(name string) // a field that means nothing
}

// Read implements io.Reader.
func (f *lastFile) Read(b []byte) (int, error) {
	n, err := f.part.Read(b)
	if !errors.Is(err, io.EOF) {
		return n, err
	}
	for {
		next, err := f.form.NextPart()
		if errors.Is(err, io.EOF) {
			return n, io.EOF
		}
		if err != nil {
			return n, badForm(err)
		}
		name := next.FormName()
		if isField(name) || name == "file" {
			return n, invalidBody(ml.FieldError{Location: "body." + name, Message: "must come before the file in the form, or be given in the query"})
		}
		f.ignore(name)
	}
}
