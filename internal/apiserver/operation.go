package apiserver

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humachi"

	"iacontinu/internal/api"
)

// none is the input or output of an operation that has none.
type none struct{}

// with is an input or output that is a body alone.
type with[T any] struct{ Body T }

// Newest is the input of an operation that lists the newest of something. It is exported for huma, which fills no
// other embedded struct.
type Newest struct {
	Limit  int   `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many, newest first"`
	Before int64 `query:"before" minimum:"1" doc:"Only what is older than the entry of this id (of a dataset its generation_id): the id of the last entry gives the next ones"`
}

// newHuma returns the API that operations are added to, without huma's own routes and without the
// $schema that it would put into answers.
func (s *Server) newHuma() huma.API {
	c := huma.DefaultConfig("IA Continu", s.opt.Version)
	c.Info.Description = "Serves a tabular classifier, watches it for drift, retrains it and lets a better one in."
	c.OpenAPIPath, c.DocsPath, c.SchemasPath = "", "", ""
	c.CreateHooks = nil
	c.AllowAdditionalPropertiesByDefault = true // unknown fields are ignored
	c.Transformers = []huma.Transformer{transform}
	format := huma.Format{Marshal: func(w io.Writer, v any) error { return encodeJSON(w, v) }, Unmarshal: unmarshal}
	c.Formats = map[string]huma.Format{"application/json": format, "json": format}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "The access_token of POST " + api.PathLogin},
	}
	return huma.NewAPI(c, operations{s})
}

// unmarshal is json.Unmarshal, but for the tree that huma validates: there a number beyond the range
// of a float64 becomes an infinity, which the bounds of its field refuse by name.
func unmarshal(data []byte, v any) error {
	tree, ok := v.(*any)
	if !ok {
		return decoded(json.Unmarshal(data, v))
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	if err := d.Decode(tree); err != nil {
		return err
	}
	*tree = floats(*tree)
	return nil
}

// decoded words an error of encoding/json without the names that things have in this program.
func decoded(err error) error {
	var kind *json.UnmarshalTypeError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &kind):
		return fmt.Errorf("%s is of a wrong kind: %s", cmp.Or(kind.Field, "it"), kind.Value)
	}
	return errors.New("has a value of a wrong kind")
}

func floats(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, _ := strconv.ParseFloat(string(v), 64) // out of range gives an infinity
		return f
	case []any:
		for i := range v {
			v[i] = floats(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = floats(v[k])
		}
	}
	return v
}

// operations is huma's way to the router: each operation enters by its access, and its body is
// checked first.
type operations struct{ *Server }

// Handle implements huma.Adapter.
func (o operations) Handle(op *huma.Operation, handler func(huma.Context)) {
	next := func(w http.ResponseWriter, r *http.Request) { handler(humachi.NewContext(op, r, w)) }
	if op.RequestBody != nil {
		schema := op.RequestBody.Content["application/json"].Schema
		if schema.Ref != "" {
			schema = o.huma.OpenAPI().Components.Schemas.SchemaFromRef(schema.Ref)
		}
		next = o.jsonBody(op.RequestBody.Required, schema.Properties, next)
	}
	o.handle(op.Method, op.Path, op.Metadata["access"].(access), next)
}

// op describes an operation: what it is called and which errors it has beside those of its access
// and its body.
func (s *Server) op(method, path string, a access, tag, id, summary string, errors ...int) huma.Operation {
	op := huma.Operation{
		Method: method, Path: path, OperationID: id, Summary: summary, Tags: []string{tag},
		Metadata:  map[string]any{"access": a},
		Responses: map[string]*huma.Response{},
		// The body is read before huma comes to it.
		MaxBodyBytes: -1, BodyReadTimeout: -1,
	}
	errors = append(errors, http.StatusInternalServerError)
	if a != open {
		op.Security = []map[string][]string{{"bearer": {}}}
		errors = append(errors, http.StatusUnauthorized)
	}
	if a == adminOnly {
		errors = append(errors, http.StatusForbidden)
	}
	for _, status := range errors {
		op.Responses[strconv.Itoa(status)] = s.problemResponse(status)
	}
	return op
}

// problemResponse describes an error answer.
func (s *Server) problemResponse(status int) *huma.Response {
	text := &huma.Schema{Type: huma.TypeString}
	r := &huma.Response{
		Description: http.StatusText(status),
		Content:     map[string]*huma.MediaType{api.ProblemType: {Schema: s.schema(api.Problem{})}},
	}
	switch status {
	case http.StatusUnauthorized:
		r.Headers = map[string]*huma.Header{"WWW-Authenticate": {Schema: text}}
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		r.Headers = map[string]*huma.Header{"Retry-After": {Schema: &huma.Schema{Type: huma.TypeInteger}, Description: "Seconds"}}
	}
	return r
}

// schema is the schema of a value's type in the document.
func (s *Server) schema(v any) *huma.Schema {
	return s.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(v), true, "")
}

// add registers an operation. Errors of the handler become problems.
func add[I, O any](s *Server, op huma.Operation, handler func(context.Context, *I) (*O, error)) {
	bodyErrors := []int{http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}
	in := reflect.TypeFor[I]()
	if _, ok := in.FieldByName("Body"); !ok {
		bodyErrors = nil
		if in.NumField() > 0 { // parameters
			bodyErrors = []int{http.StatusUnprocessableEntity}
		}
	}
	for _, status := range bodyErrors {
		op.Responses[strconv.Itoa(status)] = s.problemResponse(status)
	}
	huma.Register(s.huma, op, func(ctx context.Context, input *I) (*O, error) {
		out, err := handler(ctx, input)
		if err != nil {
			return nil, s.failed(ctx, err)
		}
		return out, nil
	})
}

// openAPI is the document of all operations.
func (s *Server) openAPI() ([]byte, error) {
	doc := s.huma.OpenAPI()
	// Huma's own error model, which no answer has.
	for _, name := range []string{"ErrorModel", "ErrorDetail"} {
		delete(doc.Components.Schemas.Map(), name)
	}
	b, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		return nil, err
	}
	return slices.Concat(b, []byte("\n")), nil
}
