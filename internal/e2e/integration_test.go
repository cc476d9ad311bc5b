//go:build integration

package e2e

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os/exec"
	"testing"
)

var (
	mlflowURL     = flag.String("mlflow", "", "URL of a real MLflow server that is empty")
	mlflowPython  = flag.String("mlflow-python", "", "a Python with MLflow's client")
	prefectURL    = flag.String("prefect", "", "API of a real Prefect server that has no deployment periodic_check/random-check-flow")
	prefectPython = flag.String("prefect-python", "", "a Python with Prefect's client")
	serversScript = flag.String("servers", "", "the script that stops and starts the servers, whose ports are in the environment")
	serversFolder = flag.String("servers-folder", "", "where they run")
	screenshots   = flag.String("screenshots", "", "folder for pictures of pages")
)

// needServers skips a test where nobody has started the servers.
func needServers(t *testing.T) {
	t.Helper()
	for _, f := range []*string{mlflowURL, mlflowPython, prefectURL, prefectPython, serversScript, serversFolder, screenshots} {
		if *f == "" {
			t.Skip("needs real servers: make tracking starts them")
		}
	}
}

// servers stops, starts or wipes one of the servers.
func servers(t *testing.T, command, name string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), *serversScript, command, *serversFolder, name).CombinedOutput()
	if err != nil {
		t.Fatalf("servers %s %s: %v\n%s", command, name, err, out)
	}
}

// script runs one of the Python scripts and reads the JSON that it prints.
func script(t *testing.T, env []string, into any, python string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, args...)
	cmd.Env = append(cmd.Environ(), env...)
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %v: %v\n%s", python, args, err, errs.Bytes())
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatalf("%v prints %s: %v", args, out, err)
	}
}

// call asks a server by JSON; in is nil for a GET.
func call(t *testing.T, method, url string, in, out any) {
	t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 300 {
		t.Fatalf("%s %s: %s", method, url, res.Status)
	}
	if out != nil {
		if err := json.NewDecoder(res.Body).Decode(out); err != nil {
			t.Fatalf("%s %s: %v", method, url, err)
		}
	}
}

// told waits until a service is owed nothing. /health would say what was so a second ago.
func told(t *testing.T, f *folder, service string) {
	t.Helper()
	db := f.open(t)
	eventually(t, service+" was told everything", func() bool {
		var waiting int
		err := db.QueryRow("SELECT COUNT(*) FROM outbox WHERE service = ?", service).Scan(&waiting)
		return err == nil && waiting == 0
	})
}
