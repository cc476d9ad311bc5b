//go:build integration

package composetest

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"iacontinu/internal/api"
)

// TestVariants: Compose can read each of them.
func TestVariants(t *testing.T) {
	if *envFile == "" {
		t.Skip("needs an engine: make compose-test has one")
	}
	t.Setenv("IACONTINU_GREEN", "green")
	t.Setenv("STAGING_SECRETS_DIR", "secrets")
	for _, files := range [][]string{
		{"compose/dev.yml"},
		{"compose/staging.yml"},
		{"compose/tls.yml"},
		{"bluegreen/compose.yml"},
		{"compose/tls.yml", "bluegreen/compose.yml", "bluegreen/tls.yml"},
	} {
		compose(t, append(withFiles(files...), "config", "--quiet")...)
	}
}

// withFiles are the arguments that name the file at the root and those of deploy.
func withFiles(files ...string) []string {
	args := []string{"--file", "../../../docker-compose.yml"}
	for _, file := range files {
		args = append(args, "--file", "../../"+file)
	}
	return args
}

// TestASingleContainer is deploy/compose/single.yml, started and used.
func TestASingleContainer(t *testing.T) {
	if *envFile == "" {
		t.Skip("needs an engine and images: make compose-test has them")
	}
	compose(t, "stop", "--timeout", "5") // it publishes the same ports
	single := []string{"compose", "--progress", "quiet", "--file", "../../compose/single.yml", "--env-file", *envFile, "--project-name", "iacontinu-test-single"}
	defer func() { docker(t, append(single, "down", "--volumes", "--timeout", "5")...) }()
	docker(t, append(single, "up", "--wait", "--no-build")...)
	client := admin(t)
	eventually(t, "a model serves", func() error {
		_, err := client.Ready(t.Context())
		return err
	})
	if answer, err := client.Predict(t.Context(), []float64{0.5, 0.5}); err != nil || answer.Prediction != 1 {
		t.Errorf("predict: %+v, %v", answer, err)
	}
	if generated, err := client.Generate(t.Context(), api.GenerateRequest{Samples: 10}); err != nil || generated.SamplesCreated != 10 {
		t.Errorf("generate: %+v, %v", generated, err)
	}
	docker(t, append(single, "run", "--rm", "iacontinu", "predict", "0.5", "0.5")...) // an operator's command reaches it
}

// second is a platform beside the one of all tests, with a project of its own. It goes with its test.
type second struct{ args []string }

func startSecond(t *testing.T, project, settings string, files []string, services ...string) second {
	t.Helper()
	s := second{slices.Concat([]string{"compose", "--progress", "quiet", "--project-directory", "../../..", "--env-file", settings, "--project-name", project}, files)}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if t.Failed() {
			out, _ := exec.CommandContext(ctx, "docker", append(s.args, "logs", "--tail", "20")...).CombinedOutput()
			t.Logf("%s", out)
		}
		if out, err := exec.CommandContext(ctx, "docker", append(s.args, "down", "--volumes", "--timeout", "5")...).CombinedOutput(); err != nil {
			t.Errorf("down: %v\n%s", err, out)
		}
	})
	s.compose(t, append([]string{"up", "--wait", "--no-build"}, services...)...)
	return s
}

func (s second) compose(t *testing.T, args ...string) string {
	t.Helper()
	return docker(t, slices.Concat(s.args, args)...)
}

// TestStagingBesideProduction is deploy/compose/staging.yml by the settings at its top, while production runs.
func TestStagingBesideProduction(t *testing.T) {
	everything(t)
	compose(t, "up", "--wait", "--no-build", "app", "worker", "ui")
	production := admin(t)
	before, err := production.Models(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}

	secrets := t.TempDir()
	if out, err := exec.CommandContext(t.Context(), "../secrets", secrets).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	settings := filepath.Join(t.TempDir(), "staging.env")
	if err := os.WriteFile(settings, fmt.Appendf(nil, "SECRETS_DIR=%s\nSTAGING_SECRETS_DIR=%[1]s\nIACONTINU_IMAGES=iacontinu\nIACONTINU_VERSION=%s\n", secrets, setting(t, "IACONTINU_VERSION")), 0o600); err != nil {
		t.Fatal(err)
	}
	startSecond(t, "iacontinu-test-staging", settings, withFiles("compose/staging.yml"), "app", "worker", "ui")

	const at = "http://localhost:18000"
	password, err := os.ReadFile(filepath.Join(secrets, "admin_password"))
	if err != nil {
		t.Fatal(err)
	}
	staging, err := signedIn(t, at, strings.TrimSpace(string(password)), nil)
	if err != nil {
		t.Fatal(err)
	}
	var problem *api.Problem
	if _, err := signedIn(t, at, secret(t, "admin_password"), nil); !errors.As(err, &problem) || problem.Status != http.StatusUnauthorized {
		t.Errorf("staging says %v to production's password", err)
	}
	eventually(t, "staging has a model", func() error {
		_, err := staging.Ready(t.Context())
		return err
	})
	answer, err := staging.Predict(t.Context(), []float64{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	history, err := production.History(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(history.Predictions, func(p api.LoggedPrediction) bool { return p.PredictionID == answer.PredictionID }) {
		t.Error("production has staging's prediction")
	}
	after, err := production.Models(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range before.Models {
		if !slices.ContainsFunc(after.Models, func(w api.Version) bool { return w.Version == v.Version }) {
			t.Errorf("production has lost %s", v.Version)
		}
	}
	if res, err := http.Get("http://localhost:18501/healthz"); err != nil || res.StatusCode != http.StatusOK {
		t.Errorf("staging's pages: %v, %v", res, err)
	} else {
		res.Body.Close()
	}
}
