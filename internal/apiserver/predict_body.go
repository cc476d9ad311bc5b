package apiserver

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

// parsePredict reads {"features":[...]} or {"features":{"name":...}} into dst, in the order of the
// schema, and whether "explain" is true beside it. Nearly every body is the plain form that parsePlain takes in one pass; any other goes
// through encoding/json, which also words the errors.
func parsePredict(body []byte, schema ml.Schema, dst []float64) (row []float64, explain bool, err error) {
	if row, ok := parsePlain(body, dst[:0]); ok && len(row) == len(schema.Features) {
		return row, false, nil
	}
	var fields map[string]json.RawMessage
	if err := decodeJSON(body, &fields); err != nil {
		return nil, false, err
	}
	raw, ok := fields["features"]
	if !ok {
		return nil, false, invalidBody(ml.FieldError{Location: "body.features", Message: "is required: a list of numbers, or an object of numbers by feature name"})
	}
	row, problems := parseRow(raw, schema, "body.features")
	explain, err = parseBool(fields["explain"])
	if err != nil {
		problems = append(problems, ml.FieldError{Location: "body.explain", Message: err.Error(), Value: excerpt(fields["explain"])})
	}
	if problems != nil {
		return nil, false, invalidBody(problems...)
	}
	return row, explain, nil
}

// parseBool reads true or false; what is absent is false. It is apart from parsePredict, whose plain path must not
// pay for a variable that is decoded into.
func parseBool(raw json.RawMessage) (bool, error) {
	var v bool
	if raw != nil && json.Unmarshal(raw, &v) != nil {
		return false, errors.New("must be true or false")
	}
	return v, nil
}

// parsePlain takes exactly one object with the one key "features" and a list of JSON numbers. It
// reports ok only for bodies that encoding/json would take with the same result.
func parsePlain(body []byte, dst []float64) (row []float64, ok bool) {
	s := scanner{body: body}
	if !s.next('{') || !s.literal(`"features"`) || !s.next(':') || !s.next('[') {
		return nil, false
	}
	for {
		v, ok := s.number()
		if !ok {
			return nil, false
		}
		dst = append(dst, v)
		if s.next(',') {
			continue
		}
		if s.next(']') && s.next('}') && s.end() {
			return dst, true
		}
		return nil, false
	}
}

// scanner walks over JSON text; each method skips white space first.
type scanner struct {
	body []byte
	at   int
}

func (s *scanner) skip() {
	for s.at < len(s.body) {
		switch s.body[s.at] {
		case ' ', '\t', '\n', '\r':
			s.at++
		default:
			return
		}
	}
}

func (s *scanner) next(c byte) bool {
	s.skip()
	if s.at < len(s.body) && s.body[s.at] == c {
		s.at++
		return true
	}
	return false
}

func (s *scanner) literal(text string) bool {
	s.skip()
	if len(s.body)-s.at < len(text) || string(s.body[s.at:s.at+len(text)]) != text {
		return false
	}
	s.at += len(text)
	return true
}

func (s *scanner) end() bool {
	s.skip()
	return s.at == len(s.body)
}

func (s *scanner) number() (float64, bool) {
	s.skip()
	n := numberLength(s.body[s.at:])
	if n == 0 {
		return 0, false
	}
	text := s.body[s.at : s.at+n]
	s.at += n
	v, err := strconv.ParseFloat(unsafe.String(&text[0], n), 64)
	return v, err == nil
}

// numberLength is the length of the number that text begins with by the grammar of JSON (RFC 8259,
// section 6), 0 if it begins with none.
func numberLength(text []byte) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(text) && '0' <= text[i] && text[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(text) && text[i] == '-' {
		i++
	}
	if i < len(text) && text[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(text) && text[i] == '.' {
		i++
		if !digits() {
			return 0
		}
	}
	if i < len(text) && (text[i] == 'e' || text[i] == 'E') {
		i++
		if i < len(text) && (text[i] == '+' || text[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

// parseRow reads one row: a list of numbers in the schema's order, or an object of numbers by name.
// It names every wrong value.
func parseRow(raw json.RawMessage, schema ml.Schema, location string) ([]float64, []ml.FieldError) {
	switch firstByte(raw) {
	case '[':
		return parseRowByPosition(raw, schema, location)
	case '{':
		return parseRowByName(raw, schema, location)
	}
	return nil, []ml.FieldError{{Location: location, Message: "must be a list of numbers, or an object of numbers by feature name", Value: excerpt(raw)}}
}

func parseRowByPosition(raw json.RawMessage, schema ml.Schema, location string) ([]float64, []ml.FieldError) {
	var values []json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, []ml.FieldError{{Location: location, Message: err.Error()}}
	}
	if len(values) != len(schema.Features) { // which number is which is not known, and there may be a million
		return nil, []ml.FieldError{{
			Location: location,
			Message:  fmt.Sprintf("must hold %d numbers (%s), holds %d", len(schema.Features), nameList(schema.Features), len(values)),
		}}
	}
	var problems []ml.FieldError
	row := make([]float64, 0, len(schema.Features))
	for i, value := range values {
		if len(problems) == maxProblems {
			break
		}
		v, err := parseNumber(value)
		if err != nil {
			problems = append(problems, ml.FieldError{Location: fmt.Sprintf("%s[%d]", location, i), Message: err.Error(), Value: excerpt(value)})
		}
		row = append(row, v)
	}
	return row, problems
}

func parseRowByName(raw json.RawMessage, schema ml.Schema, location string) ([]float64, []ml.FieldError) {
	var values map[string]json.RawMessage
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, []ml.FieldError{{Location: location, Message: err.Error()}}
	}
	var problems []ml.FieldError
	missing := "" // worded once: it takes a look at all names
	row := make([]float64, len(schema.Features))
	for i, name := range schema.Features {
		if len(problems) == maxProblems {
			break
		}
		value, ok := values[name]
		if !ok {
			if missing == "" {
				missing = "is missing" + unknownNames(values, schema)
			}
			problems = append(problems, ml.FieldError{Location: location + "." + name, Message: missing})
			continue
		}
		v, err := parseNumber(value)
		if err != nil {
			problems = append(problems, ml.FieldError{Location: location + "." + name, Message: err.Error(), Value: excerpt(value)})
		}
		row[i] = v
	}
	return row, problems
}

// maxProblems bounds how many wrong values one answer names.
const maxProblems = 100

// unknownNames hints at a misspelt feature: unknown names alone are ignored.
func unknownNames(values map[string]json.RawMessage, schema ml.Schema) string {
	given := maps.Clone(values)
	for _, name := range schema.Features {
		delete(given, name)
	}
	if len(given) == 0 {
		return ""
	}
	const most = 5
	unknown := slices.Sorted(maps.Keys(given))
	unknown = unknown[:min(len(unknown), most)]
	for i, name := range unknown {
		unknown[i] = strconv.Quote(shortened(name))
	}
	return "; unknown names given: " + strings.Join(unknown, ", ")
}

// parseNumber takes a JSON number or a string that holds one. Infinities, NaN and numbers beyond the
// range of a float64 are refused.
func parseNumber(raw json.RawMessage) (float64, error) {
	text := bytes.TrimSpace(raw)
	if firstByte(raw) == '"' {
		var s string
		if err := json.Unmarshal(raw, &s); err != nil {
			return 0, errors.New("must be a number")
		}
		text = []byte(strings.TrimSpace(s))
	}
	if n := numberLength(text); n == 0 || n != len(text) {
		return 0, errors.New("must be a finite number")
	}
	v, err := strconv.ParseFloat(string(text), 64)
	if err != nil || math.IsInf(v, 0) {
		return 0, fmt.Errorf("must be a number between -%.4g and %.4g", math.MaxFloat64, math.MaxFloat64)
	}
	return v, nil
}

// decodeJSON reads a JSON object and words what is wrong with it, with the place.
func decodeJSON(body []byte, into any) error {
	if len(bytes.TrimSpace(body)) == 0 {
		return invalidBody(ml.FieldError{Location: "body", Message: `is empty, expected JSON such as {"features":[0.5,-0.2]}`})
	}
	err := json.Unmarshal(body, into)
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &syntax):
		return invalidBody(ml.FieldError{Location: "body", Message: fmt.Sprintf("is not JSON: %v at byte %d", err, syntax.Offset)})
	case errors.As(err, &kind):
		return invalidBody(ml.FieldError{Location: "body", Message: "must be a JSON object, is a " + kind.Value})
	default:
		return invalidBody(ml.FieldError{Location: "body", Message: fmt.Sprintf("is not JSON: %v", err)})
	}
}

func invalidBody(fields ...ml.FieldError) error {
	return &ml.Error{Code: ml.CodeInvalid, Message: "validation failed", Fields: fields}
}

func firstByte(raw json.RawMessage) byte {
	if trimmed := bytes.TrimLeft(raw, " \t\r\n"); len(trimmed) > 0 {
		return trimmed[0]
	}
	return 0
}

func nameList(names []string) string {
	const most = 10
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:most], ", ") + fmt.Sprintf(" and %d more", len(names)-most)
}

// excerpt is a value as given, the text of a string, shortened.
func excerpt(raw json.RawMessage) string {
	text := string(bytes.TrimSpace(raw))
	if firstByte(raw) == '"' {
		_ = json.Unmarshal(raw, &text) // else it stays as given
	}
	return shortened(text)
}

// shortened is a text cut so that an answer stays small.
func shortened(text string) string {
	const most = 80
	text = strings.ToValidUTF8(text, "?")
	if len(text) > most {
		return strings.ToValidUTF8(text[:most], "") + "..."
	}
	return text
}

// parseBatch reads {"instances":[[...],...]}; each row may also be an object by name.
func parseBatch(body []byte, schema ml.Schema) ([][]float64, error) {
	var fields map[string]json.RawMessage
	if err := decodeJSON(body, &fields); err != nil {
		return nil, err
	}
	var instances []json.RawMessage
	if raw, ok := fields["instances"]; !ok || json.Unmarshal(raw, &instances) != nil || instances == nil {
		return nil, invalidBody(ml.FieldError{Location: "body.instances", Message: "is required: a list of rows"})
	}
	if n := len(instances); n == 0 || n > api.MaxBatch {
		return nil, invalidBody(ml.FieldError{Location: "body.instances", Message: fmt.Sprintf("must hold 1 to %d rows, holds %d", api.MaxBatch, n)})
	}
	rows := make([][]float64, len(instances))
	var wrong []ml.FieldError
	for i, raw := range instances {
		row, problems := parseRow(raw, schema, fmt.Sprintf("body.instances[%d]", i))
		rows[i], wrong = row, append(wrong, problems...)
		if len(wrong) >= maxProblems {
			break
		}
	}
	if wrong != nil {
		return nil, invalidBody(wrong[:min(len(wrong), maxProblems)]...)
	}
	return rows, nil
}
