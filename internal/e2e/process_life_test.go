package e2e

import (
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"iacontinu/internal/api"
)

func TestASecondUpIsRefusedByName(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	first := startUp(t, f)
	_, errs, code := f.run(t, nil, "", "iacontinu", "up")
	if code != 1 || strings.Count(errs, "already, as process") != 1 || !strings.Contains(errs, "start this one in another folder") {
		t.Errorf("a second up: exit code %d, %q; want 1, once that one runs already, and what to do", code, errs)
	}
	first.stop(t)
	startUp(t, f).stop(t) // the place is free again
}

func TestAWrongSettingIsRefusedByName(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	for _, tt := range []struct {
		binary, setting, says string
	}{
		{"api", "API_PORT=eighty", "API_PORT"},
		{"api", "ENVIRONMENT=production", "IACONTINU_DEMO_USERS"},
		{"api", "DATABASE_URL=mysql://x", "DATABASE_URL"},
		{"worker", "TRAINING_WINDOW=-5", "TRAINING_WINDOW"},
		{"worker", "DISCORD_WEBHOOK_URL=nonsense", "DISCORD_WEBHOOK_URL"},
		{"flow", "DRIFT_DETECTOR=magic", "DRIFT_DETECTOR"},
		{"flow", "MONITORING_INTERVAL=0", "MONITORING_INTERVAL"},
	} {
		_, errs, code := f.run(t, []string{tt.setting}, "", tt.binary)
		if code != 2 || !strings.Contains(errs, tt.says) {
			t.Errorf("%s with %s: exit code %d, %q; want 2 and %s", tt.binary, tt.setting, code, errs, tt.says)
		}
	}
	_, errs, code := f.run(t, []string{"ENVIRONMENT=production", "IACONTINU_DEMO_USERS=false"}, "", "api")
	if code != 2 || !strings.Contains(errs, "JWT_SECRET_KEY: required in production") {
		t.Errorf("production without a key: exit code %d, %q", code, errs)
	}
}

func TestATakenPortIsNamed(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	f := newFolder(t)
	for binary, setting := range map[string]string{"api": "API_PORT", "worker": "WORKER_PORT", "flow": "FLOW_PORT"} {
		_, errs, code := f.run(t, []string{setting + "=" + port}, "", binary)
		if code != 1 || !strings.Contains(errs, setting) || !strings.Contains(errs, "in use") {
			t.Errorf("%s on a taken port: exit code %d, %q; want 1, %s and that it is in use", binary, code, errs, setting)
		}
	}
}

// TestSecretsLieInPrivateFilesOnly checks the first start without demo users.
func TestSecretsLieInPrivateFilesOnly(t *testing.T) {
	t.Parallel()
	f := newFolder(t, "IACONTINU_DEMO_USERS=false")
	p := startUp(t, f)
	var secrets []string
	for _, name := range []string{"jwt-secret", "admin-password"} {
		path := f.dir + "/data/" + name
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%s: %v, want a file of mode 0600", path, err)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		secrets = append(secrets, strings.TrimSpace(string(text)))
	}
	admin := login(t, p.url, "admin", secrets[1])
	if _, err := admin.Users(t.Context()); err != nil {
		t.Errorf("the first administrator can't list the accounts: %v", err)
	}
	p.stop(t)
	log, err := os.ReadFile(f.dir + "/logs/iacontinu.log")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range secrets {
		if s == "" || strings.Contains(string(log), s) {
			t.Error("a secret is empty or in the log")
		}
	}
}

// TestAFullDisk runs on a small file system of its own, which a large dataset fills.
func TestAFullDisk(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	if err := syscall.Mount("tmpfs", f.dir, "tmpfs", 0, "size=24m"); err != nil {
		t.Skipf("a file system of 24 MB can't be mounted here (%v): needs root", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(f.dir, syscall.MNT_DETACH) })
	p := startUp(t, f, "LOGS_DIR="+t.TempDir())
	ready(t, p.url)
	client := login(t, p.url, "testuser", "test123")
	_, err := client.Generate(t.Context(), api.GenerateRequest{Samples: 1_000_000})
	problem := api.AsProblem(err)
	if problem == nil || problem.Status != 507 {
		t.Fatalf("a dataset larger than the disk: %v, want status 507", err)
	}
	if n := countDatasets(t, f); n > 1 {
		t.Errorf("%d datasets after the failure, want at most the first one", n)
	}
	// The place is given back, and what is small goes on.
	if _, err := client.Predict(t.Context(), []float64{1, 1}); err != nil {
		t.Errorf("predict after the failure: %v", err)
	}
	if _, err := client.Generate(t.Context(), api.GenerateRequest{Samples: 100}); err != nil {
		t.Errorf("a small dataset after the failure: %v", err)
	}
	p.stop(t)
}

// TestAStopDoesNotWaitForALockedDatabase stops a platform whose every write waits for another process.
func TestAStopDoesNotWaitForALockedDatabase(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	p := startUp(t, f)
	up := p.processes[0]
	ready(t, p.url)
	client := login(t, p.url, "testuser", "test123")
	conn, err := f.open(t).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	answers := make(chan error, 1)
	go func() {
		_, err := client.Predict(t.Context(), []float64{1, 1})
		answers <- err
	}()
	up.logged(t, "producer: Error fetching jobs", nil) // all writers wait by now
	if h, err := client.Health(t.Context()); err != nil || h.Status != api.StatusDegraded {
		t.Errorf("health while nothing can be written: %+v, %v; want degraded", h, err)
	}
	if err := up.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case <-up.done:
	case <-time.After(10 * time.Second):
		t.Error("still runs 10 s after SIGTERM")
		up.kill()
	}
	if err := <-answers; err == nil {
		t.Error("a prediction was acknowledged that could not be written")
	}
	if _, err := conn.ExecContext(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	startUp(t, f).stop(t) // nothing is left in the way
}

// TestPublicPasswordsStayOnTheirMachine: the accounts of the demonstration are no accounts for others.
func TestPublicPasswordsStayOnTheirMachine(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	demo := startUp(t, f)
	demo.stop(t)

	open := startUp(t, f, "IACONTINU_DEMO_USERS=false", "API_HOST=0.0.0.0")
	line := open.worker.logged(t, "accounts have public passwords, and API_HOST lets other machines in: "+
		"iacontinu user passwd NAME sets another, API_HOST=127.0.0.1 keeps them out", nil)
	if names, _ := line["users"].([]any); len(names) != 2 {
		t.Errorf("it names %v", line["users"])
	}
	open.stop(t)

	production := []string{"IACONTINU_DEMO_USERS=false", "ENVIRONMENT=production", "JWT_SECRET_KEY=" + strings.Repeat("k", 48)}
	if _, stderr, code := f.run(t, production, "", "iacontinu", "up"); code == 0 || !strings.Contains(stderr, "admin and testuser have the public passwords") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	for _, name := range []string{"admin", "testuser"} {
		if _, stderr, code := f.run(t, nil, "a better password\n", "iacontinu", "user", "passwd", name); code != 0 {
			t.Fatalf("passwd %s: %s", name, stderr)
		}
	}
	startUp(t, f, production...).stop(t)
}
