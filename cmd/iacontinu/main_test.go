package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// typed runs a command line on an empty folder.
func typed(t *testing.T, line string, env ...string) (out, errs string, code int) {
	t.Helper()
	dir := t.TempDir()
	environ := append([]string{
		"DATABASE_URL=sqlite:" + filepath.Join(dir, "data", "db"), "MODELS_DIR=" + filepath.Join(dir, "models"), "LOGS_DIR=" + dir,
		"JWT_SECRET_KEY=" + strings.Repeat("k", 32), "API_URL=http://127.0.0.1:1",
	}, env...)
	var stdout, stderr bytes.Buffer
	code = run("bin/iacontinu", strings.Fields(line), environ, strings.NewReader("a password\n"), &stdout, &stderr)
	return stdout.String(), stderr.String(), code
}

func TestHelpIsWhereItIsLookedFor(t *testing.T) {
	t.Parallel()
	for _, line := range []string{"--help", "-h", "help"} {
		out, errs, code := typed(t, line)
		if code != 0 || errs != "" || !strings.Contains(out, "  up ") || !strings.Contains(out, "  backup ") {
			t.Errorf("%s: exit code %d, %q, %q", line, code, out, errs)
		}
	}
	for line, first := range map[string]string{"model": "iacontinu model COMMAND", "up": "iacontinu up"} {
		for _, l := range []string{line + " --help", line + " -h", "help " + line} {
			if out, errs, code := typed(t, l); code != 0 || errs != "" || !strings.Contains(out, "Usage: "+first) || strings.Contains(out, "backup") {
				t.Errorf("%s: exit code %d, %q, %q", l, code, out, errs)
			}
		}
	}
	if out, _, code := typed(t, "model help"); code != 0 || !strings.HasPrefix(out, "Usage: iacontinu model COMMAND") {
		t.Errorf("model help: exit code %d, %q", code, out)
	}
	for _, c := range commands() {
		for _, l := range []string{c.name + " --help", c.name + " -h", "help " + c.name, c.name + " x --help"} {
			if out, errs, code := typed(t, l); code != 0 || errs != "" || !strings.HasPrefix(out, "Usage: "+c.synopsis()+"\n") {
				t.Errorf("%s: exit code %d, %q, %q", l, code, out, errs)
			}
		}
	}
}

func TestErrorsSayWhatToDo(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		line string
		code int
		says string
	}{
		{"model", 2, `there is no command "model", but: model list, model activate, model rollback; see iacontinu --help`},
		{"model lst 5", 2, `there is no command "model lst", but: model list, model activate, model rollback; see iacontinu --help`},
		{"predct 1 2", 2, `there is no command "predct", but: up, migrate up, migrate down, migrate status, user list, user add, user passwd, import, `},
		{"help predct", 2, `there is no command "predct", but: up, `},
		{"--foo", 2, `there is no command "--foo", but: up, `},
		{"migrate", 2, `there is no command "migrate", but: migrate up, migrate down, migrate status; see`},
		{"migrate down", 1, "call this in the platform's folder, or set DATABASE_URL"},
		{"migrate status", 1, "call this in the platform's folder, or set DATABASE_URL"},
		{"job", 2, "an argument is missing\nUsage: iacontinu job NUMBER; more: iacontinu job --help\n"},
		{"model list x", 2, "unexpected argument \"x\"\nUsage: iacontinu model list [--limit N]; more: "},
		{"predict", 2, "no values given\nUsage: iacontinu predict VALUE... | NAME=VALUE...; more: "},
		{"predict --", 2, "no values given\n"},
		{"predict one", 2, "\"one\" is not a finite number\nUsage: "},
		{"predict 1 nan", 2, "\"nan\" is not a finite number\n"},
		{"predict 1e999 1", 2, "\"1e999\" is not a finite number\n"},
		{"predict -- -1 2", 1, "is the platform running? start it with `iacontinu up`, or say where it is by API_PORT or API_URL"}, // the values are fine
		{"model list", 1, "call this in the platform's folder, or set DATABASE_URL"},
		{"import no.csv --target y", 1, "no.csv: no such file"},
		{"generate --samples 10", 0, "was not there, and was made: this is the folder of a new platform now\n"},
	} {
		_, errs, code := typed(t, tt.line)
		if code != tt.code || !strings.Contains(errs, tt.says) {
			t.Errorf("%s: exit code %d, %q; want %d and %q", tt.line, code, errs, tt.code, tt.says)
		}
	}
}

func TestImportSaysWhatComesNext(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "rows.csv")
	for _, tt := range []struct {
		rows      string
		out, errs string
	}{
		{strings.Repeat("1,no\n2,yes\n", 5), " API_PORT=8100 API_URL=http://127.0.0.1:1 bin/iacontinu retrain --dataset 1\n", ""},
		{strings.Repeat("1,no\n2,yes\n", 4) + "3,no\n", "  too small to train on alone: that takes 10 rows, and 2 of each class\n", ""},
		{strings.Repeat("1,no\n", 10) + "2,yes\n", "too small to train on alone", ""},
		{strings.Repeat("1,no\n2,yes\n", 5) + "1\nx,no\n", "train on it", "line 12 left out: 1 fields instead of 2\nline 13 left out: a: not a number: \"x\""},
	} {
		if err := os.WriteFile(file, []byte("a,y\n"+tt.rows), 0o600); err != nil {
			t.Fatal(err)
		}
		out, errs, code := typed(t, "import "+file+" --target y --skip-bad", "API_PORT=8100")
		if code != 0 || !strings.Contains(out, tt.out) || !strings.Contains(errs, tt.errs) {
			t.Errorf("%q: exit code %d, %q, %q; want %q, %q", tt.rows, code, out, errs, tt.out, tt.errs)
		}
	}
}

func TestImportReadsStandardInput(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	environ := []string{"DATABASE_URL=sqlite:" + filepath.Join(dir, "data", "db"), "MODELS_DIR=" + filepath.Join(dir, "models"), "LOGS_DIR=" + dir}
	for name, line := range map[string]string{"standard input": "import - --target y", "rows.csv": "import --target y --name rows.csv -"} {
		var out, errs bytes.Buffer
		code := run("iacontinu", strings.Fields(line), environ, strings.NewReader("a,y\n1,no\n2,yes\n"), &out, &errs)
		if code != 0 || !strings.Contains(out.String(), ": 2 rows of 1 features from "+name+" in ") {
			t.Errorf("%s: exit code %d, %q, %q", line, code, out.String(), errs.String())
		}
	}
}

// Typed as printed into a shell, the next step finds the same platform.
func TestNextStepsCarryTheSettings(t *testing.T) {
	t.Parallel()
	settings := []string{"DATABASE_URL=sqlite:/srv/it's a $HOME/db", "MODELS_DIR=/srv/models", "API_PORT=8100", "API_URL=http://[::1]:8100/?a&b"}
	c := &call{program: "printenv", environ: append([]string{"API_PORT=1", "JWT_SECRET_KEY=secret", "HOME=/root"}, settings...)}
	line := c.next("DATABASE_URL MODELS_DIR API_PORT API_URL")
	shell := exec.CommandContext(t.Context(), "sh", "-c", line)
	shell.Env = []string{"PATH=" + os.Getenv("PATH")}
	out, err := shell.Output()
	var want strings.Builder
	for _, setting := range settings {
		_, value, _ := strings.Cut(setting, "=")
		want.WriteString(value + "\n")
	}
	if err != nil || string(out) != want.String() || strings.Contains(line, "secret") {
		t.Errorf("%s: %q, %v; want %q", line, out, err, want.String())
	}
	c.environ = []string{"API_PORT=", "MODELS_DIR=/srv/models"}
	if line := c.next("job %d", 7); line != "MODELS_DIR=/srv/models printenv job 7" {
		t.Errorf("got %s", line)
	}
}
