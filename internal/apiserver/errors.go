package apiserver

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// statusOf is the one table from the codes of errors to HTTP. A code that is not here is internal.
func statusOf(c ml.Code) int {
	switch c {
	case ml.CodeInvalid, ml.CodeUnprocessed:
		return http.StatusUnprocessableEntity
	case ml.CodeUnauthorized:
		return http.StatusUnauthorized
	case ml.CodeForbidden:
		return http.StatusForbidden
	case ml.CodeNotFound:
		return http.StatusNotFound
	case ml.CodeConflict:
		return http.StatusConflict
	case ml.CodeTooLarge:
		return http.StatusRequestEntityTooLarge
	case ml.CodeUnavailable:
		return http.StatusServiceUnavailable
	case ml.CodeStorageFull, ml.CodeNotWritable:
		return http.StatusInsufficientStorage
	}
	return http.StatusInternalServerError
}

// statusClientGone is written to nobody: the client closed the connection (nginx's number).
const statusClientGone = 499

// failure is an error on its way to the client. It is huma's StatusError, HeadersError and
// ContentTypeFilter.
type failure struct {
	api.Problem
	header http.Header
	cause  error // for the log only
}

// newFailure makes a failure; one that package ml has no code for is called after its status.
func newFailure(status int, code ml.Code, detail string) *failure {
	title := http.StatusText(status)
	switch status {
	case statusClientGone:
		title = "Client Closed Request"
	case http.StatusInternalServerError:
		code = cmp.Or(code, "internal")
	}
	code = cmp.Or(code, ml.Code(strings.ReplaceAll(strings.ToLower(title), " ", "_")))
	return &failure{Problem: api.Problem{Status: status, Title: title, Code: string(code), Detail: detail}, header: http.Header{}}
}

// says adds what the detail says, for whoever words it in another language, and returns f.
func (f *failure) says(code string, values map[string]any) *failure {
	f.Remarks = append(f.Remarks, api.Remark{Code: code, Values: values})
	return f
}

// GetStatus implements huma.StatusError.
func (f *failure) GetStatus() int { return f.Status }

// GetHeaders implements huma.HeadersError.
func (f *failure) GetHeaders() http.Header { return f.header }

// ContentType implements huma.ContentTypeFilter.
func (f *failure) ContentType(string) string { return api.ProblemType }

// Unwrap returns the cause.
func (f *failure) Unwrap() error { return f.cause }

// failureOf is what the client is told of an error.
func failureOf(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		own := *f // many requests may share an error, and each puts its id in
		return &own
	}
	f = plainFailure(err)
	f.cause = err
	switch f.Status {
	case http.StatusUnauthorized:
		f.header.Set("WWW-Authenticate", "Bearer")
	case http.StatusServiceUnavailable:
		f.header.Set("Retry-After", "1")
	}
	return f
}

func plainFailure(err error) *failure {
	var coded *ml.Error
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return plainFailure(tooLarge(large.Limit))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return newFailure(http.StatusRequestTimeout, "", "the body came too slowly").says("error.slow_body", nil)
	case ml.DiskFull(err):
		return newFailure(http.StatusInsufficientStorage, ml.CodeStorageFull, "the disk is full").says("error.disk_full", nil)
	case errors.As(err, &coded) && statusOf(coded.Code) != http.StatusInternalServerError:
		f := newFailure(statusOf(coded.Code), coded.Code, coded.Message)
		f.Remarks = remarksOf(coded.Remarks)
		for _, field := range coded.Fields {
			f.Errors = append(f.Errors, api.FieldError{Location: field.Location, Message: field.Message, Value: shown(field.Location, field.Value)})
		}
		return f
	case errors.Is(err, context.Canceled):
		return newFailure(statusClientGone, "", "the request was given up")
	case errors.Is(err, context.DeadlineExceeded):
		return newFailure(http.StatusServiceUnavailable, ml.CodeUnavailable, "it took too long: try again").says("error.too_long", nil)
	case errors.Is(err, io.ErrUnexpectedEOF):
		return newFailure(http.StatusBadRequest, "", "the body ended before its end")
	case errors.Is(err, errUnreadable):
		return newFailure(http.StatusBadRequest, "", "the body could not be read: the connection broke, or Transfer-Encoding: chunked was said and its chunks are malformed")
	}
	return newFailure(http.StatusInternalServerError, "", "something went wrong here: quote the request id to whoever runs this server").says("error.server", nil)
}

// ended puts why the request ended before what came of that: database/sql rolls a request's transaction back by
// itself, and who uses it on learns only that it is over.
func ended(ctx context.Context, err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return errors.Join(ctx.Err(), err)
	}
	return err
}

// failed is failureOf for a request: it takes the request's id and is logged if it is ours.
func (s *Server) failed(ctx context.Context, err error) *failure {
	f := failureOf(ended(ctx, err))
	f.RequestID = RequestID(ctx)
	switch {
	case f.Status == http.StatusInternalServerError:
		s.log.ErrorContext(ctx, "request failed", "error", cmp.Or(f.cause, err))
	case f.Status > http.StatusInternalServerError:
		s.log.WarnContext(ctx, "request not served", "error", cmp.Or(f.cause, err))
	}
	return f
}

// fail answers a plain route with an error.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, err error) {
	s.write(w, r, s.failed(r.Context(), err))
}

// write sends a failure.
func (s *Server) write(w http.ResponseWriter, r *http.Request, f *failure) {
	f.RequestID = RequestID(r.Context())
	for name, values := range f.header {
		w.Header()[name] = values
	}
	s.writeJSON(w, r, f.Status, api.ProblemType, f)
}

// writeJSON answers a plain route.
func (s *Server) writeJSON(w http.ResponseWriter, r *http.Request, status int, contentType string, body any) {
	var b bytes.Buffer
	if err := encodeJSON(&b, body); err != nil {
		s.log.ErrorContext(r.Context(), "answer not encoded", "error", err)
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", contentType)
	w.Header().Set("Content-Length", strconv.Itoa(b.Len()))
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // an error says that the client has gone
}

func encodeJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// transform replaces huma's own errors, which come of validation, by problems as all others are.
func transform(ctx huma.Context, _ string, v any) (any, error) {
	m, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	f := newFailure(m.Status, ml.CodeInvalid, "validation failed")
	f.RequestID = RequestID(ctx.Context())
	for _, e := range m.Errors {
		f.Errors = append(f.Errors, fieldOf(e))
	}
	f.Remarks = rulesOf(f.Errors)
	return f, nil
}

// rules are what a person may give for a field of a form: one sentence, whichever part of the rule was not kept.
var rules = map[string]api.Remark{
	"body.username":     {Code: "error.username"},
	"body.email":        {Code: "error.email"},
	"body.role":         {Code: "error.role"},
	"body.password":     {Code: "error.password", Values: passwordLength},
	"body.new_password": {Code: "error.password", Values: passwordLength},
}

var passwordLength = map[string]any{"least": 8, "most": 128} // as in package api's bodies

// rulesOf are the rules of the fields; nil if one has no words, since the others would hide it.
func rulesOf(fields []api.FieldError) (out []api.Remark) {
	said := map[string]bool{}
	for _, field := range fields {
		rule, ok := rules[field.Location]
		if !ok {
			return nil
		}
		if !said[field.Location] {
			out = append(out, rule)
		}
		said[field.Location] = true
	}
	return out
}

// fieldOf is one of huma's findings. A missing field is placed where it should be and not at the
// object that lacks it.
func fieldOf(e *huma.ErrorDetail) api.FieldError {
	before, after, _ := strings.Cut(validation.MsgExpectedRequiredProperty, "%s")
	if name, ok := strings.CutPrefix(e.Message, before); ok && strings.HasSuffix(name, after) {
		return api.FieldError{Location: e.Location + "." + strings.TrimSuffix(name, after), Message: "is required"}
	}
	return api.FieldError{Location: e.Location, Message: e.Message, Value: shown(e.Location, e.Value)}
}

// shown is a value as it may be repeated to the client: a short one that is no secret, nor the whole body,
// which may have one.
func shown(location string, value any) any {
	const most = 100
	if location == "body" || strings.Contains(location, "password") || strings.Contains(location, "token") {
		return nil
	}
	switch v := value.(type) {
	case bool, int, int64, uint64:
		return v
	case float64:
		if !math.IsInf(v, 0) && !math.IsNaN(v) {
			return v
		}
	case string:
		if len(v) <= most {
			return v
		}
	}
	return nil
}
