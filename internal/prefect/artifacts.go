package prefect

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"iacontinu/internal/flowrun"
)

// Attach adds artifacts to a run that the server has, by its flow and key, and changes nothing else of it.
// They are dropped if the server has no such run, or none any more: alone they say nothing.
func (c *Client) Attach(ctx context.Context, run flowrun.Run) error {
	if err := c.attach(ctx, run); err != nil {
		return fmt.Errorf("prefect: attach to %s %s: %w", run.Flow, run.Key, err)
	}
	return nil
}

func (c *Client) attach(ctx context.Context, run flowrun.Run) error {
	there, err := c.findByKey(ctx, "find_run", run.Flow, run.Key)
	if err != nil {
		return err
	}
	if there.ID == "" {
		c.o.Logger.DebugContext(ctx, "artifacts of a run that prefect does not have are dropped", "flow", run.Flow, "key", run.Key)
		return nil
	}
	r := c.NewReporter()
	r.begin(there.ID, there.State, false)
	if err := r.learnArtifacts(ctx); err != nil {
		return err
	}
	return r.sendArtifacts(ctx, run)
}

// sendArtifacts makes the artifacts that are new and updates in place those that changed.
func (r *Reporter) sendArtifacts(ctx context.Context, run flowrun.Run) error {
	for _, a := range run.Artifacts {
		if err := r.sendArtifact(ctx, a); err != nil {
			if err := r.pass(ctx, run, fmt.Errorf("artifact %s: %w", a.Key, err)); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *Reporter) sendArtifact(ctx context.Context, a flowrun.Artifact) error {
	data, err := artifactData(a)
	if err != nil {
		return errors.Join(errUnfit, err)
	}
	text, err := json.Marshal(data)
	if err != nil {
		return errors.Join(errUnfit, err)
	}
	there := r.artifacts[a.Key]
	now := shown{id: there.id, data: string(text), description: a.Description}
	switch {
	case now.id == "":
		now.id, err = r.makeArtifact(ctx, a, data)
	case now != there:
		err = r.updateArtifact(ctx, now.id, object{"data": data, "description": a.Description})
	}
	if err == nil {
		r.artifacts[a.Key] = now
	}
	return err
}

func (r *Reporter) makeArtifact(ctx context.Context, a flowrun.Artifact, data any) (string, error) {
	body := object{
		"key": a.Key, "type": artifactType(a.Kind), "description": a.Description, "data": data, "flow_run_id": r.id,
	}
	if a.Step != "" {
		body["task_run_id"] = taskRunID(r.id, a.Step)
	}
	var artifact made
	_, err := r.c.do(ctx, request{operation: "create_artifact", method: http.MethodPost, path: "/artifacts/", in: body, out: &artifact, once: true})
	return artifact.ID, err
}

func (r *Reporter) updateArtifact(ctx context.Context, id string, change object) error {
	_, err := r.c.do(ctx, request{operation: "update_artifact", method: http.MethodPatch, path: "/artifacts/" + url.PathEscape(id), in: change})
	return err
}

// learnArtifacts finds out which artifacts of the run the server has.
func (r *Reporter) learnArtifacts(ctx context.Context) error {
	var there []struct {
		ID          string          `json:"id"`
		Key         string          `json:"key"`
		Description string          `json:"description"`
		Data        json.RawMessage `json:"data"`
	}
	_, err := r.c.do(ctx, request{
		operation: "read_artifacts", method: http.MethodPost, path: "/artifacts/filter", out: &there,
		in: object{"artifacts": object{"flow_run_id": anyOf(r.id)}, "limit": pageSize},
	})
	for _, a := range there {
		r.artifacts[a.Key] = shown{id: a.ID, data: canonical(a.Data), description: a.Description}
	}
	return err
}

// artifactType is the server's word for a kind. It has links as Markdown.
func artifactType(k flowrun.Kind) string {
	if k == flowrun.Link {
		return string(flowrun.Markdown)
	}
	return string(k)
}

// artifactData is what the server's UI wants for a kind: text for all but progress.
func artifactData(a flowrun.Artifact) (any, error) {
	switch a.Kind {
	case flowrun.Progress:
		var n float64
		err := json.Unmarshal(a.Data, &n)
		return n, err
	case flowrun.Table:
		return string(a.Data), nil
	case flowrun.Link:
		var address string
		err := json.Unmarshal(a.Data, &address)
		text := strings.NewReplacer("[", "(", "]", ")").Replace(a.Description)
		if text == "" {
			text = address
		}
		return fmt.Sprintf("[%s](%s)", text, address), err
	}
	var text string
	err := json.Unmarshal(a.Data, &text)
	return text, err
}

// canonical is JSON as this package writes it.
func canonical(data json.RawMessage) string {
	var v any
	if json.Unmarshal(data, &v) != nil {
		return ""
	}
	text, err := json.Marshal(v)
	if err != nil {
		return ""
	}
	return string(text)
}
