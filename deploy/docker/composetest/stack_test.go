//go:build integration

package composetest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/api"
)

var (
	envFile = flag.String("env-file", "", "the settings that Compose is given instead of .env")
	only    = flag.String("services", "", "the services to start, with spaces between; empty: all")
)

// ours are the services that run the platform itself.
var ours = []string{"app", "worker", "random-check-flow", "ui"}

const (
	apiURL        = "http://localhost:8000"
	prefectURL    = "http://localhost:4200/api"
	mlflowURL     = "http://localhost:5000/api/2.0/mlflow"
	prometheusURL = "http://localhost:9090"
	kumaURL       = "http://localhost:3001"
	grafanaURL    = "http://localhost:3000"
)

// patience is how long a thing may take to come about on a busy machine.
const patience = 3 * time.Minute

// compose calls docker compose on the file at the root, as it is.
func compose(t *testing.T, args ...string) string {
	t.Helper()
	return docker(t, append([]string{"compose", "--progress", "quiet", "--project-directory", "../../..", "--env-file", *envFile}, args...)...)
}

// docker is what it prints to standard output.
func docker(t *testing.T, args ...string) string {
	t.Helper()
	out, errs, err := try(t, args...)
	if err != nil {
		t.Fatalf("docker %s: %v\n%s%s", strings.Join(args, " "), err, out, errs)
	}
	return out
}

func try(t *testing.T, args ...string) (out, errs string, err error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "docker", args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// up starts the services and waits until they are healthy.
func up(t *testing.T) {
	t.Helper()
	from := time.Now()
	compose(t, append([]string{"up", "--wait", "--no-build", "--quiet-pull"}, strings.Fields(*only)...)...)
	t.Logf("figure: up to healthy in %.1f s", time.Since(from).Seconds())
}

// container is the id of a service's container, the running one or that which has ended.
func container(t *testing.T, service string) string {
	t.Helper()
	return strings.TrimSpace(compose(t, "ps", "--all", "--quiet", service))
}

// inspect is what the engine says of a container, by a template.
func inspect(t *testing.T, service, template string) string {
	t.Helper()
	return strings.TrimSpace(docker(t, "inspect", "--format", template, container(t, service)))
}

// services are those that run, in the order of their names.
func services(t *testing.T) []string {
	t.Helper()
	list := strings.Fields(compose(t, "ps", "--services", "--status", "running"))
	slices.Sort(list)
	return list
}

// need skips a test where a service was not asked for.
func need(t *testing.T, service string) {
	t.Helper()
	if *only != "" && !slices.Contains(strings.Fields(*only), service) {
		t.Skip(service + " is not among the services of this run")
	}
}

// everything skips a test where only some services were asked for: it starts others besides.
func everything(t *testing.T) {
	t.Helper()
	switch {
	case *envFile == "":
		t.Skip("needs an engine and images: make compose-test has them")
	case *only != "":
		t.Skip("only " + *only + " are asked for: make compose-test without SERVICES has it")
	}
}

// secret is one of those that make secrets has made.
func secret(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(secretsFolder(t), name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

func secretsFolder(t *testing.T) string {
	t.Helper()
	return setting(t, "SECRETS_DIR")
}

// setting is one of those that Compose is given.
func setting(t *testing.T, name string) (value string) {
	t.Helper()
	settings, err := os.ReadFile(*envFile)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(settings)) {
		if v, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok {
			value = v
		}
	}
	return value
}

// admin is a client of the API with the administrator's token.
func admin(t *testing.T) *api.Client {
	t.Helper()
	client, err := signedIn(t, apiURL, secret(t, "admin_password"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

// signedIn is a client with the token of admin, whose password it is.
func signedIn(t *testing.T, url, password string, by *http.Client) (*api.Client, error) {
	t.Helper()
	token := ""
	client, err := api.New(url, api.Options{Token: func(context.Context) (string, error) { return token, nil }, HTTPClient: by})
	if err != nil {
		return nil, err
	}
	answer, err := client.Login(t.Context(), "admin", password)
	token = answer.AccessToken
	return client, err
}

// ask sends JSON, or nothing for nil, and reads JSON.
func ask(t *testing.T, method, url string, in, out any, header ...string) error {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	if in == nil {
		body = nil
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		return errors.New(url + " answers " + res.Status)
	}
	return json.NewDecoder(res.Body).Decode(out)
}

// eventually asks again until the answer is no error.
func eventually(t *testing.T, what string, check func() error) {
	t.Helper()
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for {
		err := check()
		if err == nil {
			return
		}
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("not within %s: %s: %v", patience, what, err)
		}
	}
}
