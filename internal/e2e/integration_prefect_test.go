//go:build integration

package e2e

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"iacontinu/internal/api"
)

// flowRun is a run as Prefect's own client reads it.
type flowRun struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	Flow       string         `json:"flow"`
	Type       string         `json:"type"`
	State      string         `json:"state"`
	Message    string         `json:"message"`
	Parameters map[string]any `json:"parameters"`
	Parent     string         `json:"parent"` // task
	Expected   time.Time      `json:"expected"`
	Start      time.Time      `json:"start"`
	End        time.Time      `json:"end"`
	Tasks      []taskRun      `json:"tasks"`
	Lines      []struct {
		Message string `json:"message"`
		Task    string `json:"task"`
	} `json:"lines"`
	Artifacts []struct {
		Key  string `json:"key"`
		Type string `json:"type"`
		Data any    `json:"data"`
	} `json:"artifacts"`
}

type taskRun struct {
	ID    string    `json:"id"`
	Name  string    `json:"name"`
	State string    `json:"state"`
	After []string  `json:"after"`
	Start time.Time `json:"start"`
	End   time.Time `json:"end"`
}

func (r flowRun) task(name string) taskRun {
	i := slices.IndexFunc(r.Tasks, func(task taskRun) bool { return task.Name == name })
	if i < 0 {
		return taskRun{}
	}
	return r.Tasks[i]
}

// runState is a run as the server lists it.
type runState struct {
	ID         string         `json:"id"`
	Name       string         `json:"name"`
	State      string         `json:"state_name"`
	Parent     string         `json:"parent_task_run_id"`
	Auto       bool           `json:"auto_scheduled"`
	Expected   time.Time      `json:"expected_start_time"`
	Parameters map[string]any `json:"parameters"`
}

type object = map[string]any

// flowRuns lists the runs of a flow in certain states, the newest first.
func flowRuns(t *testing.T, flow string, states ...string) (found []runState) {
	t.Helper()
	call(t, http.MethodPost, *prefectURL+"/flow_runs/filter", object{
		"flows":     object{"name": object{"any_": []string{flow}}},
		"flow_runs": object{"state": object{"name": object{"any_": states}}},
		"sort":      "EXPECTED_START_TIME_DESC", "limit": 200,
	}, &found)
	return found
}

// readRuns reads runs by Prefect's own client.
func readRuns(t *testing.T, ids ...string) (runs []flowRun) {
	t.Helper()
	script(t, []string{"PREFECT_API_URL=" + *prefectURL}, &runs, *prefectPython, append([]string{"testdata/prefect_read.py"}, ids...)...)
	return runs
}

func deployment(t *testing.T) (id string) {
	t.Helper()
	var d struct {
		ID string `json:"id"`
	}
	call(t, http.MethodGet, *prefectURL+"/deployments/name/periodic_check/random-check-flow", nil, &d)
	return d.ID
}

// schedule pauses or resumes the checks, as the switch of the page does.
func schedule(t *testing.T, change string) {
	t.Helper()
	call(t, http.MethodPost, *prefectURL+"/deployments/"+deployment(t)+"/"+change+"_deployment", nil, nil)
}

// askForCheck asks Prefect for a check with parameters.
func askForCheck(t *testing.T, parameters object) (id string) {
	t.Helper()
	var run runState
	call(t, http.MethodPost, *prefectURL+"/deployments/"+deployment(t)+"/create_flow_run", object{"parameters": parameters}, &run)
	return run.ID
}

// comesTo waits until a run is in a state.
func comesTo(t *testing.T, id, state string) {
	t.Helper()
	var run runState
	eventually(t, "run "+id+" is "+state, func() bool {
		call(t, http.MethodGet, *prefectURL+"/flow_runs/"+id, nil, &run)
		return run.State == state
	})
}

// taskComesTo waits until a task of a run is in a state: tasks are recorded a moment later than runs.
func taskComesTo(t *testing.T, run, name, state string) {
	t.Helper()
	eventually(t, name+" of "+run+" is "+state, func() bool {
		var tasks []struct {
			Name  string `json:"name"`
			State string `json:"state_name"`
		}
		call(t, http.MethodPost, *prefectURL+"/task_runs/filter", object{"flow_runs": object{"id": object{"any_": []string{run}}}}, &tasks)
		return slices.ContainsFunc(tasks, func(task struct {
			Name  string `json:"name"`
			State string `json:"state_name"`
		},
		) bool {
			return task.Name == name && task.State == state
		})
	})
}

// scheduled is a platform of three processes whose checks Prefect asks for.
type scheduled struct {
	*platform
	folder *folder
	user   *api.Client
	env    []string   // of one more process
	whole  *testing.T // for processes that outlive a part
}

func (s *scheduled) flow() *process { return s.processes[2] }

// startFlow starts another process of the flow.
func (s *scheduled) startFlow(t *testing.T) *process {
	t.Helper()
	p := s.folder.start(s.whole, s.env, "flow")
	p.logged(t, "prefect says when to check", nil)
	return p
}

// TestIntegrationPrefect is an operator's day with a real server. Its parts are one after the other: a
// server has one deployment of that name.
func TestIntegrationPrefect(t *testing.T) {
	needServers(t)
	t.Parallel()
	f := newFolder(t, "PREFECT_API_URL="+*prefectURL, "MONITORING_INTERVAL=4", "DRIFT_DETECTOR=random")
	s := &scheduled{platform: startApart(t, f), folder: f, whole: t}
	s.env = []string{"API_URL=" + s.url}
	ready(t, s.url)
	s.user = login(t, s.url, "testuser", "test123")
	for _, part := range []struct {
		name string
		test func(*testing.T, *scheduled)
	}{
		{"a scheduled check is shown with its steps", aScheduledCheckIsShown},
		{"a retraining is shown under its check", aRetrainingIsShownUnderItsCheck},
		{"a call to retrain is a run of its own", aCallToRetrainIsShown},
		{"pages", prefectPages},
		{"two processes never check a slot twice", noSlotTwice},
		{"figures", prefectFigures},
		{"a killed process leaves crashed runs", aKilledProcess},
		{"checks go on without the server", withoutPrefect},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(t, s) }) {
			return
		}
	}
	s.stop(t)
}

func aScheduledCheckIsShown(t *testing.T, _ *scheduled) {
	var checks []runState
	eventually(t, "two scheduled checks are complete", func() bool {
		checks = flowRuns(t, "periodic_check", "Completed")
		return len(checks) >= 2
	})
	taskComesTo(t, checks[0].ID, "notify", "Completed")
	run := readRuns(t, checks[0].ID)[0]
	after := map[string][]string{"health_check": {}, "draw": {"health_check"}, "detect": {"draw"}, "trigger_retrain": {"detect"}, "notify": {"detect", "trigger_retrain"}}
	if len(run.Tasks) != len(after) {
		t.Fatalf("%d task runs, want %d: %+v", len(run.Tasks), len(after), run.Tasks)
	}
	for name, want := range after {
		task := run.task(name)
		state := "Completed"
		if name == "trigger_retrain" && !strings.Contains(run.Message, "serves") && !strings.Contains(run.Message, "rejected") {
			state = "Skipped"
		}
		if task.State != state || !slices.Equal(task.After, want) {
			t.Errorf("%s is %s after %v, want %s after %v (%s)", name, task.State, task.After, state, want, run.Message)
		}
	}
	if run.Expected.Unix()%4 != 0 || run.Start.Before(run.Expected) || run.End.Before(run.Start) {
		t.Errorf("due %s, from %s to %s", run.Expected, run.Start, run.End)
	}
	if len(run.Lines) < 3 || !slices.ContainsFunc(run.Artifacts, func(a struct {
		Key  string `json:"key"`
		Type string `json:"type"`
		Data any    `json:"data"`
	},
	) bool {
		text, _ := a.Data.(string)
		return a.Key == "check-report" && a.Type == "markdown" && strings.Contains(text, "| Detector | random |")
	}) {
		t.Errorf("lines %+v, artifacts %+v", run.Lines, run.Artifacts)
	}
}

func aRetrainingIsShownUnderItsCheck(t *testing.T, _ *scheduled) {
	id := askForCheck(t, object{"force": true, "threshold": 1e-9}) // no draw is below
	comesTo(t, id, "Completed")
	var child string
	check := flowRun{}
	eventually(t, "its retraining is there", func() bool {
		for _, r := range flowRuns(t, "retrain", "Completed") {
			if check.ID == "" {
				check = readRuns(t, id)[0]
			}
			if r.Parent != "" && r.Parent == check.task("trigger_retrain").ID {
				child = r.ID
			}
		}
		return child != ""
	})
	taskComesTo(t, child, "activate", "Completed")
	run := readRuns(t, child)[0]
	before := []string{}
	for _, name := range []string{"data", "split", "train", "evaluate", "gate", "save", "activate"} {
		if task := run.task(name); task.State != "Completed" && task.State != "Skipped" || !slices.Equal(task.After, before) {
			t.Errorf("%s is %q after %v, want it complete after %v", name, task.State, task.After, before)
		}
		before = []string{name}
	}
	if run.Parameters["reason"] != "forced" || run.Message == "" {
		t.Errorf("parameters %v, message %q", run.Parameters, run.Message)
	}
}

func aCallToRetrainIsShown(t *testing.T, s *scheduled) {
	reply, err := s.user.Retrain(t.Context(), api.RetrainRequest{Seed: 7}, true)
	if err != nil || reply.Done == nil {
		t.Fatalf("retrain: %+v, %v", reply, err)
	}
	eventually(t, "its run is there", func() bool {
		return slices.ContainsFunc(flowRuns(t, "retrain", "Completed"), func(r runState) bool {
			return r.Parameters["job_id"] == float64(reply.Done.JobID) && r.Parent == "" && r.Parameters["requested_by"] == "testuser"
		})
	})
}

// noSlotTwice runs two processes of the flow for some slots.
func noSlotTwice(t *testing.T, s *scheduled) {
	second := s.startFlow(t)
	since := time.Now()
	var ended []runState
	eventually(t, "five more slots were checked", func() bool {
		ended = slices.DeleteFunc(flowRuns(t, "periodic_check", "Completed", "Failed", "Crashed", "Cancelled", "Skipped"), func(r runState) bool {
			return r.Expected.Before(since)
		})
		return len(ended) >= 5
	})
	second.stop(t)
	db := s.folder.open(t)
	for _, r := range ended {
		var times int
		slot := r.Expected.Unix() / 4
		if err := db.QueryRow("SELECT COUNT(*) FROM drift_detections WHERE slot = ?", slot).Scan(&times); err != nil {
			t.Fatal(err)
		}
		if want := map[bool]int{true: 1}[r.State == "Completed"]; times != want {
			t.Errorf("slot %d, whose run is %s, was checked %d times, want %d", slot, r.State, times, want)
		}
	}
	seen := map[time.Time]bool{}
	for _, r := range ended {
		if seen[r.Expected] {
			t.Errorf("two runs for %s", r.Expected)
		}
		seen[r.Expected] = true
	}
}

// hold has the worker stand still, so that a check that asked for a retraining waits.
func (s *scheduled) hold(t *testing.T) (release func()) {
	t.Helper()
	send := func(signal syscall.Signal) {
		if err := s.worker.cmd.Process.Signal(signal); err != nil {
			t.Errorf("worker: %v", err)
		}
	}
	send(syscall.SIGSTOP)
	return func() { send(syscall.SIGCONT) }
}

// holdAlone is hold with nothing scheduled and no check under way: one that waits for the worker would keep others from
// beginning.
func (s *scheduled) holdAlone(t *testing.T) (release func()) {
	t.Helper()
	schedule(t, "pause")
	eventually(t, "no check is under way", func() bool {
		return len(flowRuns(t, "periodic_check", "Scheduled", "Late", "Pending", "Running")) == 0
	})
	letGo := s.hold(t)
	return func() {
		letGo()
		schedule(t, "resume")
	}
}

func aKilledProcess(t *testing.T, s *scheduled) {
	defer s.holdAlone(t)()
	id := askForCheck(t, object{"force": true})
	comesTo(t, id, "Running")
	taskComesTo(t, id, "trigger_retrain", "Running")
	s.flow().kill()
	s.processes[2] = s.startFlow(t)
	comesTo(t, id, "Crashed")
	taskComesTo(t, id, "trigger_retrain", "Crashed")
	run := readRuns(t, id)[0]
	if !regexp.MustCompile(`^its worker flow-.* is gone$`).MatchString(run.Message) {
		t.Errorf("message %q", run.Message)
	}
	for name, want := range map[string]string{"health_check": "Completed", "trigger_retrain": "Crashed", "notify": "Crashed"} {
		if got := run.task(name).State; got != want && (name != "notify" || got != "") {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
}

// withoutPrefect stops the server for more than two intervals.
func withoutPrefect(t *testing.T, s *scheduled) {
	mode := func(want string) bool {
		return strings.Contains(adminMetrics(t, s.flow()), `iacontinu_prefect_mode{mode="`+want+`"} 1`)
	}
	eventually(t, "the server says when to check", func() bool { return mode("server") })
	servers(t, "stop", "prefect")
	eventually(t, "the process checks by itself", func() bool { return mode("local") })
	since := time.Now()
	var slot int64
	db := s.folder.open(t)
	eventually(t, "a check without the server is recorded", func() bool {
		err := db.QueryRow("SELECT COALESCE(MAX(slot), 0) FROM drift_detections WHERE slot > ?", since.Unix()/4).Scan(&slot)
		return err == nil && slot > 0
	})
	eventually(t, "/health says what waits", func() bool {
		h, err := s.user.Health(t.Context())
		return err == nil && h.Checks["prefect"].At != nil && strings.Contains(h.Checks["prefect"].Detail, "wait")
	})
	servers(t, "start", "prefect")
	eventually(t, "the server says when to check again", func() bool { return mode("server") })
	told(t, s.folder, "prefect")
	name := "check-" + time.Unix(slot*4, 0).UTC().Format(time.RFC3339)
	var found []runState
	eventually(t, "the check is there", func() bool {
		found = slices.DeleteFunc(flowRuns(t, "periodic_check", "Completed"), func(r runState) bool { return r.Name != name })
		return len(found) == 1
	})
	taskComesTo(t, found[0].ID, "notify", "Completed")
	run := readRuns(t, found[0].ID)[0]
	if at := run.task("detect").Start; at.Sub(time.Unix(slot*4, 0)).Abs() > 4*time.Second {
		t.Errorf("%s: detect began at %s", name, at)
	}
}

// prefectFigures prints what Prefect costs.
func prefectFigures(t *testing.T, s *scheduled) {
	lateness := regexp.MustCompile(`(?m)^iacontinu_prefect_lateness_seconds_(sum|count) (\S+)$`)
	var out []string
	eventually(t, "a check was in time", func() bool {
		out = nil
		for _, m := range lateness.FindAllStringSubmatch(adminMetrics(t, s.flow()), -1) {
			out = append(out, m[1]+" "+m[2])
		}
		return len(out) == 2 && !slices.Contains(out, "count 0")
	})
	t.Logf("figure: lateness of checks in seconds, %s", strings.Join(out, ", "))
}

// adminMetrics are those of a process without an API.
func adminMetrics(t *testing.T, p *process) string {
	t.Helper()
	admin, _ := p.logged(t, "ready", nil)["admin"].(string)
	_, _, text := ask(t, http.MethodGet, admin+"/metrics", "", "", nil)
	return text
}
