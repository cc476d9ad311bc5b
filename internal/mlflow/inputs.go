package mlflow

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"

	"iacontinu/internal/ml"
)

// What the server takes, in bytes.
const (
	maxDigest = 32
	maxSchema = 1<<20 - 1
)

// inputs are the datasets that a run read, and the rows of them that it was judged on.
func (d *delivery) inputs() []datasetInput {
	var out []datasetInput
	for _, ds := range d.datasets {
		out = append(out, datasetInput{
			Tags:    []pair{{"mlflow.data.context", "training"}, {"iacontinu.dataset", strconv.FormatInt(ds.ID, 10)}},
			Dataset: describe(ds),
		})
	}
	if d.artifact != nil {
		out = append(out, datasetInput{Tags: []pair{{"mlflow.data.context", "evaluation"}}, Dataset: d.holdout()})
	}
	return out
}

func describe(ds ml.Dataset) dataset {
	name := fmt.Sprintf("dataset-%d", ds.ID)
	about := map[string]string{"mlflow.source.name": name, "iacontinu.source": string(ds.Source)}
	if ds.Name != "" {
		about["iacontinu.file"] = ds.Name
	}
	if ds.Source == ml.SourceGenerated {
		about["iacontinu.drift"], about["iacontinu.seed"] = ds.Drift, strconv.FormatUint(ds.Seed, 10)
	}
	return dataset{
		Name: name, Digest: digest(ds.Fingerprint), SourceType: "code", Source: asJSON(map[string]any{"tags": about}),
		Schema: schemaJSON(ds.Schema),
		Profile: asJSON(map[string]any{
			"num_rows": ds.Samples, "num_elements": ds.Samples * (len(ds.Schema.Features) + 1),
			"class_counts": map[string]int{ds.Schema.Classes[0]: ds.ClassCounts[0], ds.Schema.Classes[1]: ds.ClassCounts[1]},
			"created_at":   ds.CreatedAt.UTC(), "fingerprint": ds.Fingerprint,
		}),
	}
}

// holdout are the rows that the version was judged on: they follow from the data and the seed.
func (d *delivery) holdout() dataset {
	a := d.artifact
	sum := sha256.Sum256(fmt.Appendf(nil, "%s %d %d", a.DataFingerprint, a.Seed, a.HoldoutSamples))
	return dataset{
		Name: "holdout", Digest: digest(hex.EncodeToString(sum[:])), SourceType: "code",
		Source: asJSON(map[string]any{"tags": map[string]string{
			"mlflow.source.name": fmt.Sprintf("the holdout of datasets %v by seed %d", a.DatasetIDs, a.Seed),
		}}),
		Schema:  schemaJSON(ml.Schema{Features: a.Features, Target: a.Target, Classes: a.Classes}),
		Profile: asJSON(map[string]any{"num_rows": a.HoldoutSamples, "num_elements": a.HoldoutSamples * (len(a.Features) + 1)}),
	}
}

// digest is a short form of a fingerprint. Datasets of before there were fingerprints have none.
func digest(fingerprint string) string {
	if fingerprint == "" {
		return "unknown"
	}
	return fingerprint[:min(len(fingerprint), maxDigest)]
}

// column is a column in MLflow's notation.
type column struct {
	Type     string `json:"type"`
	Name     string `json:"name"`
	Required bool   `json:"required"`
}

func columns(kind string, names ...string) []column {
	out := make([]column, len(names))
	for i, name := range names {
		out[i] = column{kind, name, true}
	}
	return out
}

// schemaJSON is empty for one that is too large to tell.
func schemaJSON(s ml.Schema) string {
	text := asJSON(map[string]any{"mlflow_colspec": append(columns("double", s.Features...), columns("string", s.Target)...)})
	if len(text) > maxSchema {
		return ""
	}
	return text
}

// asJSON encodes what cannot fail: texts, whole numbers and times.
func asJSON(v any) string {
	text, _ := json.Marshal(v)
	return string(text)
}
