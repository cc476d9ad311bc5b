//go:build integration

package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/api"
)

const (
	experiment = "ia_continu_solution"
	registered = "ia_continu_logistic_regression"
)

// tracked is what MLflow's own client finds.
type tracked struct {
	Runs     []trackedRun `json:"runs"` // the earliest first
	Versions []struct {
		Number      int    `json:"number"`
		Name        string `json:"name"`
		Status      string `json:"status"`
		Description string `json:"description"`
	} `json:"versions"`
	Aliases  map[string]string `json:"aliases"`
	Champion struct {
		Label       []int     `json:"label"`
		Probability []float64 `json:"probability"`
	} `json:"champion"`
}

type trackedRun struct {
	Name     string             `json:"name"`
	Status   string             `json:"status"`
	Start    int64              `json:"start"`
	End      int64              `json:"end"`
	Params   map[string]string  `json:"params"`
	Metrics  map[string]float64 `json:"metrics"`
	Tags     map[string]string  `json:"tags"`
	Datasets []struct {
		Name     string   `json:"name"`
		Digest   string   `json:"digest"`
		Contexts []string `json:"contexts"`
	} `json:"datasets"`
	Files  []string `json:"files"`
	Models []string `json:"models"`
}

// run is the run of a version.
func (m tracked) run(t *testing.T, name string) trackedRun {
	t.Helper()
	i := slices.IndexFunc(m.Runs, func(r trackedRun) bool { return r.Name == name })
	if i < 0 {
		t.Fatalf("MLflow has no run %s: %+v", name, m.Runs)
	}
	return m.Runs[i]
}

// versions are the names of the registered versions in the order of their numbers.
func (m tracked) versions() (names []string) {
	for _, v := range m.Versions {
		names = append(names, v.Name)
	}
	return names
}

// readMLflow reads by MLflow's own client, and lets the champion predict rows if there are any.
func readMLflow(t *testing.T, columns []string, rows [][]float64) (m tracked) {
	t.Helper()
	args := []string{"testdata/mlflow_read.py", *mlflowURL, experiment, registered}
	if len(rows) > 0 {
		text, err := json.Marshal(object{"columns": columns, "rows": rows})
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(t.TempDir(), "rows.json")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	script(t, nil, &m, *mlflowPython, args...)
	return m
}

// tracking is a platform that tells MLflow of its retrainings.
type tracking struct {
	*platform
	folder *folder
	admin  *api.Client
	// told are the versions in the order in which they were made.
	told  []string
	whole *testing.T // for processes that outlive a part
}

func (w *tracking) start(t *testing.T, env ...string) {
	t.Helper()
	w.platform = startUp(w.whole, w.folder, env...)
	ready(t, w.url)
	w.admin = login(t, w.url, "admin", "admin123")
}

// retrain retrains and gives the candidate and whether it serves.
func (w *tracking) retrain(t *testing.T, r api.RetrainRequest) (candidate string, serves bool) {
	t.Helper()
	reply, err := w.admin.Retrain(t.Context(), r, true)
	if err != nil || reply.Done == nil {
		t.Fatalf("retrain %+v: %+v, %v", r, reply, err)
	}
	candidate = reply.Done.CandidateVersion
	w.told = append(w.told, candidate)
	return candidate, reply.Done.Status == api.StatusSuccess
}

// load imports rows of the generated schema.
func (w *tracking) load(t *testing.T, name string, n int, label func(i int, x, y float64) int) (id int64) {
	t.Helper()
	var csv strings.Builder
	csv.WriteString("feature1,feature2,target\n")
	for i := range n {
		x, y := math.Sin(float64(7*i)), math.Cos(float64(11*i))
		fmt.Fprintf(&csv, "%.6f,%.6f,%d\n", x, y, label(i, x, y))
	}
	made, err := w.admin.Import(t.Context(), strings.NewReader(csv.String()), api.Upload{Name: name, Target: "target"})
	if err != nil {
		t.Fatal(err)
	}
	return made.GenerationID
}

// TestIntegrationMLflow is a data scientist's week with a real server.
func TestIntegrationMLflow(t *testing.T) {
	needServers(t)
	t.Parallel()
	w := &tracking{folder: newFolder(t, "MLFLOW_TRACKING_URI="+*mlflowURL), whole: t}
	w.start(t)
	w.told = append(w.told, activeVersion(t, w.admin))
	for _, part := range []struct {
		name string
		test func(*testing.T, *tracking)
	}{
		{"retrainings arrive", retrainingsArrive},
		{"aliases follow", aliasesFollow},
		{"a failed retraining is a failed run", aFailedRun},
		{"the champion predicts as the platform does", theChampionPredicts},
		{"pages", mlflowPages},
		{"the server's absence costs nothing", withoutMLflow},
		{"a registered model that was deleted comes back", aDeletedModel},
		{"a server that comes back empty gets it all again", anEmptyServer},
		{"another installation has another model", anotherInstallation},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(t, w) }) {
			return
		}
	}
	w.stop(t)
}

func retrainingsArrive(t *testing.T, w *tracking) {
	first := w.told[0]
	if _, err := w.admin.Generate(t.Context(), api.GenerateRequest{Samples: 2000, Seed: new(uint64(1)), Drift: "none"}); err != nil {
		t.Fatal(err)
	}
	began := time.Now().UnixMilli()
	second, serves := w.retrain(t, api.RetrainRequest{C: 0.5, Seed: 3})
	ended := time.Now().UnixMilli()
	if !serves {
		t.Fatalf("%s does not serve", second)
	}
	told(t, w.folder, "mlflow")
	m := readMLflow(t, nil, nil)
	if got := m.versions(); !slices.Equal(got, w.told) {
		t.Errorf("versions %v, want %v", got, w.told)
	}
	if m.Aliases["champion"] != second || m.Aliases["previous"] != first || len(m.Aliases) != 2 {
		t.Errorf("aliases %v", m.Aliases)
	}
	for _, v := range m.Versions {
		if v.Status != "READY" || v.Description == "" {
			t.Errorf("version %+v", v)
		}
	}
	for name, want := range map[string]object{
		first:  {"reason": "bootstrap", "by": "worker", "c": "1", "generate": "true"},
		second: {"reason": "manual", "by": "admin", "c": "0.5", "generate": "false"},
	} {
		r := m.run(t, name)
		got := object{"reason": r.Tags["iacontinu.reason"], "by": r.Tags["mlflow.user"], "c": r.Params["c"], "generate": r.Params["generate"]}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
		checkRun(t, r)
	}
	if r := m.run(t, second); r.Start < began || r.End < r.Start || r.End > ended {
		t.Errorf("%s ran from %d to %d, asked for at %d, answered at %d", second, r.Start, r.End, began, ended)
	}
}

// checkRun checks what every run with a verdict has.
func checkRun(t *testing.T, r trackedRun) {
	t.Helper()
	if r.Status != "FINISHED" || r.Tags["iacontinu.version"] != r.Name || r.Tags["iacontinu.job"] == "" ||
		len(r.Tags["iacontinu.data_fingerprint"]) != 64 || !strings.Contains(r.Tags["mlflow.note.content"], "accuracy") {
		t.Errorf("%s: %s, tags %v", r.Name, r.Status, r.Tags)
	}
	for _, name := range []string{"accuracy", "roc_auc", "log_loss", "training_rows", "holdout_rows", "job_seconds"} {
		if _, ok := r.Metrics[name]; !ok {
			t.Errorf("%s has no metric %s", r.Name, name)
		}
	}
	var datasets []string
	for _, d := range r.Datasets {
		datasets = append(datasets, d.Name)
		if d.Digest == "" || !slices.ContainsFunc(d.Contexts, func(c string) bool { return c == "training" || c == "evaluation" }) {
			t.Errorf("%s: dataset %+v", r.Name, d)
		}
	}
	if len(datasets) < 2 || !slices.Contains(datasets, "holdout") {
		t.Errorf("%s: datasets %v", r.Name, datasets)
	}
	for _, file := range []string{"metrics.json", "coefficients.json", "plots/roc.png", "plots/confusion.png", "plots/calibration.png", "plots/coefficients.png"} {
		if !slices.Contains(r.Files, file) {
			t.Errorf("%s: files %v lack %s", r.Name, r.Files, file)
		}
	}
	if !slices.Equal(r.Models, []string{"READY"}) {
		t.Errorf("%s: logged models %v", r.Name, r.Models)
	}
}

func aliasesFollow(t *testing.T, w *tracking) {
	noise := w.load(t, "noise.csv", 400, func(i int, _, _ float64) int { return i * i % 7 % 2 })
	third, serves := w.retrain(t, api.RetrainRequest{DatasetID: noise})
	if serves {
		t.Fatalf("%s, trained on noise, serves", third)
	}
	first, second := w.told[0], w.told[1]
	aliases := func(what, champion, challenger, previous string) {
		t.Helper()
		told(t, w.folder, "mlflow")
		want := map[string]string{"champion": champion, "challenger": challenger, "previous": previous}
		for name, version := range want {
			if version == "" {
				delete(want, name)
			}
		}
		if got := readMLflow(t, nil, nil).Aliases; fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("after %s: aliases %v, want %v", what, got, want)
		}
	}
	aliases("a rejection", second, third, first)
	if r := readMLflow(t, nil, nil).run(t, third); r.Tags["iacontinu.verdict"] != "rejected" {
		t.Errorf("tags of %s: %v", third, r.Tags)
	}
	if _, err := w.admin.Activate(t.Context(), third); err != nil {
		t.Fatal(err)
	}
	aliases("an activation", third, "", second)
	if _, err := w.admin.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	aliases("a rollback", second, third, first)
}

func aFailedRun(t *testing.T, w *tracking) {
	lone := w.load(t, "lone.csv", 200, func(i int, _, _ float64) int { return min(i, 1) })
	reply, err := w.admin.Retrain(t.Context(), api.RetrainRequest{DatasetID: lone}, false)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the job has failed", func() bool {
		job, err := w.admin.Job(t.Context(), reply.Job.ID)
		return err == nil && job.State == "failed"
	})
	told(t, w.folder, "mlflow")
	r := readMLflow(t, nil, nil).run(t, fmt.Sprintf("job-%d", reply.Job.ID))
	if r.Status != "FAILED" || !strings.Contains(r.Tags["iacontinu.failure"], "want 2 or more") || len(r.Models) != 0 || r.End < r.Start {
		t.Errorf("run %+v", r)
	}
}

// theChampionPredicts compares the champion in Python with /predict: of the generated schema, and of an
// imported one with ten features.
func theChampionPredicts(t *testing.T, w *tracking) {
	w.comparePredictions(t, []string{"feature1", "feature2"}, func(i int) []float64 {
		return []float64{3 * math.Sin(float64(i)), 3 * math.Cos(float64(3*i))}
	})
	text, err := os.ReadFile("../../deploy/sample/breast_cancer.csv")
	if err != nil {
		t.Fatal(err)
	}
	made, err := w.admin.Import(t.Context(), bytes.NewReader(text), api.Upload{Name: "breast_cancer.csv", Target: "diagnosis"})
	if err != nil || len(made.Features) != 10 {
		t.Fatalf("import: %+v, %v", made, err)
	}
	if version, serves := w.retrain(t, api.RetrainRequest{DatasetID: made.GenerationID}); !serves {
		t.Fatalf("%s does not serve", version)
	}
	told(t, w.folder, "mlflow")
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")[1:]
	w.comparePredictions(t, made.Features, func(i int) []float64 {
		row := make([]float64, 10)
		for j, field := range strings.Split(lines[i%len(lines)], ",")[:10] {
			if _, err := fmt.Sscan(field, &row[j]); err != nil {
				t.Fatal(err)
			}
		}
		return row
	})
}

func (w *tracking) comparePredictions(t *testing.T, columns []string, row func(int) []float64) {
	t.Helper()
	rows := make([][]float64, 200)
	for i := range rows {
		rows[i] = row(i)
	}
	ours, err := w.admin.PredictBatch(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	champion := readMLflow(t, columns, rows).Champion
	if len(champion.Label) != len(rows) {
		t.Fatalf("pyfunc gives %d labels of %d rows", len(champion.Label), len(rows))
	}
	worst := 0.0
	for i, p := range ours.Predictions {
		if p.Prediction != champion.Label[i] {
			t.Errorf("row %d: /predict says %d, pyfunc %d", i, p.Prediction, champion.Label[i])
		}
		worst = max(worst, math.Abs(p.Confidence-max(champion.Probability[i], 1-champion.Probability[i])))
	}
	if !(worst <= 1e-12) {
		t.Errorf("%d features: probabilities differ by %g", len(columns), worst)
	}
	t.Logf("%d features: probabilities differ by %.1e at most", len(columns), worst)
}

// withoutMLflow stops the server: a retraining must not notice.
func withoutMLflow(t *testing.T, w *tracking) {
	times := func() (least time.Duration) {
		least = time.Hour
		for range 3 {
			begin := time.Now()
			w.retrain(t, api.RetrainRequest{DatasetID: 1, Seed: uint64(begin.UnixNano() % 1000)})
			least = min(least, time.Since(begin))
		}
		return least
	}
	with := times()
	told(t, w.folder, "mlflow")
	servers(t, "stop", "mlflow")
	began := time.Now().UnixMilli()
	without := times()
	ended := time.Now().UnixMilli()
	t.Logf("figure: a retraining takes %s with MLflow and %s without", with.Round(time.Millisecond), without.Round(time.Millisecond))
	if without > 5*with+time.Second {
		t.Errorf("a retraining takes %s without MLflow, %s with it", without, with)
	}
	eventually(t, "/health and /metrics say what waits", func() bool {
		h, err := w.admin.Health(t.Context())
		_, _, text := ask(t, http.MethodGet, w.url+"/metrics", "", "", nil)
		return err == nil && h.Status == "ok" && h.Checks["mlflow"].Status == api.CheckWarn &&
			strings.Contains(h.Checks["mlflow"].Detail, "3 deliveries wait") && strings.Contains(text, `iacontinu_outbox_waiting{service="mlflow"} 3`)
	})
	servers(t, "start", "mlflow")
	told(t, w.folder, "mlflow")
	m := readMLflow(t, nil, nil)
	if got := m.versions(); !slices.Equal(got, w.told) {
		t.Errorf("versions %v, want %v", got, w.told)
	}
	late := w.told[len(w.told)-3:]
	for _, name := range late {
		r := m.run(t, name)
		checkRun(t, r)
		if r.Start < began || r.End < r.Start || r.End > ended {
			t.Errorf("%s ran from %d to %d, the outage was from %d to %d", name, r.Start, r.End, began, ended)
		}
		began = r.Start
	}
}

// anEmptyServer wipes the server.
func anEmptyServer(t *testing.T, w *tracking) {
	want := readMLflow(t, nil, nil)
	w.stop(t)
	servers(t, "wipe", "mlflow")
	servers(t, "start", "mlflow")
	w.start(t, "MLFLOW_SYNC=off")
	w.worker.logged(t, "mlflow has other versions or aliases than the platform", func(e entry) bool { return e["mended"] == false })
	told(t, w.folder, "mlflow")
	if m := readMLflow(t, nil, nil); len(m.Versions)+len(m.Runs)+len(m.Aliases) != 0 {
		t.Errorf("with MLFLOW_SYNC=off the server was told %+v", m)
	}
	w.stop(t)
	w.start(t, "MLFLOW_SYNC=push")
	w.worker.logged(t, "mlflow has other versions or aliases than the platform", func(e entry) bool { return e["mended"] == true })
	told(t, w.folder, "mlflow")
	m := readMLflow(t, nil, nil)
	if !slices.Equal(m.versions(), want.versions()) || fmt.Sprint(m.Aliases) != fmt.Sprint(want.Aliases) {
		t.Errorf("versions %v and aliases %v, want %v and %v", m.versions(), m.Aliases, want.versions(), want.Aliases)
	}
	for _, name := range w.told {
		if d := cmp.Diff(want.run(t, name), m.run(t, name)); d != "" {
			t.Errorf("%s (-before +after):\n%s", name, d)
		}
	}
}

// aDeletedModel deletes the registered model alone: its versions and aliases come back, and the runs stay as
// they are.
func aDeletedModel(t *testing.T, w *tracking) {
	want := readMLflow(t, nil, nil)
	w.stop(t)
	call(t, http.MethodDelete, *mlflowURL+"/api/2.0/mlflow/registered-models/delete", object{"name": registered}, nil)
	if m := readMLflow(t, nil, nil); len(m.Versions) != 0 || len(m.Aliases) != 0 {
		t.Fatalf("it is still there: %+v", m.Versions)
	}
	w.start(t)
	w.worker.logged(t, "mlflow has other versions or aliases than the platform", nil)
	told(t, w.folder, "mlflow")
	if d := cmp.Diff(want, readMLflow(t, nil, nil)); d != "" {
		t.Errorf("(-before +after):\n%s", d)
	}
}

// anotherInstallation is a second data folder on the same server: it leaves the model of the first alone, until
// it has one of its own.
func anotherInstallation(t *testing.T, _ *tracking) {
	want := readMLflow(t, nil, nil)
	f := newFolder(t, "MLFLOW_TRACKING_URI="+*mlflowURL)
	p := startUp(t, f)
	ready(t, p.url)
	p.worker.logged(t, "the registered model in mlflow is another installation's: its versions and aliases stay as they are", nil)
	told(t, f, "mlflow")
	p.stop(t)
	got := readMLflow(t, nil, nil)
	if !cmp.Equal(want.Versions, got.Versions) || !cmp.Equal(want.Aliases, got.Aliases) || len(got.Runs) != len(want.Runs)+1 {
		t.Errorf("versions %v, aliases %v, %d runs", got.versions(), got.Aliases, len(got.Runs))
	}
	p = startUp(t, f, "MLFLOW_MODEL_NAME=second model")
	ready(t, p.url)
	first := activeVersion(t, login(t, p.url, "admin", "admin123"))
	p.worker.logged(t, "mlflow has other versions or aliases than the platform", nil)
	told(t, f, "mlflow")
	p.stop(t)
	var m tracked
	script(t, nil, &m, *mlflowPython, "testdata/mlflow_read.py", *mlflowURL, experiment, "second model")
	if len(m.Versions) != 1 || m.Versions[0].Name != first || m.Aliases["champion"] != first || len(m.Runs) != len(got.Runs) {
		t.Errorf("versions %+v, aliases %v, %d runs; want %s", m.Versions, m.Aliases, len(m.Runs), first)
	}
}
