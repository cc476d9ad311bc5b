//go:build integration

package composetest

import (
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"iacontinu/internal/api"
)

func TestWithoutSecretsItRefuses(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "env")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, err := try(t, "compose", "--project-directory", "../../..", "--env-file", empty, "up")
	if err == nil || !strings.Contains(errs, "make secrets") {
		t.Errorf("up says %q, %v", errs, err)
	}
}

// TestCompose goes through what a user does, in that order, on one start of everything.
func TestCompose(t *testing.T) {
	if *envFile == "" {
		t.Skip("needs an engine and images: make compose-test has them")
	}
	t.Cleanup(func() {
		if t.Failed() {
			out, _, _ := try(t, "compose", "--project-directory", "../../..", "--env-file", *envFile, "ps", "--all")
			t.Log(out)
		}
	})
	up(t)
	for _, part := range []struct {
		name string
		test func(t *testing.T)
	}{
		{"containers hold their program alone", hardened},
		{"secrets are for those who read them", secretsAreApart},
		{"a user's day", userPath},
		{"idle memory", idleMemory},
		{"services see each other", servicesPage},
		{"Prometheus", targetsUp},
		{"Prefect", checksInPrefect},
		{"MLflow", championInMLflow},
		{"Uptime Kuma", monitorsInKuma},
		{"Grafana", whatGrafanaMounts},
		{"networks", isolation},
		{"a container killed comes back", killed},
		{"down and up", downAndUp},
		{"what the pages say", documented},
		{"Prefect after it", checksInPrefect},
		{"MLflow after it", championInMLflow},
	} {
		if !t.Run(part.name, part.test) {
			return
		}
	}
}

func hardened(t *testing.T) {
	for _, name := range ours {
		id := container(t, name)
		if got := inspect(t, name, "{{.Config.User}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}} {{.HostConfig.CapAdd}}"); got != "10001:10001 true [ALL] []" {
			t.Errorf("%s runs as %s", name, got)
		}
		for _, program := range []string{"sh", "/bin/sh", "/bin/busybox"} {
			if _, _, err := try(t, "exec", id, program, "-c", "true"); err == nil {
				t.Errorf("%s has a shell, %s", name, program)
			}
		}
		for _, label := range []string{"version", "revision", "source", "licenses", "title"} {
			if got := inspect(t, name, `{{index .Config.Labels "org.opencontainers.image.`+label+`"}}`); got == "" {
				t.Errorf("%s: the label %s is empty", name, label)
			}
		}
		bom := docker(t, "cp", id+":"+inspect(t, name, `{{index .Config.Labels "io.github.ia-continu.sbom"}}`), "-")
		if !strings.Contains(bom, `"bomFormat":"CycloneDX"`) || !strings.Contains(bom, "pkg:golang/github.com/prometheus/client_golang@v") {
			t.Errorf("%s has no bill of materials where its label says: %.200s", name, bom)
		}
		if got, want := strings.Contains(bom, "pkg:golang/github.com/mattn/go-sqlite3@v"), name != "ui"; got != want {
			t.Errorf("%s: SQLite in its bill of materials: %t, want %t: the pages have no database", name, got, want)
		}
		size := strings.TrimSpace(docker(t, "image", "inspect", "--format", "{{.Size}}", inspect(t, name, "{{.Image}}")))
		t.Logf("figure: image %s: %s bytes", name, size)
		if bytes, err := strconv.Atoi(size); err != nil || bytes >= 40e6 {
			t.Errorf("the image %s has %s bytes, and 40 MB are its bound: %v", name, size, err)
		}
	}
}

// secretsAreApart: each file belongs to who reads it.
func secretsAreApart(t *testing.T) {
	out := docker(t, "run", "--rm", "--network", "none", "--volumes-from", container(t, "app")+":ro", "python:3.11-slim",
		"sh", "-c", "cd /run/secrets && stat --format '%n %u %a' *")
	got := strings.Split(strings.TrimSpace(out), "\n")
	want := []string{
		"admin_password 10001 400", "grafana_admin_password 472 400", "jwt_secret_key 10001 400",
		"kuma_password 65534 400", "kuma_push_token 65534 400", "kuma_push_url 10001 400", "prefect_database_password 999 400",
	}
	if !slices.Equal(got, want) {
		t.Errorf("the secrets are %q", got)
	}
}

// userPath is login, generate, retrain, predict.
func userPath(t *testing.T) {
	client := admin(t)
	generated, err := client.Generate(t.Context(), api.GenerateRequest{Samples: 2000})
	if err != nil || generated.SamplesCreated != 2000 {
		t.Fatalf("generate: %+v, %v", generated, err)
	}
	reply, err := client.Retrain(t.Context(), api.RetrainRequest{}, true)
	if err != nil || reply.Done == nil {
		t.Fatalf("retrain: %+v, %v", reply, err)
	}
	answer, err := client.Predict(t.Context(), []float64{0.5, 0.5})
	if err != nil || answer.Prediction != 1 || answer.PredictionID == "" {
		t.Errorf("predict: %+v, %v", answer, err)
	}
	out := compose(t, "run", "--rm", "--no-deps", "iacontinu", "model", "list")
	if !strings.Contains(out, reply.Done.ModelVersion) {
		t.Errorf("iacontinu model list does not have %s:\n%s", reply.Done.ModelVersion, out)
	}
}

// idleMemory waits until what a retraining took has been given back. Its bound is for memory that the programs hold
// themselves. What docker stats says has their files' pages, too, as many as the kernel had to read for them: all after a
// start of the machine, none where the build has left them in memory; so that is a figure, without a bound.
func idleMemory(t *testing.T) {
	eventually(t, "our four programs hold 120 MB or less", func() error {
		own, each := 0.0, ""
		for _, name := range ours {
			anonymous := anonymousMemory(t, inspect(t, name, "{{.State.Pid}}"))
			seen, _, _ := strings.Cut(docker(t, "stats", "--no-stream", "--format", "{{.MemUsage}}", container(t, name)), " ")
			own += anonymous
			each += fmt.Sprintf(" %s %.1f MB (docker stats %s)", name, anonymous, seen)
		}
		t.Logf("figure: memory of our four: %.1f MB:%s", own, each)
		if own > 120 {
			return fmt.Errorf("they hold %.1f MB:%s", own, each)
		}
		return nil
	})
}

// anonymousMemory is what a process holds that is no page of a file, in 10^6 bytes.
func anonymousMemory(t *testing.T, pid string) float64 {
	t.Helper()
	status, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(status), "\nRssAnon:")
	var kib float64
	if _, err := fmt.Sscanf(after, "%f kB", &kib); err != nil {
		t.Fatalf("RssAnon of process %s: %v", pid, err)
	}
	return kib * 1024 / 1e6
}

// servicesPage is what the page of services shows: whoever runs is well.
func servicesPage(t *testing.T) {
	client := admin(t)
	names := map[string]string{"mlflow": "mlflow-server", "prefect": "prefect-server"} // those that Compose calls otherwise
	running := services(t)
	eventually(t, "all services are well", func() error {
		list, err := client.Services(t.Context())
		if err != nil {
			return err
		}
		for _, s := range list.Services {
			name := s.Name
			if names[name] != "" {
				name = names[name]
			}
			if runs := slices.Contains(running, name) || slices.Contains([]string{"api", "flow", "database"}, name); runs && s.Status == "down" {
				return fmt.Errorf("%s is %s: %s", s.Name, s.Status, s.Detail)
			}
		}
		return nil
	})
}

func targetsUp(t *testing.T) {
	need(t, "prometheus")
	running := append(services(t), "prometheus")
	eventually(t, "Prometheus scrapes all", func() error {
		var answer struct {
			Data struct {
				Result []struct {
					Metric struct{ Job string }
					Value  [2]any
				}
			}
		}
		if err := ask(t, "GET", prometheusURL+"/api/v1/query?query="+url.QueryEscape("up"), nil, &answer); err != nil {
			return err
		}
		seen := 0
		for _, r := range answer.Data.Result {
			if slices.Contains(running, r.Metric.Job) {
				seen++
				if r.Value[1] != "1" {
					return errors.New(r.Metric.Job + " is down")
				}
			}
		}
		if seen < 4 {
			return fmt.Errorf("%d targets are seen", seen)
		}
		return nil
	})
}
