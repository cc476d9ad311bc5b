//go:build integration

package composetest

import (
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
		args := []string{"--file", "../../../docker-compose.yml"}
		for _, file := range files {
			args = append(args, "--file", "../../"+file)
		}
		compose(t, append(args, "config", "--quiet")...)
	}
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
