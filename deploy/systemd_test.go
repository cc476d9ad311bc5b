package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestSystemdUnits installs the units into a folder, and has systemd judge them there, where it is.
func TestSystemdUnits(t *testing.T) {
	t.Parallel()
	root, programs := t.TempDir(), t.TempDir()
	for _, name := range []string{"iacontinu", "api", "worker", "flow", "ui"} {
		if err := os.WriteFile(filepath.Join(programs, name), []byte("#!/bin/true\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	install := func() {
		cmd := exec.Command("systemd/install")
		cmd.Env = append(os.Environ(), "DESTDIR="+root, "PROGRAMS="+programs)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("install: %v\n%s", err, out)
		}
	}
	install()
	if got := read(t, filepath.Join(root, "etc/iacontinu/ui.env")); strings.Contains(got, "\nMLFLOW") {
		t.Errorf("the pages' settings are %q", got)
	}
	key := secretOf(t, root, "jwt_secret_key")
	if secretOf(t, root, "admin_password") == key {
		t.Error("the secrets are one")
	}
	install()
	if secretOf(t, root, "jwt_secret_key") != key {
		t.Error("an update takes another key: all logins end")
	}

	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed")
	}
	units, err := filepath.Glob("systemd/*.service")
	if err != nil || len(units) != 5 {
		t.Fatalf("the units are %q, %v", units, err)
	}
	system := filepath.Join(root, "usr/lib/systemd/system")
	if err := os.CopyFS(system, os.DirFS("/usr/lib/systemd/system")); err != nil {
		t.Fatal(err)
	}
	for _, unit := range units {
		unit = filepath.Base(unit)
		if out, err := exec.Command(analyze, "--root="+root, "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
			t.Errorf("verify %s: %v\n%s", unit, err, out)
		}
		// 1.2 of 10 is what a server that keeps files has.
		if out, err := exec.Command(analyze, "--root="+root, "security", "--offline=true", "--no-pager", "--threshold=15", unit).CombinedOutput(); err != nil {
			t.Errorf("%s may too much: %v\n%s", unit, err, out)
		}
	}
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestSystemdPagesGetNoSecrets: the settings file that all others share has the webhook and what MLflow and Prefect ask for.
func TestSystemdPagesGetNoSecrets(t *testing.T) {
	t.Parallel()
	shared, err := filepath.Glob("systemd/*.d/*.conf")
	if err != nil || len(shared) != 1 {
		t.Fatalf("what all units share is in %q, %v", shared, err)
	}
	file := regexp.MustCompile(`(?m)^EnvironmentFile=-?(.*)$`)
	for unit, want := range map[string]string{"api": "env", "worker": "env", "flow": "env", "up": "env", "ui": "ui.env"} {
		text := read(t, "systemd/iacontinu-"+unit+".service")
		var got []string
		for _, match := range file.FindAllStringSubmatch(text+"\n"+read(t, shared[0]), -1) {
			got = append(got, match[1])
		}
		if !slices.Equal(got, []string{"/etc/iacontinu/" + want}) {
			t.Errorf("%s has its settings from %q", unit, got)
		}
		if unit == "ui" && strings.Contains(text, "_FILE=") {
			t.Error("the pages are given a secret")
		}
	}
}

// TestIacontinuctlHasTheServicesSettings: systemd reads their file, and paths stay the caller's.
func TestIacontinuctlHasTheServicesSettings(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "systemd-run"), []byte("#!/bin/sh\nprintf '%s\\n' \"$@\"\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctl, err := filepath.Abs("systemd/iacontinuctl")
	if err != nil {
		t.Fatal(err)
	}
	unit := read(t, "systemd/iacontinu-worker.service")
	for _, tt := range []struct{ typed, runs []string }{
		{[]string{"status"}, []string{"status"}},
		{[]string{"import", "my rows.csv", "--target", "y z"}, []string{"import", dir + "/my rows.csv", "--target", "y z"}},
		{[]string{"import", "-", "--target", "y"}, []string{"import", "-", "--target", "y"}},
		{[]string{"backup", "/srv/backup"}, []string{"backup", "/srv/backup"}},
		{[]string{"restore", "backup"}, []string{"restore", dir + "/backup"}},
		{[]string{"backup"}, []string{"backup"}},
	} {
		cmd := exec.Command(ctl, tt.typed...)
		cmd.Dir, cmd.Env = dir, []string{"PATH=" + dir + ":" + os.Getenv("PATH")}
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v\n%s", tt.typed, err, out)
		}
		options, command, _ := strings.Cut(string(out), "\n--\n/opt/iacontinu/iacontinu\n")
		if want := strings.Join(tt.runs, "\n") + "\n"; command != want {
			t.Errorf("%q runs %q, want %q", tt.typed, command, want)
		}
		for line := range strings.Lines(options) {
			if setting, ok := strings.CutPrefix(strings.TrimSpace(line), "--setenv="); ok && setting != "ENVIRONMENT=production" && !strings.Contains(unit, setting) {
				t.Errorf("%s is not what the services have", setting)
			}
		}
		if !strings.Contains(options, "\n--uid=iacontinu\n") || !strings.Contains(options, "\n--property=EnvironmentFile=/etc/iacontinu/env") {
			t.Errorf("the options are %q", options)
		}
	}
}

var hex64 = regexp.MustCompile(`^[0-9a-f]{64}$`)

func secretOf(t *testing.T, root, name string) string {
	t.Helper()
	path := filepath.Join(root, "etc/iacontinu", name)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o640 {
		t.Errorf("%s is %v", name, info.Mode())
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !hex64.Match(b) {
		t.Errorf("%s is not random", name)
	}
	return string(b)
}

// TestSystemdSetsSettingsThatExist: a name that nothing reads would be ignored without a word.
func TestSystemdSetsSettingsThatExist(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, pattern := range []string{"systemd/*.service", "systemd/*.d/*.conf", "systemd/iacontinuctl"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range regexp.MustCompile(`\b([A-Z][A-Z_]+)=`).FindAllStringSubmatch(string(b), -1) {
				names = append(names, strings.TrimSuffix(match[1], "_FILE"))
			}
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) < 4 {
		t.Fatalf("only %q is set", names)
	}
	for _, name := range names {
		if !strings.Contains(string(readme), "| `"+name+"`") {
			t.Errorf("%s is no setting", name)
		}
	}
}
