package apiserver

import (
	"context"
	"fmt"

	"iacontinu/internal/api"
	"iacontinu/internal/ml"
)

func (s *Server) datasetList(ctx context.Context, in *Newest) (*with[api.DatasetList], error) {
	all, total, err := s.opt.Catalogue.ListDatasets(ctx, in.Before, in.Limit)
	if err != nil {
		return nil, err
	}
	out := api.DatasetList{Datasets: make([]api.Dataset, len(all)), TotalDatasets: int(total)}
	for i, d := range all {
		out.Datasets[i] = datasetOf(d)
	}
	return &with[api.DatasetList]{out}, nil
}

func datasetOf(d ml.Dataset) api.Dataset {
	return api.Dataset{
		GenerationID: d.ID, SamplesCount: d.Samples, CreatedAt: stamp(d.CreatedAt), HourGenerated: d.Hour,
		Source: string(d.Source), Name: d.Name, Features: list(d.Schema.Features), Target: d.Schema.Target,
		Classes: d.Schema.Classes[:], ClassCounts: d.ClassCounts[:], Fingerprint: d.Fingerprint,
	}
}

// byID is the input of an operation on one thing.
type byID struct {
	ID int64 `path:"id" minimum:"1"`
}

func (s *Server) deleteDataset(ctx context.Context, in *byID) (*none, error) {
	if err := s.opt.Datasets.Delete(ctx, in.ID); err != nil {
		return nil, err
	}
	return nil, s.audit(ctx, "dataset_deleted", fmt.Sprintf("dataset %d deleted", in.ID), map[string]any{"generation_id": in.ID})
}
