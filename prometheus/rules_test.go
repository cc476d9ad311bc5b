package prometheus

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"go.yaml.in/yaml/v3"
)

type group struct {
	Name  string
	Rules []struct {
		Alert, Record, Expr, For string
		Labels, Annotations      map[string]string
	}
}

func read(t *testing.T, file string, out any) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, out); err != nil {
		t.Fatalf("%s: %v", file, err)
	}
}

func readGroups(t *testing.T, file string) []group {
	t.Helper()
	var rules struct{ Groups []group }
	read(t, "rules/"+file, &rules)
	if len(rules.Groups) == 0 {
		t.Fatalf("rules/%s has no groups", file)
	}
	return rules.Groups
}

// TestAlertsSayWhatToDo: what, how bad, since when (that is the `for`), and where to look.
func TestAlertsSayWhatToDo(t *testing.T) {
	t.Parallel()
	runbooks, err := os.ReadFile("../docs/runbooks.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^## (\w+)$`).FindAllSubmatch(runbooks, -1) {
		sections[string(m[1])] = false
	}
	for _, g := range readGroups(t, "alerts.yml") {
		for _, r := range g.Rules {
			if r.For == "" || r.Labels["area"] == "" || !slices.Contains([]string{"critical", "warning"}, r.Labels["severity"]) {
				t.Errorf("%s: for %q, labels %v", r.Alert, r.For, r.Labels)
			}
			for _, key := range []string{"summary", "description"} {
				if s := r.Annotations[key]; len(s) > 400 || (!strings.HasSuffix(s, ".")) {
					t.Errorf("%s: the %s is no sentence, or too long: %q", r.Alert, key, s)
				}
			}
			board := strings.TrimPrefix(r.Annotations["dashboard"], "/d/ia-continu-")
			if _, err := os.Stat("../grafana/dashboards/" + board + ".json"); err != nil {
				t.Errorf("%s: dashboard %q: %v", r.Alert, r.Annotations["dashboard"], err)
			}
			if want := "docs/runbooks.md#" + strings.ToLower(r.Alert); r.Annotations["runbook_url"] != want {
				t.Errorf("%s: runbook_url %q, want %q", r.Alert, r.Annotations["runbook_url"], want)
			}
			if _, ok := sections[r.Alert]; !ok {
				t.Errorf("docs/runbooks.md has no section %s", r.Alert)
			}
			sections[r.Alert] = true
		}
	}
	for name, used := range sections {
		if !used {
			t.Errorf("docs/runbooks.md: there is no alert %s", name)
		}
	}
}

// unitTests are a file of the folder tests.
type unitTests struct {
	Step  time.Duration `yaml:"evaluation_interval"`
	Tests []struct {
		Name   string
		Alerts []struct {
			At        time.Duration `yaml:"eval_time"`
			Alertname string
			Expected  []any `yaml:"exp_alerts"`
		} `yaml:"alert_rule_test"`
	}
}

// TestAlertsHaveTests: promtool runs them (prometheus/check); this says which are missing.
func TestAlertsHaveTests(t *testing.T) {
	t.Parallel()
	for _, g := range readGroups(t, "alerts.yml") {
		var file unitTests
		read(t, "tests/"+g.Name+".yml", &file)
		fired := map[string]bool{}
		silent := false
		for _, test := range file.Tests {
			quiet := map[string]bool{}
			for _, a := range test.Alerts {
				if len(a.Expected) > 0 {
					fired[a.Alertname] = true
				} else {
					quiet[a.Alertname] = true
				}
			}
			silent = silent || len(quiet) == len(g.Rules)
		}
		if !silent {
			t.Errorf("tests/%s.yml: no test keeps every alert of the group silent", g.Name)
		}
		for _, r := range g.Rules {
			if !fired[r.Alert] {
				t.Errorf("tests/%s.yml: no test makes %s fire", g.Name, r.Alert)
			}
		}
	}
}

// TestAlertsWait: some test has each alert fire, and silent an evaluation before. Then the expression held already, since
// what fires has held for all of its `for`, and only that kept it silent.
func TestAlertsWait(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("tests/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	shortest := map[string]time.Duration{} // evaluation interval of those tests, by alert
	for _, name := range files {
		var file unitTests
		read(t, name, &file)
		for _, test := range file.Tests {
			silent := map[string]bool{}
			for _, a := range test.Alerts {
				silent[fmt.Sprint(a.Alertname, a.At)] = len(a.Expected) == 0
			}
			for _, a := range test.Alerts {
				if before, tested := shortest[a.Alertname]; len(a.Expected) > 0 && silent[fmt.Sprint(a.Alertname, a.At-file.Step)] && (!tested || file.Step < before) {
					shortest[a.Alertname] = file.Step
				}
			}
		}
	}
	for _, g := range readGroups(t, "alerts.yml") {
		for _, r := range g.Rules {
			wait, err := time.ParseDuration(r.For)
			if err != nil {
				t.Errorf("%s: for: %v", r.Alert, err)
			}
			if step, tested := shortest[r.Alert]; !tested || step > wait {
				t.Errorf("%s: no test that evaluates every %s or oftener has it silent one evaluation before it fires", r.Alert, r.For)
			}
		}
	}
}

// TestWhatFollowsIsHeldBack: labels and inhibition rules name what the other has.
func TestWhatFollowsIsHeldBack(t *testing.T) {
	t.Parallel()
	alerts, follows := map[string]bool{}, map[string]bool{}
	for _, g := range readGroups(t, "alerts.yml") {
		for _, r := range g.Rules {
			alerts[r.Alert] = true
			if from := r.Labels["follows_from"]; from != "" {
				follows[from] = true
			}
		}
	}
	var routes struct {
		Inhibit []struct {
			Source []string `yaml:"source_matchers"`
			Target []string `yaml:"target_matchers"`
		} `yaml:"inhibit_rules"`
	}
	read(t, "../alertmanager/alertmanager.yml", &routes)
	held := map[string]bool{}
	matcher := regexp.MustCompile(`^(\w+)=~?"(.*)"$`)
	for _, r := range routes.Inhibit {
		for _, text := range append(r.Source, r.Target...) {
			m := matcher.FindStringSubmatch(text)
			switch {
			case m == nil:
			case m[1] == "alertname" && !alerts[m[2]]:
				t.Errorf("inhibition by or of %s, which is no alert", m[2])
			case m[1] == "follows_from":
				for from := range strings.SplitSeq(m[2], "|") {
					held[from] = true
				}
			}
		}
	}
	if got, want := slices.Sorted(maps.Keys(held)), slices.Sorted(maps.Keys(follows)); !slices.Equal(got, want) {
		t.Errorf("held back is what follows from %q, rules say %q", got, want)
	}
}

var (
	quoted   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	besides  = regexp.MustCompile(`\{[^}]*\}|\[[^\]]*\]|\b(?:by|without|on|ignoring)\s*\([^)]*\)`)
	word     = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:.]*(?:\s*\()?|[0-9][0-9a-z.]*`)
	operator = []string{"and", "or", "unless", "bool", "offset"}
)

// series are the names that an expression reads: its words without functions, operators, labels and numbers.
func series(expr string) []string {
	var out []string
	for _, w := range word.FindAllString(besides.ReplaceAllString(quoted.ReplaceAllString(expr, ""), ""), -1) {
		if !strings.HasSuffix(w, "(") && !slices.Contains(operator, w) && (w[0] < '0' || w[0] > '9') {
			out = append(out, w)
		}
	}
	return out
}

func TestSeries(t *testing.T) {
	t.Parallel()
	got := series(`max by (le, a) (rate(x_bucket{b=~"c.*|d{2}"}[5m])) / 2e3 > 14.4 or vector(0) and on () a:b:c >= 5 unless y`)
	if want := []string{"x_bucket", "a:b:c", "y"}; !slices.Equal(got, want) {
		t.Errorf("series %q, want %q", got, want)
	}
}

// TestRulesReadWhatExists: a rule on a name that nothing exposes would never fire.
func TestRulesReadWhatExists(t *testing.T) {
	t.Parallel()
	known := readMetrics(t)
	groups := append(readGroups(t, "recording.yml"), readGroups(t, "alerts.yml")...)
	for _, g := range groups {
		for _, r := range g.Rules {
			if r.Record != "" {
				if known[r.Record] {
					t.Errorf("two rules record %s", r.Record)
				}
				known[r.Record] = true
			}
		}
	}
	for _, g := range groups {
		for _, r := range g.Rules {
			names := series(r.Expr)
			for _, q := range regexp.MustCompile(`query ("(?:[^"\\]|\\.)*")`).FindAllStringSubmatch(fmt.Sprint(r.Annotations), -1) {
				names = append(names, series(strings.ReplaceAll(q[1][1:len(q[1])-1], `\"`, `"`))...)
			}
			if len(names) == 0 {
				t.Errorf("%s%s reads nothing: %s", r.Alert, r.Record, r.Expr)
			}
			for _, name := range names {
				if !known[name] && !known[regexp.MustCompile(`_(bucket|sum|count)$`).ReplaceAllString(name, "")] {
					t.Errorf("%s%s: docs/metrics.md has no %s", r.Alert, r.Record, name)
				}
			}
		}
	}
}

// TestBucketsAreNamedAsStored: a bucket of 30 is stored as le="30.0" or le="30", by the format of the scrape. A rule
// holds for both, and tests type what Prometheus stores of our processes.
func TestBucketsAreNamedAsStored(t *testing.T) {
	t.Parallel()
	matcher := regexp.MustCompile(`\ble(=~?|!=|!~)"([^"]*)"`)
	read := 0
	for _, g := range append(readGroups(t, "recording.yml"), readGroups(t, "alerts.yml")...) {
		for _, r := range g.Rules {
			for _, m := range matcher.FindAllStringSubmatch(r.Expr, -1) {
				read++
				if !readsBucket(m[1], m[2]) {
					t.Errorf("%s%s: %s misses buckets by the format of the scrape: write le=~\"30(\\\\.0)?\"", r.Alert, r.Record, m[0])
				}
			}
		}
	}
	if read == 0 {
		t.Error("no rule reads a bucket")
	}
	files, err := filepath.Glob("tests/*.yml")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if m := regexp.MustCompile(`\ble="\d+"`).Find(text); m != nil {
			t.Errorf("%s: %s is stored with .0 behind it", file, m)
		}
	}
}

// readsBucket tells whether a matcher of le finds its bucket however the scrape wrote it.
func readsBucket(op, value string) bool {
	number := regexp.MustCompile(`^[0-9]+(?:\.[0-9]*[1-9])?`).FindString(value)
	if op == "=" {
		return number == value && strings.Contains(number, ".")
	}
	pattern, err := regexp.Compile("^(?:" + strings.ReplaceAll(value, `\\`, `\`) + ")$")
	return op == "=~" && err == nil && pattern.MatchString(number) && (strings.Contains(number, ".") || pattern.MatchString(number+".0"))
}

func TestReadsBucket(t *testing.T) {
	t.Parallel()
	for matcher, want := range map[[2]string]bool{
		{"=", "0.1"}: true, {"=", "30"}: false, {"=", "30.0"}: false, {"=~", `30(\\.0)?`}: true, {"=~", "30"}: false, {"=~", "30.0"}: false, {"!=", "0.1"}: false,
	} {
		if got := readsBucket(matcher[0], matcher[1]); got != want {
			t.Errorf("le%s%q: %v, want %v", matcher[0], matcher[1], got, want)
		}
	}
}

// readMetrics are the names of what the platform exposes, and of what Prometheus adds.
func readMetrics(t *testing.T) map[string]bool {
	t.Helper()
	// Besides ours: those of Prometheus itself, and Alertmanager's.
	known := map[string]bool{"up": true, "ALERTS": true, "alertmanager_notifications_failed_total": true}
	text, err := os.ReadFile("../docs/metrics.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|").FindAllSubmatch(text, -1) {
		known[string(m[1])] = true
	}
	return known
}
