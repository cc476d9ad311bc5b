package e2e

import (
	"encoding/base64"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"iacontinu/internal/api"
	"iacontinu/internal/mlflow/mlflowtest"
	"iacontinu/internal/prefect/prefecttest"
)

// trackingServer is an MLflow server in memory that can be away.
type trackingServer struct {
	*mlflowtest.Server
	url  string
	away atomic.Bool
}

func newTrackingServer(t *testing.T) *trackingServer {
	t.Helper()
	s := &trackingServer{Server: mlflowtest.New()}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.away.Load() {
			http.Error(w, "away", http.StatusServiceUnavailable)
			return
		}
		s.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// aliases are the names of the versions by alias.
func (s *trackingServer) aliases() map[string]string {
	names := map[string]string{}
	for _, v := range s.Versions() {
		for _, tag := range v.Tags {
			if tag.Key == "iacontinu.version" {
				names[v.Number] = tag.Value
			}
		}
	}
	out := map[string]string{}
	for alias, number := range s.Aliases() {
		out[alias] = names[number]
	}
	return out
}

// finished are the names of the runs that ended well, oldest first.
func (s *trackingServer) finished() []string {
	var out []string
	for _, r := range s.Runs() {
		if r.Status == "FINISHED" {
			out = append(out, r.Name)
		}
	}
	return out
}

func (s *trackingServer) waitFor(t *testing.T, aliases map[string]string) {
	t.Helper()
	eventually(t, "MLflow has the aliases", func() bool { return maps.Equal(s.aliases(), aliases) })
}

// retrained trains a version, which must be let in, and returns its name.
func retrained(t *testing.T, c *api.Client, seed uint64) string {
	t.Helper()
	reply, err := c.Retrain(t.Context(), api.RetrainRequest{Seed: seed}, true)
	if err != nil || reply.Done == nil || reply.Done.Status != api.StatusSuccess {
		t.Fatalf("retrain: %+v, %v", reply, err)
	}
	return reply.Done.ModelVersion
}

func serving(t *testing.T, c *api.Client) string {
	t.Helper()
	info, err := c.ModelInfo(t.Context())
	if err != nil || info.ModelVersion == nil {
		t.Fatalf("model info: %+v, %v", info, err)
	}
	return *info.ModelVersion
}

// TestMLflowFollowsTheVersions: what is trained, activated and rolled back here is so there.
func TestMLflowFollowsTheVersions(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, *folder, ...string) *platform) {
		mlflow := newTrackingServer(t)
		f := newFolder(t)
		p := start(t, f, "MLFLOW_TRACKING_URI="+mlflow.url)
		ready(t, p.url)
		admin := login(t, p.url, "admin", "admin123")
		first := serving(t, admin)
		mlflow.waitFor(t, map[string]string{"champion": first})
		second := retrained(t, admin, 2)
		mlflow.waitFor(t, map[string]string{"champion": second, "previous": first})
		if _, err := admin.Activate(t.Context(), first); err != nil {
			t.Fatal(err)
		}
		mlflow.waitFor(t, map[string]string{"champion": first, "previous": second})
		// The operator's command knows no MLflow, and owes it the news all the same.
		f.must(t, nil, "model", "rollback")
		mlflow.waitFor(t, map[string]string{"champion": second, "previous": first})
		if d := cmp.Diff([]string{first, second}, mlflow.finished()); d != "" {
			t.Errorf("runs (-want +got):\n%s", d)
		}
		if got := mlflow.Runs()[0].Tags["mlflow.source.git.commit"]; got != revision {
			t.Errorf("the run is of revision %q, want the binary's", got)
		}
		eventually(t, "the history names the runs", func() bool {
			trainings, err := admin.Trainings(t.Context(), 10)
			if err != nil {
				t.Fatal(err)
			}
			return !slices.ContainsFunc(trainings.Trainings, func(r api.Training) bool { return r.MLflowRunID == nil })
		})
		p.stop(t)
	})
}

// TestAFailedRetrainingIsAFailedRun with its reason.
func TestAFailedRetrainingIsAFailedRun(t *testing.T) {
	t.Parallel()
	mlflow := newTrackingServer(t)
	p := startUp(t, newFolder(t), "MLFLOW_TRACKING_URI="+mlflow.url)
	ready(t, p.url)
	user := login(t, p.url, "testuser", "test123")
	made, err := user.Import(t.Context(), strings.NewReader("a,y\n1,0\n2,1\n"), api.Upload{Name: "few.csv", Target: "y"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := user.Retrain(t.Context(), api.RetrainRequest{DatasetID: made.GenerationID}, true); err == nil {
		t.Fatal("two rows were enough")
	}
	eventually(t, "the run has failed with the reason", func() bool {
		return slices.ContainsFunc(mlflow.Runs(), func(r mlflowtest.Run) bool {
			return r.Status == "FAILED" && strings.Contains(strings.Join(slices.Collect(maps.Values(r.Tags)), "\n"), "too few")
		})
	})
}

// TestMLflowAwayCostsNothingAndIsToldLater in order, each run once, with its own times.
func TestMLflowAwayCostsNothingAndIsToldLater(t *testing.T) {
	t.Parallel()
	mlflow := newTrackingServer(t)
	mlflow.away.Store(true)
	p := startUp(t, newFolder(t), "MLFLOW_TRACKING_URI="+mlflow.url)
	ready(t, p.url)
	admin := login(t, p.url, "admin", "admin123")
	names := []string{serving(t, admin), retrained(t, admin, 2), retrained(t, admin, 3)}
	if _, err := admin.Rollback(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "/health says that deliveries wait", func() bool {
		health, err := admin.Health(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		check := health.Checks["mlflow"]
		return check.Status == "warning" && strings.Contains(check.Detail, "deliveries wait")
	})
	ended := time.Now()
	mlflow.away.Store(false)
	eventually(t, "MLflow has the runs in their order", func() bool { return slices.Equal(names, mlflow.finished()) })
	mlflow.waitFor(t, map[string]string{"champion": names[1], "previous": names[0]}) // the rollback came last
	for _, r := range mlflow.Runs() {
		if r.Start <= 0 || r.End < r.Start || r.End > ended.UnixMilli() {
			t.Errorf("run %s is said to have lasted from %d to %d", r.Name, r.Start, r.End)
		}
	}
	p.stop(t)
}

// TestAnEmptiedMLflowIsFilledAgain at the next start; where it must not be, the log tells.
func TestAnEmptiedMLflowIsFilledAgain(t *testing.T) {
	t.Parallel()
	mlflow, f, want := twoVersionsTold(t)

	before := mlflow.Runs()
	mlflow.Empty()
	told := startUp(t, f, "MLFLOW_SYNC=off")
	line := told.worker.logged(t, "mlflow has other versions or aliases than the platform", nil)
	if missing, _ := line["missing_there"].([]any); len(missing) != 2 || line["mended"] != false || len(mlflow.Runs()) != 0 {
		t.Errorf("told %v, %d runs", line, len(mlflow.Runs()))
	}
	told.stop(t)

	startUp(t, f)
	mlflow.waitFor(t, want)
	sameRuns(t, before, mlflow.Runs())
}

// twoVersionsTold runs a platform until MLflow has two versions of it, and stops it. want are the aliases then.
func twoVersionsTold(t *testing.T) (mlflow *trackingServer, f *folder, want map[string]string) {
	t.Helper()
	mlflow = newTrackingServer(t)
	f = newFolder(t, "MLFLOW_TRACKING_URI="+mlflow.url)
	p := startUp(t, f)
	ready(t, p.url)
	admin := login(t, p.url, "admin", "admin123")
	first := serving(t, admin)
	want = map[string]string{"champion": retrained(t, admin, 2), "previous": first}
	mlflow.waitFor(t, want)
	p.stop(t)
	return mlflow, f, want
}

// sameRuns compares runs by all that a server does not give them.
func sameRuns(t *testing.T, before, after []mlflowtest.Run) {
	t.Helper()
	ids := cmpopts.IgnoreFields(mlflowtest.Run{}, "ID", "Experiment", "Outputs")
	if d := cmp.Diff(before, after, ids); d != "" {
		t.Errorf("runs (-before +after):\n%s", d)
	}
}

// TestWhatIsChangedByHandInMLflowIsMended at the next start: aliases that were moved, and a registered model
// that was deleted while its runs and models stayed.
func TestWhatIsChangedByHandInMLflowIsMended(t *testing.T) {
	t.Parallel()
	mlflow, f, want := twoVersionsTold(t)
	runs, models := mlflow.Runs(), mlflow.Models()
	for what, change := range map[string]func(){
		"aliases": func() {
			mlflow.SetAlias("champion", "1")
			mlflow.SetAlias("previous", "")
			mlflow.SetAlias("challenger", "1")
		},
		"the registered model": mlflow.DeleteRegistered,
	} {
		change()
		p := startUp(t, f)
		mlflow.waitFor(t, want)
		p.stop(t)
		if d := cmp.Diff([]any{runs, models}, []any{mlflow.Runs(), mlflow.Models()}); d != "" {
			t.Errorf("%s: runs and models (-before +after):\n%s", what, d)
		}
	}
}

// TestAPasswordInAURLIsNotLogged, and is used.
func TestAPasswordInAURLIsNotLogged(t *testing.T) {
	t.Parallel()
	var authorization atomic.Value
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		authorization.Store(r.Header.Get("Authorization"))
		http.Error(w, "who are you, "+r.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	t.Cleanup(server.Close)
	f := newFolder(t, "LOG_LEVEL=DEBUG")
	p := startUp(t, f, "MLFLOW_TRACKING_URI=http://tracker:s3cret-w0rd@"+strings.TrimPrefix(server.URL, "http://"))
	ready(t, p.url)
	p.worker.logged(t, "a delivery failed and will be tried again", nil)
	if got, want := authorization.Load(), "Basic "+base64.StdEncoding.EncodeToString([]byte("tracker:s3cret-w0rd")); got != want {
		t.Errorf("the server was told %q, want %q", got, want)
	}
	_, _, health := ask(t, http.MethodGet, p.url+"/health", "", "", nil)
	p.stop(t)
	log := strings.Join(p.worker.lines, "\n")
	if !strings.Contains(log, "MLFLOW_TRACKING_URI=http://(set)@127.0.0.1") {
		t.Errorf("the log does not show where the server is:\n%.2000s", log)
	}
	for _, text := range []string{log, health} {
		if strings.Contains(text, "s3cret") || strings.Contains(text, "dHJhY2tlcj") {
			t.Error("the password is told")
		}
	}
}

// TestPrefectAsksForTheChecksAndSeesThem, and the retraining as part of the check that asked for it.
func TestPrefectAsksForTheChecksAndSeesThem(t *testing.T) {
	each(t, func(t *testing.T, start func(*testing.T, *folder, ...string) *platform) {
		prefect := prefecttest.New()
		server := httptest.NewServer(prefect)
		t.Cleanup(server.Close)
		p := start(t, newFolder(t), "PREFECT_API_URL="+server.URL+"/api", "DRIFT_DETECTOR=random")
		ready(t, p.url)
		p.processes[len(p.processes)-1].logged(t, "prefect says when to check", nil)
		id := prefect.Add(prefecttest.Run{
			Name: "by-hand", Parameters: map[string]any{"force": true}, Expected: time.Now(), Next: time.Now(),
			State: prefecttest.State{Type: "SCHEDULED", Name: "Scheduled"},
		})
		eventually(t, "the check has ended", func() bool { return prefect.Run(id).State.Type == "COMPLETED" })
		tasks := prefect.Tasks(id)
		if d := cmp.Diff([]string{"detect", "draw", "health_check", "notify", "trigger_retrain"}, slices.Sorted(maps.Keys(tasks))); d != "" {
			t.Errorf("steps (-want +got):\n%s", d)
		}
		for name, task := range tasks {
			if task.State.Type != "COMPLETED" {
				t.Errorf("%s is %+v", name, task.State)
			}
		}
		if !slices.ContainsFunc(prefect.Artifacts(id), func(a prefecttest.Artifact) bool { return a.Type == "markdown" }) {
			t.Errorf("the check shows %+v", prefect.Artifacts(id))
		}
		var retraining prefecttest.Run
		eventually(t, "its retraining has ended", func() bool {
			for _, r := range prefect.Runs() {
				if r.Parent == tasks["trigger_retrain"].ID && r.Parent != "" && r.State.Type == "COMPLETED" {
					retraining = r
				}
			}
			return retraining.ID != ""
		})
		if steps := prefect.Tasks(retraining.ID); len(steps) != 7 || steps["gate"].State.Type != "COMPLETED" {
			t.Errorf("the retraining has the steps %+v", steps)
		}
		p.stop(t)
	})
}

// TestTheRetrainingLinksToItsRun once MLflow has it.
func TestTheRetrainingLinksToItsRun(t *testing.T) {
	t.Parallel()
	mlflow, prefect := newTrackingServer(t), prefecttest.New()
	server := httptest.NewServer(prefect)
	t.Cleanup(server.Close)
	p := startUp(t, newFolder(t), "MLFLOW_TRACKING_URI="+mlflow.url, "PREFECT_API_URL="+server.URL+"/api")
	var link string
	eventually(t, "the retraining has a link", func() bool {
		for _, r := range prefect.Runs() {
			for _, a := range prefect.Artifacts(r.ID) {
				if text, _ := a.Data.(string); a.Key == "mlflow-run" && r.State.Type == "COMPLETED" {
					link = text
				}
			}
		}
		return link != ""
	})
	if run := mlflow.Runs()[0]; !strings.Contains(link, mlflow.url+"/#/experiments/"+run.Experiment+"/runs/"+run.ID) {
		t.Errorf("the link is %q", link)
	}
	p.stop(t)
}
