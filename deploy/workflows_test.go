package deploy

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type workflow struct {
	On          names
	Permissions any
	Jobs        map[string]job
	Runs        struct{ Steps []step } // of an action
}

type job struct {
	Uses           string
	With           map[string]any
	Needs          names
	Environment    any
	Permissions    any
	TimeoutMinutes int `yaml:"timeout-minutes"`
	Strategy       struct{ Matrix map[string][]string }
	Steps          []step
}

type step struct {
	Uses, Run string
	With      map[string]any
}

var (
	// pinned is one of five actions by its commit with the version that it is, or one of this repository.
	pinned = regexp.MustCompile(`uses: (\./\S+|actions/(checkout|setup-go|cache|upload-artifact|attest)@[0-9a-f]{40} # v[0-9.]+)$`)
	// command is all that a step may run, so that nothing exists only in YAML.
	command = regexp.MustCompile(`^(?:sudo --preserve-env env "PATH=\$PATH" )?make ([a-z-]+)$|^\.ci/packages(?: [a-z0-9-]+)*$`)
	// secret is how a workflow gets at a secret or the token.
	secret = regexp.MustCompile(`\bsecrets\b[.:\w]*|\bgithub\.token\b|\bgithub *[)[]`)
	// foreign is what somebody else writes: names of branches and tags, and what an event says.
	foreign = regexp.MustCompile(`\bgithub\.(event\b|(head_|base_)?ref(_name)?\b)|\bgithub *[)[]`)
	// events are those at which a workflow runs with the rights of who caused them, or on what was taken in.
	events = []string{"push", "pull_request", "schedule", "workflow_call", "workflow_dispatch"}
)

// rights are what a job has beside reading the repository.
type rights struct {
	permissions map[string]any
	secrets     []string
	environment string // whose reviewers are asked before the job starts, and whose secrets it has
}

// granted are the jobs with more rights than others, whole.
var granted = map[string]rights{
	"release.yml archives": {
		permissions: map[string]any{"contents": "write", "id-token": "write", "attestations": "write"},
		secrets:     []string{"github.token"},
	},
	"release.yml images":     {permissions: map[string]any{"contents": "read", "packages": "write"}, secrets: []string{"github.token"}},
	"release.yml provenance": {permissions: map[string]any{"id-token": "write", "attestations": "write"}},
	"release.yml staging":    {secrets: []string{"secrets:inherit"}},
	"release.yml production": {secrets: []string{"secrets:inherit"}},
	"deploy.yml deploy":      {secrets: []string{"secrets.KUBECONFIG_DATA"}, environment: "${{ inputs.environment }}"},
}

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
		var raw map[string]any
		readYAML(t, path, &raw)
		jobs, _ := raw["jobs"].(map[string]any)
		delete(raw, "jobs")
		if found := secret.FindString(fmt.Sprint(raw)); found != "" {
			t.Errorf("%s: all its jobs have %s", path, found)
		}
		if strings.Contains(path, "actions/") {
			continue
		}
		for _, event := range w.On {
			if !slices.Contains(events, event) {
				t.Errorf("%s: runs at %s, want one of %q", path, event, events)
			}
		}
		if diff := cmp.Diff(any(map[string]any{"contents": "read"}), w.Permissions); diff != "" {
			t.Errorf("%s: a job that needs more than to read says so itself: %s", path, diff)
		}
		for name, j := range w.Jobs {
			judge(t, filepath.Base(path)+" "+name, j, fmt.Sprint(jobs[name]), slices.Contains(w.On, "pull_request"))
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

// judge holds a job to what it is granted, and to run nothing that somebody else may write.
func judge(t *testing.T, name string, j job, text string, forPullRequests bool) {
	t.Helper()
	may := granted[name]
	var want any
	if may.permissions != nil {
		want = may.permissions
	}
	if diff := cmp.Diff(want, j.Permissions); diff != "" {
		t.Errorf("%s: permissions: %s", name, diff)
	}
	if diff := cmp.Diff(may.secrets, secret.FindAllString(text, -1)); diff != "" {
		t.Errorf("%s: secrets: %s", name, diff)
	}
	if forPullRequests && may.secrets != nil {
		t.Errorf("%s: runs for a pull request, and has %q", name, may.secrets)
	}
	if environment, _ := j.Environment.(string); environment != may.environment {
		t.Errorf("%s: the environment is %v, want %q", name, j.Environment, may.environment)
	}
	for _, s := range j.Steps {
		if expression := strings.Replace(s.Run, "${{ matrix.target }}", "", 1); strings.Contains(expression, "${{") {
			t.Errorf("%s: runs %q, whose text somebody else may write: give it by env", name, s.Run)
		}
	}
	if found := foreign.FindString(strings.ReplaceAll(text, "github.event_name", "")); found != "" {
		t.Errorf("%s: uses %s, which somebody else may write", name, found)
	}
}

// A release goes to staging, and from there to production, each the environment that asks its reviewers.
func TestReleaseGoesThroughStaging(t *testing.T) {
	t.Parallel()
	jobs := workflows(t)["../.github/workflows/release.yml"].Jobs
	for name, after := range map[string][]string{"staging": {"archives", "images", "provenance"}, "production": {"images", "staging"}} {
		j := jobs[name]
		if j.Uses != "./.github/workflows/deploy.yml" || j.With["environment"] != name || !slices.Equal(j.Needs, after) {
			t.Errorf("%s is %s of %v after %q", name, j.Uses, j.With["environment"], j.Needs)
		}
	}
	for name, after := range map[string][]string{"archives": {"ci", "security"}, "images": {"ci", "security"}} {
		if !slices.Equal(jobs[name].Needs, after) {
			t.Errorf("%s is made after %q, want %q", name, jobs[name].Needs, after)
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
