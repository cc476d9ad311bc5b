package mlflow

import (
	"encoding/json"
	"errors"
	"flag"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"iacontinu/internal/ml"
)

var (
	server = flag.String("server", "", "URL of a real MLflow server that is empty: tell it the scenario")
	python = flag.String("python", "", "Python with mlflow, onnx and onnxruntime: read back what -server was told")
)

// What Python has to find on the server.
type expectation struct {
	Experiment string            `json:"experiment"`
	Model      string            `json:"model"`
	Aliases    map[string]string `json:"aliases"`
	Runs       []expectedRun     `json:"runs"`
	Versions   []expectedVersion `json:"versions"`
}

type expectedRun struct {
	Name     string             `json:"name"`
	Status   string             `json:"status"`
	Start    int64              `json:"start"`
	End      int64              `json:"end"`
	Tags     map[string]string  `json:"tags"`
	Params   map[string]string  `json:"params"`
	Metrics  map[string]float64 `json:"metrics"`
	Datasets []string           `json:"datasets"`
	Files    []string           `json:"files"`
	Odd      bool               `json:"odd"` // it has the metrics of notANumber
}

type expectedVersion struct {
	Name        string      `json:"name"`
	Columns     []string    `json:"columns"`
	Rows        [][]float64 `json:"rows"`
	Label       []int       `json:"label"`
	Probability []float64   `json:"probability"`
}

// A real server takes the scenario, and Python finds there what was told, loads the models and gets our
// probabilities.
func TestScenarioOnServer(t *testing.T) {
	if *server == "" {
		t.Skip("needs -server")
	}
	w := newWorld()
	line := &counter{next: http.DefaultTransport}
	tracker := w.tracker(t, Options{URL: *server, Transport: line})
	tracker.render = render
	told := scenario(t, tracker, w)

	usual := w.retraining(6, 2) // experiment and registered model are there, as they are from the second one on
	usual.Aliases = &ml.Aliases{Champion: usual.Version.Name, Previous: told[1].Version.Name}
	before, start := line.n.Load(), time.Now()
	if _, err := tracker.Track(t.Context(), usual, nil, new(page).save); err != nil {
		t.Fatal(err)
	}
	t.Logf("one tracked retraining: %d requests, %.3f s", line.n.Load()-before, time.Since(start).Seconds())

	told = append(told, usual)
	want := expectation{
		Experiment: DefaultExperiment, Model: DefaultModel,
		Aliases: map[string]string{"champion": usual.Version.Name, "previous": told[1].Version.Name},
	}
	for _, r := range told {
		run := expectRun(r)
		run.Odd = r.JobID != usual.JobID
		want.Runs = append(want.Runs, run)
		if r.Version != nil {
			want.Versions = append(want.Versions, w.expectVersion(r.Version.Name))
		}
	}
	readBack(t, want)
}

// A real server has everything once, too, wherever the line to it is cut.
func TestCutOnServer(t *testing.T) {
	if *server == "" {
		t.Skip("needs -server")
	}
	w, job := newWorld(), int64(100)
	whole := &cutter{next: http.DefaultTransport}
	if _, err := w.tracker(t, Options{URL: *server, Transport: whole}).Track(t.Context(), w.retraining(job, 2), nil, new(page).save); err != nil {
		t.Fatal(err)
	}
	for at := 1; at <= whole.calls; at++ {
		for _, late := range []bool{false, true} {
			job++
			line, p, told := &cutter{next: http.DefaultTransport, at: at, late: late}, new(page), w.retraining(job, 2)
			tracker := w.tracker(t, Options{URL: *server, Transport: line})
			_, err := tracker.Track(t.Context(), told, nil, p.save)
			if err == nil && line.calls < at {
				continue // aliases that are right need fewer calls
			}
			if !errors.Is(err, errCut) {
				t.Errorf("cut at %d: got %v", at, err)
			}
			line.at = 0
			made, err := tracker.Track(t.Context(), told, p.notes, p.save)
			if err != nil {
				t.Errorf("cut at %d (late %v): %v", at, late, err)
				continue
			}
			if got := countOnServer(t, tracker.client, told.Version.Name, made.ID); got != [4]int{1, 1, 1, 1} {
				t.Errorf("cut at %d (late %v): %v runs, models, outputs, versions", at, late, got)
			}
		}
	}
}

// countOnServer counts runs and logged models, what the run says that it made, and registered versions.
func countOnServer(t *testing.T, c *Client, version, run string) (n [4]int) {
	t.Helper()
	experiment, err := c.experiment(t.Context(), DefaultExperiment)
	if err != nil {
		t.Fatal(err)
	}
	count := func(operation, filter, list string) int {
		var answer map[string]json.RawMessage
		if err := c.post(t.Context(), operation, search{[]string{experiment}, filter, 10}, &answer); err != nil {
			t.Fatal(err)
		}
		var found []any
		_ = json.Unmarshal(answer[list], &found) // absent if there is none
		return len(found)
	}
	r, err := c.getRun(t.Context(), run)
	if err != nil {
		t.Fatal(err)
	}
	page, err := c.searchVersions(t.Context(), hasTag(pair{tagVersion, version}), 10, "")
	if err != nil {
		t.Fatal(err)
	}
	return [4]int{
		count("runs/search", hasTag(pair{tagRun, version}), "runs"),
		count("logged-models/search", "source_run_id = '"+run+"'", "models"), len(r.Outputs.Models), len(page.Versions),
	}
}

func expectRun(r ml.TrackedRun) expectedRun {
	out := expectedRun{
		Name: runName(r), Status: runFailed, Start: millis(r.Started), End: millis(r.Ended),
		Tags:   map[string]string{"mlflow.source.type": "JOB", "mlflow.source.git.commit": "0123abc", "iacontinu.reason": r.Args.Reason},
		Params: map[string]string{"c": "0.5", "balanced": "true", "seed": "7"}, Metrics: map[string]float64{"job_seconds": 90},
		Datasets: []string{"dataset-1"},
	}
	if r.Version == nil {
		out.Tags["iacontinu.failure"] = r.Failure
		return out
	}
	out.Status = runFinished
	out.Tags["iacontinu.verdict"] = string(r.Result.Verdict)
	for key, value := range map[string]float64{"accuracy": 0.81, "accuracy_low": 0.75, "roc_auc": 0.875, "champion_accuracy": 0.79, "majority_accuracy": 0.5, "training_rows": 800} {
		out.Metrics[key] = value
	}
	out.Datasets = []string{"dataset-" + r.Version.Name[len(r.Version.Name)-1:], "holdout"}
	out.Files = []string{"metrics.json", "coefficients.json", "plots/confusion.png", "plots/roc.png", "plots/calibration.png", "plots/coefficients.png"}
	if r.Args.Trigger != nil {
		out.Files = append(out.Files, "drift_report.json")
		out.Metrics["trigger_value"] = 0.001
	}
	return out
}

func (w *world) expectVersion(name string) expectedVersion {
	a := w.artifacts[name]
	out := expectedVersion{Name: name, Columns: a.Features}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 300 {
		row := make([]float64, len(a.Features))
		for j := range row {
			row[j] = []float64{3 * random.NormFloat64(), 1e6, -1e6, 0}[max(0, i-296)]
		}
		label, _ := a.Model.Predict(row)
		p := make([]float64, 1)
		columns := make([][]float64, len(row))
		for j, v := range row {
			columns[j] = []float64{v}
		}
		a.Model.Probabilities(columns, p)
		out.Rows, out.Label, out.Probability = append(out.Rows, row), append(out.Label, label), append(out.Probability, p[0])
	}
	return out
}

// readBack lets Python look.
func readBack(t *testing.T, want expectation) {
	t.Helper()
	if *python == "" {
		t.Log("not read back by Python: needs -python")
		return
	}
	path := filepath.Join(t.TempDir(), "expected.json")
	text, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	said, err := exec.CommandContext(t.Context(), *python, "testdata/readback.py", *server, path).CombinedOutput()
	t.Logf("%s", said)
	if err != nil {
		t.Fatal(err)
	}
}
