package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"iacontinu/internal/api"
)

// TestTheOperatorsCommands goes through a day of an operator, beside the running platform.
func TestTheOperatorsCommands(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	p := startUp(t, f)
	ready(t, p.url)
	at := []string{"API_URL=" + p.url}

	// Accounts
	out, errs, code := f.run(t, nil, "a good password\n", "iacontinu", "user", "add", "claire", "--role", "admin")
	if code != 0 {
		t.Fatalf("user add: exit code %d, %q, %q", code, out, errs)
	}
	if _, errs, code = f.run(t, nil, "a good password\n", "iacontinu", "user", "add", "claire"); code != 1 || !strings.Contains(errs, "claire") {
		t.Errorf("user add of a taken name: exit code %d, %q", code, errs)
	}
	if _, errs, code = f.run(t, nil, "short\n", "iacontinu", "user", "add", "bruno"); code != 1 || !strings.Contains(errs, "8 to 128") {
		t.Errorf("user add with a short password: exit code %d, %q", code, errs)
	}
	if _, errs, code = f.run(t, nil, "a good password\n", "iacontinu", "user", "add", "service:cli", "--role", "boss"); code != 1 ||
		!strings.Contains(errs, "username: ") || !strings.Contains(errs, "role: ") {
		t.Errorf("user add with a wrong name and role: exit code %d, %q", code, errs)
	}
	claire := login(t, p.url, "claire", "a good password")
	if _, errs, code = f.run(t, nil, "another password\n", "iacontinu", "user", "passwd", "claire"); code != 0 {
		t.Fatalf("user passwd: exit code %d, %q", code, errs)
	}
	eventually(t, "the old password's token is refused", func() bool {
		_, err := claire.Me(t.Context())
		problem := api.AsProblem(err)
		return problem != nil && problem.Status == 401
	})
	claire = login(t, p.url, "claire", "another password")

	// Data and models
	if out := f.must(t, nil, "generate", "--samples", "3000", "--seed", "7", "--drift", "none"); !strings.Contains(out, "3000 rows") {
		t.Errorf("generate prints %q", out)
	}
	reply, err := claire.Retrain(t.Context(), api.RetrainRequest{}, true)
	if err != nil || reply.Done == nil {
		t.Fatalf("a retraining that claire asks for: %+v, %v", reply, err)
	}
	if out := f.must(t, at, "job", fmt.Sprint(reply.Done.JobID)); !strings.Contains(out, reply.Done.ModelVersion) {
		t.Errorf("the job that claire asked for: %q, want what came of it", out)
	}
	first := activeVersion(t, claire)
	if out := f.must(t, at, "retrain"); !strings.HasPrefix(out, "success") {
		t.Fatalf("retrain prints %q", out)
	}
	second := activeVersion(t, claire)
	if list := f.must(t, nil, "model", "list"); !strings.Contains(list, first) || !strings.Contains(list, "*  "+second) {
		t.Errorf("model list:\n%s\nwant %s and, marked, %s", list, first, second)
	}
	f.must(t, nil, "model", "rollback")
	eventually(t, "the version before serves", func() bool { return activeVersion(t, claire) == first })
	f.must(t, nil, "model", "activate", second)
	eventually(t, "the activated version serves", func() bool { return activeVersion(t, claire) == second })
	if _, errs, code := f.run(t, nil, "", "iacontinu", "model", "activate", "v0"); code != 1 || !strings.Contains(errs, `"v0"`) {
		t.Errorf("activation of an unknown version: exit code %d, %q", code, errs)
	}
	artifact := filepath.Join(f.dir, "models", first, "model.json")
	text, err := os.ReadFile(artifact)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(artifact, []byte(strings.Replace(string(text), "feature1", "feature9", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, errs, code := f.run(t, nil, "", "iacontinu", "model", "activate", first); code != 1 || !strings.Contains(errs, "damaged") {
		t.Errorf("activation of a version whose artifact was changed: exit code %d, %q", code, errs)
	}
	for _, args := range [][]string{{"predict", "1.5", "1"}, {"predict", "feature2=1", "feature1=1.5"}} {
		if out := f.must(t, at, args...); !strings.HasPrefix(out, "1 (1) with confidence") {
			t.Errorf("iacontinu %v prints %q", args, out)
		}
	}
	if out := f.must(t, at, "predict", "-1.5", "-1"); !strings.HasPrefix(out, "0 (0)") {
		t.Errorf("predict -1.5 -1 prints %q", out)
	}

	// What they did is on record.
	logs, err := claire.SystemLogs(t.Context(), 100)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, e := range logs.Logs {
		seen[e.EventType] = true
	}
	for _, want := range []string{"user_created", "password_changed", "generate", "retrain", "rollback", "activate", "login"} {
		if !seen[want] {
			t.Errorf("the audit trail has no %s", want)
		}
	}

	// Called in the wrong place, they make nothing.
	elsewhere := &folder{dir: t.TempDir(), bin: f.bin, env: f.env}
	for _, args := range [][]string{{"model", "list"}, {"user", "list"}, {"retrain"}, {"predict", "1", "2"}, {"backup", "b"}} {
		if _, errs, code := elsewhere.run(t, at, "", "iacontinu", args...); code != 1 || !strings.Contains(errs, "platform's folder") {
			t.Errorf("iacontinu %v in an empty folder: exit code %d, %q", args, code, errs)
		}
	}
	if left, err := os.ReadDir(elsewhere.dir); err != nil || len(left) != 0 {
		t.Errorf("the commands left %v behind (%v)", left, err)
	}

	// Nor do they take another folder's key for a login.
	another := &folder{dir: t.TempDir(), bin: f.bin, env: f.env}
	another.must(t, nil, "generate", "--samples", "10")
	for _, args := range [][]string{{"retrain"}, {"job", "1"}, {"predict", "1", "2"}} {
		if _, errs, code := another.run(t, at, "", "iacontinu", args...); code != 1 || strings.Contains(errs, "log in") || !strings.Contains(errs, "platform's folder") {
			t.Errorf("iacontinu %v in another platform's folder: exit code %d, %q", args, code, errs)
		}
	}

	// A backup is restored where nothing is, and runs.
	copied := &folder{dir: t.TempDir(), bin: f.bin, env: f.env}
	backup := filepath.Join(copied.dir, "backup")
	if out := f.must(t, nil, "backup", backup); !strings.Contains(out, "iacontinu restore "+backup+"\n") {
		t.Errorf("backup prints %q, want how to restore it", out)
	}
	if _, errs, code := f.run(t, nil, "", "iacontinu", "backup", backup); code != 1 || !strings.HasSuffix(errs, "backup is there already: name a new folder\nno backup was made\n") {
		t.Errorf("a backup onto a backup: exit code %d, %q", code, errs)
	}
	if out := copied.must(t, nil, "restore", backup); !strings.Contains(out, "the platform may start;") {
		t.Errorf("restore prints %q", out)
	}
	if _, errs, code := copied.run(t, nil, "", "iacontinu", "restore", backup); code != 1 || !strings.Contains(errs, "is there already") {
		t.Errorf("restored over what is there: exit code %d, %q", code, errs)
	}
	restored := startUp(t, copied)
	ready(t, restored.url)
	if _, errs, code := copied.run(t, nil, "", "iacontinu", "restore", backup); code != 1 || !strings.Contains(errs, "stop it first") {
		t.Errorf("restored beside a running platform: exit code %d, %q", code, errs)
	}
	claire = login(t, restored.url, "claire", "another password")
	if got := activeVersion(t, claire); got != second {
		t.Errorf("the backup serves %s, want %s", got, second)
	}

	// An archive is as good, and one that nobody reads to its end leaves no copy in the data.
	shell := func(line string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "bash", "-eu", "-o", "pipefail", "-c", line)
		cmd.Dir, cmd.Env = f.dir, append(f.env, "PATH="+f.bin+":"+os.Getenv("PATH"), "OTHER="+t.TempDir())
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	if out, err := shell(`mkdir $OTHER/backup && iacontinu backup - | tar -xC $OTHER/backup && cd $OTHER && iacontinu restore backup && iacontinu model list`); err != nil || !strings.Contains(out, second) {
		t.Errorf("restored of an archive: %v, %s", err, out)
	}
	if out, err := shell("iacontinu backup - | true"); err == nil || !strings.Contains(out, "what was written is no backup") {
		t.Errorf("an archive that nobody reads: %v, %s", err, out)
	}
	if left, err := filepath.Glob(filepath.Join(f.dir, "data", ".backup-*")); err != nil || len(left) > 0 {
		t.Errorf("%q stay, %v", left, err)
	}

	if err := os.Remove(filepath.Join(f.dir, "data", "datasets", "2.parquet")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(copied.dir, "data", "datasets", "2.parquet")); err != nil {
		t.Errorf("the backup has no dataset of its own: %v", err)
	}
}

func activeVersion(t *testing.T, client *api.Client) string {
	t.Helper()
	info, err := client.ModelInfo(t.Context())
	if err != nil || info.ModelVersion == nil {
		t.Fatalf("model info: %+v, %v", info, err)
	}
	return *info.ModelVersion
}

func TestHelpAndVersion(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	for _, args := range [][]string{{"api"}, {"flow"}, {"worker"}, {"iacontinu"}, {"iacontinu", "up"}} {
		out, errs, code := f.run(t, nil, "", args[0], append(args[1:], "--help")...)
		if code != 0 || !strings.Contains(out+errs, "Usage: "+strings.Join(args, " ")) {
			t.Errorf("%v --help: exit code %d\n%s%s", args, code, out, errs)
		}
		if out, _, code := f.run(t, nil, "", args[0], append(args[1:], "--version")...); code != 0 || !strings.HasPrefix(out, args[0]+" ") {
			t.Errorf("%v --version: exit code %d, %q", args, code, out)
		}
	}
	for _, args := range [][]string{{}, {"modle"}, {"import"}, {"import", "x.csv"}, {"model", "activate"}, {"generate", "--rows", "5"}, {"predict", "x"}} {
		if _, errs, code := f.run(t, nil, "", "iacontinu", args...); code != 2 || !strings.Contains(errs, "--help") && !strings.Contains(errs, "Usage") {
			t.Errorf("iacontinu %v: exit code %d, %q; want 2 and where help is", args, code, errs)
		}
	}
}

// TestRetrainWithoutAWorker: the command says at once what it waits for, fails at the end of its
// patience, and tells how to look later.
func TestRetrainWithoutAWorker(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	url := f.start(t, nil, "api").url(t)
	at := []string{"API_URL=" + url}
	out, errs, code := f.run(t, at, "", "iacontinu", "retrain", "--wait", "2s")
	if code != 1 || out != "" || !strings.HasPrefix(errs, "job 1 waits for a worker; no worker runs") ||
		!strings.Contains(errs, "job 1 is queued, 1s") || !strings.Contains(errs, "/iacontinu job 1") {
		t.Errorf("retrain: exit code %d, %q, %q", code, out, errs)
	}
	if out := f.must(t, at, "job", "1"); !strings.HasPrefix(out, "job 1 is queued") || !strings.Contains(out, "no worker runs") {
		t.Errorf("job prints %q", out)
	}
	f.start(t, nil, "worker").logged(t, "retraining finished", nil)
	eventually(t, "the job has ended", func() bool {
		out, _, code := f.run(t, at, "", "iacontinu", "job", "1")
		return code == 0 && strings.HasPrefix(out, "success")
	})
}
