package mlflow

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
)

// loggedModel is the model of one run.
type loggedModel struct {
	Info struct {
		ID          string `json:"model_id"`
		ArtifactURI string `json:"artifact_uri"`
		Status      string `json:"status"`
	} `json:"info"`
}

// The states of a logged model. It is pending until it is one of these.
const (
	modelReady  = "LOGGED_MODEL_READY"
	modelFailed = "LOGGED_MODEL_UPLOAD_FAILED"
)

type newModel struct {
	Experiment string `json:"experiment_id"`
	Name       string `json:"name"`
	Type       string `json:"model_type"`
	Run        string `json:"source_run_id"`
	Params     []pair `json:"params"`
	Tags       []pair `json:"tags"`
}

func (c *Client) createModel(ctx context.Context, n newModel) (loggedModel, error) {
	var answer struct {
		Model loggedModel `json:"model"`
	}
	err := c.post(ctx, "logged-models", n, &answer)
	return answer.Model, err
}

// findModel finds the logged model of a run, nil if there is none.
func (c *Client) findModel(ctx context.Context, experiment, run string) (*loggedModel, error) {
	var answer struct {
		Models []loggedModel `json:"models"`
	}
	err := c.post(ctx, "logged-models/search", search{[]string{experiment}, "source_run_id = '" + run + "'", 1}, &answer)
	if err != nil || len(answer.Models) == 0 {
		return nil, err
	}
	return &answer.Models[0], nil
}

func (c *Client) endModel(ctx context.Context, id, status string) error {
	body := map[string]string{"model_id": id, "status": status}
	return c.call(ctx, request{
		operation: "logged-models/finalize", method: http.MethodPatch, path: apiPath + "logged-models/" + url.PathEscape(id), body: body,
	}, nil)
}

// registeredVersion is a version in the registry, numbered by the server.
type registeredVersion struct {
	Number string `json:"version"`
	Tags   []pair `json:"tags"`
}

// name is the platform's name for the version, empty if it did not register it.
func (v registeredVersion) name() string {
	for _, t := range v.Tags {
		if t.Key == tagVersion {
			return t.Value
		}
	}
	return ""
}

type newVersion struct {
	Name        string `json:"name"`
	Source      string `json:"source"`
	Model       string `json:"model_id"`
	Run         string `json:"run_id"`
	Description string `json:"description"`
	Tags        []pair `json:"tags"`
}

// tagInstallation is of a registered model: whose versions and aliases these are.
const tagInstallation = "iacontinu.installation"

const registryText = "Logistic regression on tabular data, as ONNX. Answers with `label` and with `probability`, " +
	"that of class 1. `champion` serves, `challenger` was not let in, `previous` served before."

// createRegistered makes the registered model that versions belong to.
func (c *Client) createRegistered(ctx context.Context, name, installation string) error {
	const operation = "registered-models/create"
	err := c.post(ctx, operation, struct {
		Name        string `json:"name"`
		Description string `json:"description"`
		Tags        []pair `json:"tags"`
	}{name, registryText, []pair{{tagInstallation, installation}}}, nil)
	if hasCode(err, codeExists) {
		return c.failure(operation, "somebody else has just made it; the next try sees whose it is")
	}
	return err
}

func (c *Client) createVersion(ctx context.Context, n newVersion) (string, error) {
	var answer struct {
		Version registeredVersion `json:"model_version"`
	}
	err := c.post(ctx, "model-versions/create", n, &answer)
	return answer.Version.Number, err
}

// findVersion is the number of the version that the platform calls by that name, empty if there is none.
func (c *Client) findVersion(ctx context.Context, model, name string) (string, error) {
	page, err := c.searchVersions(ctx, "name = '"+model+"' and "+hasTag(pair{tagVersion, name}), 1, "")
	if err != nil || len(page.Versions) == 0 {
		return "", err
	}
	return page.Versions[0].Number, nil
}

// Versions are asked for versionPage at once, and maxPages is more than are ever kept: a server that
// goes on and on is not believed.
const (
	versionPage = 500
	maxPages    = 200
)

// versions are all registered versions of a model.
func (c *Client) versions(ctx context.Context, model string) ([]registeredVersion, error) {
	var out []registeredVersion
	token := ""
	for range maxPages {
		page, err := c.searchVersions(ctx, "name = '"+model+"'", versionPage, token)
		if err != nil {
			return nil, err
		}
		out = append(out, page.Versions...)
		if page.Next == "" || page.Next == token {
			return out, nil
		}
		token = page.Next
	}
	return nil, c.failure("model-versions/search", fmt.Sprintf("%d pages of versions, and still more", maxPages))
}

type versionsPage struct {
	Versions []registeredVersion `json:"model_versions"`
	Next     string              `json:"next_page_token"`
}

func (c *Client) searchVersions(ctx context.Context, filter string, most int, token string) (versionsPage, error) {
	query := url.Values{"filter": {filter}, "max_results": {strconv.Itoa(most)}}
	if token != "" {
		query.Set("page_token", token)
	}
	var page versionsPage
	err := c.get(ctx, "model-versions/search", query, &page)
	return page, err
}

// registry is the registered model.
type registry struct {
	aliases map[string]string // numbers of versions by alias
	owner   string            // the installation that it belongs to, empty if it does not say
}

// registry reads the registered model; nil if there is none.
func (c *Client) registry(ctx context.Context, model string) (*registry, error) {
	var answer struct {
		Model struct {
			Tags    []pair `json:"tags"`
			Aliases []struct {
				Alias   string `json:"alias"`
				Version string `json:"version"`
			} `json:"aliases"`
		} `json:"registered_model"`
	}
	err := c.get(ctx, "registered-models/get", url.Values{"name": {model}}, &answer)
	if hasCode(err, codeMissing) {
		return nil, nil
	}
	out := &registry{aliases: make(map[string]string)}
	for _, a := range answer.Model.Aliases {
		out.aliases[a.Alias] = a.Version
	}
	for _, t := range answer.Model.Tags {
		if t.Key == tagInstallation {
			out.owner = t.Value
		}
	}
	return out, err
}

func (c *Client) tagRegistered(ctx context.Context, model string, tag pair) error {
	return c.post(ctx, "registered-models/set-tag", map[string]string{"name": model, "key": tag.Key, "value": tag.Value}, nil)
}

func (c *Client) setAlias(ctx context.Context, model, alias, number string) error {
	return c.post(ctx, "registered-models/alias", map[string]string{"name": model, "alias": alias, "version": number}, nil)
}

func (c *Client) deleteAlias(ctx context.Context, model, alias string) error {
	return c.call(ctx, request{
		operation: "registered-models/alias-delete", method: http.MethodDelete, path: apiPath + "registered-models/alias",
		body: map[string]string{"name": model, "alias": alias},
	}, nil)
}
