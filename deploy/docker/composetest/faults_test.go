//go:build integration

package composetest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"iacontinu/internal/api"
)

// ports are where the services listen.
var ports = map[string]int{
	"app": 8000, "worker": 8003, "random-check-flow": 8002, "ui": 8501, "mlflow-server": 5000, "prefect-server": 4200,
	"prefect-postgres": 5432, "prometheus": 9090, "alertmanager": 9093, "grafana": 3000, "uptime-kuma": 3001,
}

// reach is what each service can open a connection to, beside itself.
var reach = map[string][]string{
	"app": {"alertmanager", "grafana", "mlflow-server", "prefect-server", "prometheus", "random-check-flow", "ui", "uptime-kuma", "worker"},
	"ui":  {"app", "prometheus", "uptime-kuma"}, // no data, no other server: it has what its users have

	"worker":            {"app", "mlflow-server", "prefect-server", "prometheus", "random-check-flow", "uptime-kuma"},
	"random-check-flow": {"app", "mlflow-server", "prefect-server", "prometheus", "uptime-kuma", "worker"},

	"mlflow-server":    {"app", "prefect-server", "random-check-flow", "uptime-kuma", "worker"},
	"prefect-server":   {"app", "mlflow-server", "prefect-postgres", "random-check-flow", "uptime-kuma", "worker"},
	"prefect-postgres": {"prefect-server"}, // and nobody else reaches it

	"prometheus":   {"alertmanager", "app", "grafana", "random-check-flow", "ui", "uptime-kuma", "worker"},
	"alertmanager": {"app", "grafana", "prometheus", "uptime-kuma"},
	"grafana":      {"alertmanager", "app", "prometheus", "uptime-kuma"},
	"uptime-kuma":  {"alertmanager", "app", "grafana", "mlflow-server", "prefect-server", "prometheus", "random-check-flow", "ui", "worker"},
}

// dial prints the names of those of its arguments, NAME=ADDRESS:PORT, that take a connection.
const dial = `
import concurrent.futures, socket, sys
def takes(word):
    name, address = word.split("=")
    host, port = address.split(":")
    try:
        socket.create_connection((host, int(port)), 2).close()
        return name
    except OSError:
        return None
with concurrent.futures.ThreadPoolExecutor(64) as pool:
    print(*sorted(set(filter(None, pool.map(takes, sys.argv[1:])))))`

// isolation opens connections from the network of each container to every address of all others: a name that is not
// known there would be no wall.
func isolation(t *testing.T) {
	running := services(t)
	addresses := map[string][]string{}
	for _, name := range running {
		for _, ip := range strings.Fields(inspect(t, name, "{{range .NetworkSettings.Networks}}{{.IPAddress}} {{end}}")) {
			addresses[name] = append(addresses[name], fmt.Sprintf("%s=%s:%d", name, ip, ports[name]))
		}
	}
	for _, from := range running {
		args := []string{"run", "--rm", "--network", "container:" + container(t, from), "python:3.11-slim", "python", "-c", dial}
		for to, all := range addresses {
			if to != from {
				args = append(args, all...)
			}
		}
		got := strings.Fields(docker(t, args...))
		want := slices.DeleteFunc(slices.Clone(reach[from]), func(name string) bool { return !slices.Contains(running, name) })
		if !slices.Equal(got, want) {
			t.Errorf("%s reaches %q, want %q", from, got, want)
		}
	}
}

// killed ends each container's first process, as the kernel does without memory. `docker kill` would be taken for a
// person's wish, after which nothing restarts it.
func killed(t *testing.T) {
	for _, name := range services(t) {
		from := time.Now()
		pid, err := strconv.Atoi(inspect(t, name, "{{.State.Pid}}"))
		if err != nil || pid < 2 {
			t.Fatalf("%s: process %d, %v", name, pid, err)
		}
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatalf("%s: kill %d: %v", name, pid, err)
		}
		eventually(t, name+" is back and healthy", func() error {
			if state := inspect(t, name, "{{.State.Pid}} {{.State.Health.Status}}"); strings.HasPrefix(state, fmt.Sprint(pid, " ")) || !strings.HasSuffix(state, " healthy") {
				return fmt.Errorf("it is %s", state)
			}
			return nil
		})
		t.Logf("figure: %s is healthy again %.1f s after kill -9", name, time.Since(from).Seconds())
	}
	client := admin(t)
	eventually(t, "the loop goes on", func() error {
		_, err := client.Ready(t.Context())
		return err
	})
	seen := lastCheck(t, client)
	reply, err := client.Retrain(t.Context(), api.RetrainRequest{}, true)
	if err != nil || reply.Done == nil {
		t.Errorf("retrain after the faults: %+v, %v", reply, err)
	}
	eventually(t, "checks go on", func() error {
		if lastCheck(t, client) == seen {
			return fmt.Errorf("the last one is still %d", seen)
		}
		return nil
	})
}

func lastCheck(t *testing.T, client *api.Client) int64 {
	t.Helper()
	history, err := client.Drift(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if len(history.DriftDetections) == 0 {
		return 0
	}
	return history.DriftDetections[0].ID
}

// downAndUp removes all containers and networks; what the volumes hold is what there was.
func downAndUp(t *testing.T) {
	client := admin(t)
	before, err := client.Predict(t.Context(), []float64{1, 1})
	if err != nil {
		t.Fatal(err)
	}
	versions, err := client.Models(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	compose(t, "down", "--timeout", "15")
	up(t)
	client = admin(t) // the key that signs and the password are the same
	eventually(t, "the model serves again", func() error {
		_, err := client.Ready(t.Context())
		return err
	})
	history, err := client.History(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.ContainsFunc(history.Predictions, func(p api.LoggedPrediction) bool { return p.PredictionID == before.PredictionID }) {
		t.Errorf("the prediction %s is lost", before.PredictionID)
	}
	after, err := client.Models(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range versions.Models {
		if !slices.ContainsFunc(after.Models, func(w api.Version) bool { return w.Version == v.Version }) {
			t.Errorf("the version %s is lost", v.Version)
		}
	}
}
