package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// An operator takes the schema up, looks, takes a step back, looks again, and goes on.
func TestMigrateUpDownAndStatus(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	environ := []string{"DATABASE_URL=sqlite:" + filepath.Join(dir, "db"), "MODELS_DIR=" + filepath.Join(dir, "models"), "LOGS_DIR=" + dir}
	for _, step := range []struct {
		line string
		code int
		says []string
	}{
		{"migrate up", 0, []string{": at version 10 of the schema\n"}},
		{"migrate up", 0, []string{": nothing to do, the schema is at version 10\n"}},
		{"migrate down", 0, []string{": from version 10 of the schema back to version 9\n", "start the release that you go back to\n"}},
		{"migrate status", 0, []string{"VERSION  STEP ", "\n9        00009_outbox_trace.sql         20", "\n10       00010_timeline.sql             not yet: "}},
		{"migrate down --to 9", 1, []string{"the schema is at version 9, which is not above 9\n"}},
		{"migrate down --to 6", 1, []string{"what the steps above version 6 keep of 1 installation would be lost: make a backup, then say --force\n"}},
		{"migrate down --to 6 --force", 0, []string{": from version 9 of the schema back to version 6\n"}},
		{"migrate down --to six", 2, []string{`invalid value "six"`}},
		{"migrate up", 0, []string{": from version 6 of the schema to version 10\n"}},
	} {
		var out bytes.Buffer
		code := run("iacontinu", strings.Fields(step.line), environ, strings.NewReader(""), &out, &out)
		if code != step.code {
			t.Fatalf("%s: exit code %d, %s", step.line, code, out.String())
		}
		for _, says := range step.says {
			if !strings.Contains(out.String(), says) {
				t.Errorf("%s prints %q, want %q", step.line, out.String(), says)
			}
		}
	}
}
