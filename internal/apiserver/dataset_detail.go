package apiserver

import (
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
	"iacontinu/internal/tabular"
)

func (s *Server) dataset(ctx context.Context, in *byID) (*with[api.DatasetDetail], error) {
	ds, err := s.opt.Catalogue.Dataset(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := api.DatasetDetail{Dataset: datasetOf(ds), Drift: ds.Drift, Seed: ds.Seed, FeatureDetails: []api.DatasetFeature{}}
	versions, active, err := s.opt.Catalogue.TrainedOn(ctx, ds.ID)
	if err != nil {
		return nil, err
	}
	out.UsedBy, out.NeededBy = list(versions), active
	sum, err := s.opt.Datasets.Summary(ctx, ds)
	var unreadable *ml.Error
	switch {
	case errors.As(err, &unreadable) && unreadable.Code == ml.CodeUnprocessed: // the file is lost, the catalogue is not
		s.log.WarnContext(ctx, "dataset described without its rows", "dataset", ds.ID, "error", err)
		out.Problem, out.ProblemRemarks = unreadable.Message, remarksOf(unreadable.Remarks)
	case err != nil:
		return nil, err
	}
	out.SummarisedRows = sum.Rows
	for _, f := range sum.Features {
		out.FeatureDetails = append(out.FeatureDetails, api.DatasetFeature{
			Name: f.Name, Min: f.Min, Max: f.Max, Mean: f.Mean, Scale: f.SD, Edges: f.Edges, Counts: f.Counts,
		})
	}
	return &with[api.DatasetDetail]{out}, nil
}

// handlePreview answers POST /datasets/preview. Nothing is kept.
func (s *Server) handlePreview(w http.ResponseWriter, r *http.Request) {
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "text/csv" {
		s.refuse(w, r, wrongType("text/csv"))
		return
	}
	head, err := s.readBody(w, r, api.MaxPreview)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	p, err := tabular.NewPreview(head, r.URL.Query().Get("whole") == "true")
	if err != nil {
		s.fail(w, r, notATable(err))
		return
	}
	s.writeJSON(w, r, http.StatusOK, jsonContent[0], previewOf(p))
}

// notATable is what a preview has against a file.
func notATable(err error) error {
	out := &ml.Error{Code: ml.CodeUnprocessed, Message: err.Error(), Err: err}
	var file *tabular.FileError
	if errors.As(err, &file) {
		for _, r := range file.Remarks {
			out.Remarks = append(out.Remarks, ml.Remark(r))
		}
	}
	return out
}

func previewOf(p tabular.Preview) api.DatasetPreview {
	out := api.DatasetPreview{
		Delimiter: string(p.Delimiter), Decimal: string(p.Decimal), Target: p.Target, Rows: make([][]string, len(p.Rows)), RowsRead: p.Read,
		Columns: make([]api.PreviewColumn, len(p.Columns)), Problems: []api.BadRow{},
	}
	for j, c := range p.Columns {
		out.Columns[j] = api.PreviewColumn{Name: c.Name, Kind: c.Kind, Empty: c.Empty, Values: shortenedAll(c.Values)}
	}
	for i, row := range p.Rows {
		out.Rows[i] = shortenedAll(row)
	}
	for _, e := range p.Problems {
		out.Problems = append(out.Problems, api.BadRow{Line: e.Line, Column: e.Column, Reason: e.Reason, Remarks: []api.Remark{{Code: e.Code, Values: e.Values}}})
	}
	return out
}

// shortenedAll are texts of a file as an answer has them.
func shortenedAll(texts []string) []string {
	var out []string
	for _, t := range texts {
		out = append(out, shortened(t))
	}
	return out
}

func (s *Server) previewOp() huma.Operation {
	text := &huma.Schema{Type: huma.TypeString}
	op := s.op(post, api.PathPreview, signedIn, "data", "preview", "Look at the beginning of a file before it is imported", 408, 413, 415, 422)
	op.Description = fmt.Sprintf("The first %d KiB at most. Nothing is kept.", api.MaxPreview>>10)
	op.Parameters = []*huma.Param{{
		Name: "whole", In: "query", Schema: &huma.Schema{Type: huma.TypeBoolean}, Description: "It is the whole file: a last line without its end counts",
	}}
	op.RequestBody = &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"text/csv": {Schema: text}}}
	op.Responses["200"] = s.response("What it tells", api.DatasetPreview{})
	return op
}
