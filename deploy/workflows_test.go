package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

type workflow struct {
	Permissions map[string]string
	Jobs        map[string]job
	Runs        struct{ Steps []step } // of an action
}

type job struct {
	Uses           string
	TimeoutMinutes int `yaml:"timeout-minutes"`
	Strategy       struct{ Matrix map[string][]string }
	Steps          []step
}

type step struct {
	Uses, Run string
	With      map[string]any
}

var (
	// pinned is an action by its commit with the version that it is, or one of this repository.
	pinned = regexp.MustCompile(`uses: (\./\S+|[a-z/-]+@[0-9a-f]{40} # v[0-9.]+)$`)
	// command is all that a step may run, so that nothing exists only in YAML.
	command = regexp.MustCompile(`^(?:sudo --preserve-env env "PATH=\$PATH" )?make ([a-z-]+)$|^\.ci/packages(?: [a-z0-9-]+)*$`)
)

func TestWorkflowsRunMakeTargets(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for path, w := range workflows(t) {
		for name, j := range w.Jobs {
			for _, s := range j.Steps {
				if s.Run == "" {
					continue
				}
				targets := j.Strategy.Matrix["target"]
				line := strings.Replace(s.Run, "${{ matrix.target }}", "any", 1)
				match := command.FindStringSubmatch(line)
				switch {
				case match == nil:
					t.Errorf("%s: %s runs %q, which is no make target", path, name, s.Run)
					continue
				case line == s.Run:
					targets = match[1:]
				case len(targets) == 0:
					t.Errorf("%s: %s has no targets", path, name)
				}
				for _, target := range targets {
					if target != "" && !strings.Contains(string(makefile), "\n"+target+":") {
						t.Errorf("%s: %s runs make %s, which there is none of", path, name, target)
					}
				}
			}
		}
	}
}

// TestWorkflowsMayLittle: a token reads unless a job says what it writes, no step finds it in the clone, and nothing
// that somebody else may move is run.
func TestWorkflowsMayLittle(t *testing.T) {
	t.Parallel()
	for path, w := range workflows(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			if strings.Contains(line, "uses: ") && !pinned.MatchString(strings.TrimSpace(line)) {
				t.Errorf("%s: %s is not pinned by a commit and its version", path, strings.TrimSpace(line))
			}
		}
		if strings.Contains(path, "actions/") {
			continue
		}
		if len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
			t.Errorf("%s: the permissions are %v, want contents: read, and more in the job that needs it", path, w.Permissions)
		}
		for name, j := range w.Jobs {
			if j.Uses == "" && j.TimeoutMinutes == 0 {
				t.Errorf("%s: %s has no timeout-minutes", path, name)
			}
			for _, s := range j.Steps {
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
					t.Errorf("%s: %s leaves the token in the clone", path, name)
				}
			}
		}
	}
}

// workflows are those of GitHub Actions with the actions of this repository, by their paths.
func workflows(t *testing.T) map[string]workflow {
	t.Helper()
	all := map[string]workflow{}
	for _, pattern := range []string{"../.github/workflows/*.yml", "../.github/actions/*/action.yml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %d files, %v", pattern, len(paths), err)
		}
		for _, path := range paths {
			var w workflow
			readYAML(t, path, &w)
			if w.Runs.Steps != nil {
				w.Jobs = map[string]job{"action": {Steps: w.Runs.Steps}}
			}
			all[path] = w
		}
	}
	return all
}
