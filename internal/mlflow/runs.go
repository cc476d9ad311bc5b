package mlflow

import (
	"context"
	"net/url"
)

// pair is a tag or a parameter.
type pair struct {
	Key   string `json:"key"`
	Value string `json:"value"`
}

type metric struct {
	Key       string `json:"key"`
	Value     number `json:"value"`
	Timestamp int64  `json:"timestamp"`
	Step      int64  `json:"step"`
	// The model and the dataset that the figure is about, empty for the run alone.
	ModelID       string `json:"model_id,omitempty"`
	DatasetName   string `json:"dataset_name,omitempty"`
	DatasetDigest string `json:"dataset_digest,omitempty"`
}

type experiment struct {
	ID    string `json:"experiment_id"`
	Stage string `json:"lifecycle_stage"`
	Tags  []pair `json:"tags"`
}

// The list of experiments opens it in the view of machine learning, not in that of language models. A
// direct link needs ?workflowType=machine_learning besides.
const (
	tagKind   = "mlflow.experimentKind"
	kindValue = "custom_model_development"
)

// experiment gets the experiment of that name: made if there is none, restored if it was deleted.
func (c *Client) experiment(ctx context.Context, name string) (string, error) {
	e, err := c.findExperiment(ctx, name)
	if hasCode(err, codeMissing) {
		if e, err = c.createExperiment(ctx, name); hasCode(err, codeExists) {
			e, err = c.findExperiment(ctx, name) // somebody was faster
		}
	}
	if err != nil {
		return "", err
	}
	if e.Stage == "deleted" {
		if err := c.post(ctx, "experiments/restore", map[string]string{"experiment_id": e.ID}, nil); err != nil {
			return "", err
		}
	}
	for _, t := range e.Tags {
		if t.Key == tagKind {
			return e.ID, nil
		}
	}
	return e.ID, c.post(ctx, "experiments/set-experiment-tag", map[string]string{
		"experiment_id": e.ID, "key": tagKind, "value": kindValue,
	}, nil)
}

func (c *Client) findExperiment(ctx context.Context, name string) (experiment, error) {
	var answer struct {
		Experiment experiment `json:"experiment"`
	}
	err := c.get(ctx, "experiments/get-by-name", url.Values{"experiment_name": {name}}, &answer)
	return answer.Experiment, err
}

func (c *Client) createExperiment(ctx context.Context, name string) (experiment, error) {
	e := experiment{Tags: []pair{{tagKind, kindValue}}}
	body := struct {
		Name string `json:"name"`
		Tags []pair `json:"tags"`
	}{name, e.Tags}
	err := c.post(ctx, "experiments/create", body, &e)
	return e, err
}

type run struct {
	Info struct {
		ID          string `json:"run_id"`
		Stage       string `json:"lifecycle_stage"`
		Status      string `json:"status"`
		ArtifactURI string `json:"artifact_uri"`
	} `json:"info"`
	Data struct {
		Metrics []metric `json:"metrics"`
	} `json:"data"`
	Outputs struct {
		Models []struct {
			ID string `json:"model_id"`
		} `json:"model_outputs"`
	} `json:"outputs"`
}

type newRun struct {
	Experiment string `json:"experiment_id"`
	Name       string `json:"run_name"`
	Start      int64  `json:"start_time"`
	Tags       []pair `json:"tags"`
}

func (c *Client) createRun(ctx context.Context, n newRun) (run, error) {
	var answer struct {
		Run run `json:"run"`
	}
	err := c.post(ctx, "runs/create", n, &answer)
	return answer.Run, err
}

func (c *Client) getRun(ctx context.Context, id string) (run, error) {
	var answer struct {
		Run run `json:"run"`
	}
	err := c.get(ctx, "runs/get", url.Values{"run_id": {id}}, &answer)
	return answer.Run, err
}

// search is a question for things that have a tag.
type search struct {
	Experiments []string `json:"experiment_ids"`
	Filter      string   `json:"filter"`
	MaxResults  int      `json:"max_results"`
}

// findRun is the id of the run with a tag, empty if there is none.
func (c *Client) findRun(ctx context.Context, experiment string, tag pair) (string, error) {
	var answer struct {
		Runs []run `json:"runs"`
	}
	err := c.post(ctx, "runs/search", search{[]string{experiment}, hasTag(tag), 1}, &answer)
	if err != nil || len(answer.Runs) == 0 {
		return "", err
	}
	return answer.Runs[0].Info.ID, nil
}

// hasTag is a filter. Values are names that the platform gives, or numbers, and hold no quotes.
func hasTag(t pair) string { return "tags.`" + t.Key + "` = '" + t.Value + "'" }

// batch is what is logged of a run at once: at most 1000 metrics and 100 of each other.
type batch struct {
	Run     string   `json:"run_id"`
	Metrics []metric `json:"metrics,omitempty"`
	Params  []pair   `json:"params,omitempty"`
	Tags    []pair   `json:"tags,omitempty"`
}

func (c *Client) logBatch(ctx context.Context, b batch) error {
	return c.post(ctx, "runs/log-batch", b, nil)
}

type datasetInput struct {
	Tags    []pair  `json:"tags"`
	Dataset dataset `json:"dataset"`
}

// dataset is data that a run read. Source, schema and profile are JSON as text; the schema may be missing.
type dataset struct {
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	SourceType string `json:"source_type"`
	Source     string `json:"source"`
	Schema     string `json:"schema,omitempty"`
	Profile    string `json:"profile"`
}

func (c *Client) logInputs(ctx context.Context, run string, inputs []datasetInput) error {
	return c.post(ctx, "runs/log-inputs", struct {
		Run      string         `json:"run_id"`
		Datasets []datasetInput `json:"datasets"`
	}{run, inputs}, nil)
}

// logOutput says that a run made a model. The server refuses to hear it twice.
func (c *Client) logOutput(ctx context.Context, run, model string) error {
	type output struct {
		Model string `json:"model_id"`
		Step  int    `json:"step"`
	}
	return c.post(ctx, "runs/outputs", struct {
		Run    string   `json:"run_id"`
		Models []output `json:"models"`
	}{run, []output{{Model: model}}}, nil)
}

// The states in which a run ends.
const (
	runFinished = "FINISHED"
	runFailed   = "FAILED"
)

// ended reports whether the run's end was told: with it, all is told.
func (r run) ended() bool { return r.Info.Status == runFinished || r.Info.Status == runFailed }

func (c *Client) endRun(ctx context.Context, run, status string, end int64) error {
	return c.post(ctx, "runs/update", struct {
		Run    string `json:"run_id"`
		Status string `json:"status"`
		End    int64  `json:"end_time"`
	}{run, status, end}, nil)
}
