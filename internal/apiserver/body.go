package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"iacontinu/internal/ml"
)

// The greatest sizes of JSON bodies in bytes: of predictions, which are decoded in turn, and of all other
// operations, which have a few fields. Strangers may send the latter, and a tree of their values would take sixty
// times their bytes. A check that asks for a retraining sends its report along.
const (
	maxJSON   = 1 << 20
	maxFields = 8 << 10
	maxReport = 128 << 10
)

// bodyPatience is how long the whole of a JSON body may take.
const bodyPatience = 15 * time.Second

// What is left of a body is read before an answer that was not waiting for it: so many bytes, within that time.
const (
	settleBytes    = 256 << 10
	settlePatience = time.Second
)

// lingerBytes is how much of a refused body is read nevertheless: a client that has begun to send it
// reads the answer only afterwards, and takes a closed connection for an outage.
const lingerBytes = 128 << 20

// jsonBody checks a JSON body before huma sees it: size, content type, syntax; and takes out the fields
// that are not known. Where the body is not required, an empty one and null count as absent, whatever
// their content type.
func (s *Server) jsonBody(required bool, known map[string]*huma.Schema, next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		limit := int64(maxFields)
		if role := w.(*exchange).who.Role; role == ml.RoleService || role == ml.RoleAdmin {
			limit = maxReport
		}
		body, err := s.readBody(w, r, limit)
		if err == nil {
			body, err = checkJSON(r.Header, body, required)
		}
		if err != nil {
			s.refuse(w, r, err)
			return
		}
		body = sift(body, known, w.(*exchange).ignore)
		r.Body, r.ContentLength = http.NoBody, int64(len(body))
		if len(body) > 0 {
			r.Body = io.NopCloser(bytes.NewReader(body))
		}
		next(w, r)
	}
}

// sift is a JSON object without the fields that are not known, which it ignores in order. A name in another
// case is not known: encoding/json would take it, but huma validates exact names only.
func sift(body []byte, known map[string]*huma.Schema, ignore func(name string)) []byte {
	var sent map[string]json.RawMessage
	if json.Unmarshal(body, &sent) != nil { // no body, or no object
		return body
	}
	all := len(sent)
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		if known[name] == nil {
			ignore(name)
			delete(sent, name)
		}
	}
	if len(sent) == all {
		return body
	}
	kept, _ := json.Marshal(sent) // what was read as JSON can be written as it
	return kept
}

// readBody reads a body of at most limit bytes.
func (s *Server) readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	if err := identityEncoding(r.Header); err != nil {
		return nil, err
	}
	if r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	var body []byte
	err := inTime(w, func() (err error) {
		body, err = io.ReadAll(io.LimitReader(r.Body, limit+1))
		return err
	})
	if err != nil {
		return nil, unreadable(err)
	}
	if int64(len(body)) > limit {
		return nil, tooLarge(limit)
	}
	return body, nil
}

// inTime bounds the time that a body may take to be read; what follows may take its own.
func inTime(w http.ResponseWriter, read func() error) error {
	deadline := http.NewResponseController(w)
	_ = deadline.SetReadDeadline(time.Now().Add(bodyPatience)) // a recorder in a test has none
	err := read()
	if err == nil {
		_ = deadline.SetReadDeadline(time.Time{})
	}
	return err
}

// errUnreadable marks what went wrong while a body came: that is its sender's or the network's doing.
var errUnreadable = errors.New("apiserver: read body")

func unreadable(err error) error { return fmt.Errorf("%w: %w", errUnreadable, err) }

func tooLarge(limit int64) *ml.Error {
	return ml.Errorf(ml.CodeTooLarge, "the body is over the limit of %d bytes", limit).Says("error.body_size", map[string]any{"limit": limit})
}

func checkJSON(h http.Header, body []byte, required bool) ([]byte, error) {
	body = bytes.TrimSpace(body)
	if absent := len(body) == 0 || !required && string(body) == "null"; absent {
		if required {
			return nil, invalidBody(ml.FieldError{Location: "body", Message: "is empty, expected a JSON object"})
		}
		return nil, nil
	}
	if err := jsonType(h.Get("Content-Type")); err != nil {
		return nil, err
	}
	var whole json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil {
		message := "is not JSON: " + err.Error()
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) {
			message = fmt.Sprintf("is not JSON: %v at byte %d", err, syntax.Offset)
		}
		return nil, invalidBody(ml.FieldError{Location: "body", Message: message})
	}
	return body, nil
}

// jsonType takes JSON and what names no type at all.
func jsonType(contentType string) error {
	if contentType == "" {
		return nil
	}
	kind, _, err := mime.ParseMediaType(contentType)
	if err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json")) {
		return nil
	}
	return wrongType("application/json")
}

func wrongType(wanted string) *failure {
	return newFailure(http.StatusUnsupportedMediaType, "", "the body must be "+wanted+": say so in Content-Type")
}

func identityEncoding(h http.Header) error {
	if e := h.Get("Content-Encoding"); e != "" && !strings.EqualFold(e, "identity") {
		return newFailure(http.StatusUnsupportedMediaType, "", "the body must not be compressed")
	}
	return nil
}

// requestBody is a body as it comes, of which is known whether it has ended.
type requestBody struct {
	io.ReadCloser       // nil without a body
	asked         bool  // that it be sent, before it is: net/http does so at the first Read (Expect: 100-continue)
	length        int64 // as announced, -1 if it is not
	err           error
}

// Read implements io.Reader.
func (b *requestBody) Read(p []byte) (int, error) {
	b.asked = false
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.err = err
	}
	return n, err
}

// coming reports whether there may be more of it on its way.
func (b *requestBody) coming() bool {
	return b.ReadCloser != nil && !b.asked && !errors.Is(b.err, io.EOF)
}

// settle comes before an answer. What is left of a body that nobody has read to its end is read if it is little
// and here already, as a client that has sent all of it may ask on. Otherwise the connection ends with the answer,
// which need not wait: net/http would read on before it, for as long as the whole request may take. An error that
// is told in the middle of a long body is told at once: after a deadline in the middle of a chunk the rest could not
// be read.
func (b *requestBody) settle(w http.ResponseWriter, status int) {
	if !b.coming() {
		return
	}
	if b.err == nil {
		_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(settlePatience)) // a recorder in a test has none
		if status < http.StatusBadRequest || 0 < b.length && b.length <= settleBytes {
			_, _ = io.CopyN(io.Discard, b, settleBytes) // an error shows in b.err
		}
	}
	if b.coming() {
		w.Header().Set("Connection", "close")
	}
}

// refuse answers with an error and reads on for a while if the client is still sending.
func (s *Server) refuse(w http.ResponseWriter, r *http.Request, err error) {
	s.refuseWith(w, r, s.failed(r.Context(), err))
}

func (s *Server) refuseWith(w http.ResponseWriter, r *http.Request, f *failure) {
	body := &w.(*exchange).body
	s.write(w, r, f)
	if !body.coming() {
		return
	}
	c := http.NewResponseController(w)
	if c.Flush() == nil && c.SetReadDeadline(time.Now().Add(s.opt.LingerPatience)) == nil {
		_, _ = io.CopyN(io.Discard, body, lingerBytes) // an error ends it as well as the end does
	}
}
