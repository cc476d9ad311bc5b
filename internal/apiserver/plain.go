package apiserver

import (
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"iacontinu/internal/api"
)

// describePlain adds to the document the routes that do not go through huma: those of predictions,
// which are many, of files, which are large, and of what is no JSON.
func (s *Server) describePlain() {
	number := &huma.Schema{Type: huma.TypeNumber, Description: "A finite number, or the same in a string"}
	row := &huma.Schema{Type: huma.TypeArray, Items: number, Description: "One number a feature, in the order of /model/info"}
	named := &huma.Schema{Type: huma.TypeObject, AdditionalProperties: number, Description: "A number for each feature by name"}
	features := &huma.Schema{OneOf: []*huma.Schema{row, named}, Examples: []any{[]float64{0.5, -0.2}}}

	predict := s.op(post, api.PathPredict, signedIn, "predictions", "predict", "Classify one row", 408, 413, 422, 429, 503, 507)
	predict.Description = "Answered when the prediction is in the log."
	asked := object("features", features)
	asked.Properties["explain"] = &huma.Schema{Type: huma.TypeBoolean, Description: "Say how the answer came about"}
	predict.RequestBody = jsonRequest(asked)
	predict.Responses["200"] = s.response("The prediction", api.PredictResponse{})
	s.describe(predict)

	most := api.MaxBatch
	batch := s.op(post, api.PathBatch, signedIn, "predictions", "predict-batch", "Classify many rows", 408, 413, 422, 429, 503, 507)
	batch.Description = "All rows are logged in one transaction, or none."
	batch.RequestBody = jsonRequest(object("instances", &huma.Schema{Type: huma.TypeArray, MaxItems: &most, Items: row, Examples: []any{[][]float64{{0.5, -0.2}, {1, 0}}}}))
	batch.Responses["200"] = s.response("The predictions", api.BatchResponse{})
	s.describe(batch)

	s.describe(s.uploadOp())
	s.describe(s.previewOp())
	s.describe(s.textOp(api.PathMetrics, "metrics", "Metrics for Prometheus", "text/plain"))
	s.describe(s.textOp(api.PathOpenAPI, "openapi", "This document", "application/json"))
	s.describe(s.textOp(api.PathDocs, "docs", "This document as a page", "text/html"))
}

func (s *Server) uploadOp() huma.Operation {
	text := &huma.Schema{Type: huma.TypeString}
	yes := &huma.Schema{Type: huma.TypeBoolean}
	file := &huma.Schema{Type: huma.TypeString, Format: "binary"}
	form := &huma.Schema{
		Type: huma.TypeObject, Required: []string{"file"},
		Properties: map[string]*huma.Schema{"target": text, "name": text, "ignore": text, "decimal": text, "skip_bad": yes, "file": file},
	}
	op := s.op(post, api.PathDatasets, signedIn, "data", "import", "Import a file of comma- or semicolon-separated values",
		408, 413, 415, 422, 429, 503, 507)
	op.Description = "The first line names the columns; all are numbers but the target, which has two values. A bad row refuses the whole file, unless skip_bad is set. " +
		fmt.Sprintf("The file is streamed, up to 1 GiB within an hour; %d at once of one caller, else 429, and %d in all (the last for an administrator), else 503. In a form, target, name, ignore, decimal and skip_bad must come before the file.", callerUploads, maxUploads)
	op.Parameters = []*huma.Param{
		{Name: "target", In: "query", Schema: text, Description: "The column that is predicted; required, here or in the form"},
		{Name: "name", In: "query", Schema: text, Description: "Shown in the catalogue"},
		{Name: "ignore", In: "query", Schema: text, Description: "Names of columns to leave out, separated by commas; given once more for each name that has a comma itself"},
		{Name: "decimal", In: "query", Schema: text, Description: "What stands before the fraction of numbers, \".\" or \",\"; left out, it is found out from the file"},
		{Name: "skip_bad", In: "query", Schema: yes, Description: "Leave bad rows out and report them"},
	}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
		"text/csv": {Schema: text}, "multipart/form-data": {Schema: form},
	}}
	op.Responses["201"] = s.response("The dataset", api.ImportResponse{})
	op.Responses["201"].Headers = map[string]*huma.Header{"Location": {Schema: text}}
	return op
}

func (s *Server) textOp(path, id, summary, contentType string) huma.Operation {
	op := s.op(get, path, open, "platform", id, summary)
	op.Responses["200"] = &huma.Response{
		Description: http.StatusText(http.StatusOK),
		Content:     map[string]*huma.MediaType{contentType: {Schema: &huma.Schema{Type: huma.TypeString}}},
	}
	return op
}

// describe adds an operation to the document without a handler.
func (s *Server) describe(op huma.Operation) { s.huma.OpenAPI().AddOperation(&op) }

func jsonRequest(schema *huma.Schema) *huma.RequestBody {
	return &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}
}

func object(name string, value *huma.Schema) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeObject, Required: []string{name}, Properties: map[string]*huma.Schema{name: value},
		AdditionalProperties: true,
	}
}
