package webui

import (
	"maps"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"iacontinu/internal/ml"
)

func words(t *testing.T) map[string]*language {
	t.Helper()
	languages, err := loadLanguages()
	if err != nil {
		t.Fatal(err)
	}
	return languages
}

var verb = regexp.MustCompile(`%(\[\d\])?[a-z]`)

// Both languages say the same things of the same values.
func TestCataloguesMatch(t *testing.T) {
	t.Parallel()
	languages := words(t)
	en, fr := languages["en"].words, languages["fr"].words
	if diff := cmp.Diff(slices.Sorted(maps.Keys(en)), slices.Sorted(maps.Keys(fr))); diff != "" {
		t.Errorf("keys: %s", diff)
	}
	for key, text := range en {
		if diff := cmp.Diff(verb.FindAllString(text, -1), verb.FindAllString(fr[key], -1)); diff != "" {
			t.Errorf("%s takes other values in French: %s", key, diff)
		}
		if text == "" || fr[key] == "" {
			t.Errorf("%s is empty", key)
		}
	}
}

// French sets a space that does not break before a colon and its like.
func TestFrenchIsSetWell(t *testing.T) {
	t.Parallel()
	for key, text := range words(t)["fr"].words {
		if at := regexp.MustCompile(`[^\x{a0}][:;?!»]( |$)|« `).FindString(text); at != "" && text != ":" {
			t.Errorf("%s: %q in %q", key, at, text)
		}
	}
}

// Every key that pages and code use is there, and none is there for nothing.
func TestUsedKeysExist(t *testing.T) {
	t.Parallel()
	used := map[string]bool{}
	for _, pattern := range []string{"*.go", "pages/*.html"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?:\{\{-?\s*|\()t "([a-z0-9_.]+)"|(?:must|timeLine\("[a-z-]+",)\s*\(?"([a-z0-9_.]+)"`).FindAllStringSubmatch(string(text), -1) {
				used[m[1]+m[2]] = true
			}
			for _, m := range regexp.MustCompile(`count "([a-z_.]+)"`).FindAllStringSubmatch(string(text), -1) {
				used[m[1]+".one"], used[m[1]+".other"] = true, true
			}
		}
	}
	delete(used, "fault.")
	delete(used, "models.done.")
	delete(used, "data.done.")
	delete(used, "data.kind.")
	delete(used, "kpi_state.")
	delete(used, "unit.")
	delete(used, "event.")
	delete(used, "admin.done.")
	delete(used, "models.")
	delete(used, "month.")
	delete(used, "span.")
	known := words(t)["en"].words
	for key := range used {
		if known[key] == "" {
			t.Errorf("no words for %s", key)
		}
	}
	built := regexp.MustCompile(`^(title|theme|role|fault|verdict|event|part|state|method|reason|check|check_next|figure|predict\.sure_|job|step|step_state|job_verdict|verdict_of|models\.done|data\.(done|kind)|admin\.done|level|source|kind|service|unit|kpi|queue|span|kpi_state|models\.(roc|calibration)|month|list\.(older|newest|total))|_empty$`)
	for key := range known {
		if !used[key] && !built.MatchString(key) {
			t.Errorf("nothing says %s", key)
		}
	}
}

// What the platform can say of itself has words, whatever it says.
func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()
	var keys []string
	for _, action := range []ml.CheckAction{
		ml.ActionNone, ml.ActionRetrained, ml.ActionRetrainRejected, ml.ActionRetrainFailed, ml.ActionRetrainStarted, ml.ActionCooldown, ml.ActionNewDataNeeded,
	} {
		keys = append(keys, "check."+string(action), "check_next."+string(action))
	}
	for _, outcome := range []string{"stable", "unmeasured", "failed"} {
		keys = append(keys, "check."+outcome, "check_next."+outcome)
	}
	for _, reason := range []string{ml.ReasonManual, ml.ReasonForced, ml.ReasonThreshold, "bootstrap", "drift"} {
		keys = append(keys, "reason."+reason)
	}
	for _, service := range ml.Services() {
		keys = append(keys, "part."+string(service))
	}
	for _, v := range []ml.Verdict{ml.VerdictActivated, ml.VerdictRejected} {
		keys = append(keys, "event."+string(v), "job_verdict."+string(v), "verdict_of."+string(v))
	}
	for _, s := range []string{"queued", "running", "retrying", "succeeded", "failed", "cancelled"} {
		keys = append(keys, "job."+s)
	}
	for _, s := range steps {
		keys = append(keys, "step."+s)
	}
	for _, service := range []string{"api", "worker", "flow", "database", "mlflow", "prefect", "prometheus", "grafana", "alertmanager", "uptime-kuma"} {
		keys = append(keys, "service."+service)
	}
	for _, fact := range []string{
		"database_down", "database_readonly", "no_model", "worker_absent", "flow_absent", "checks_overdue", "health_check_failed", "new_data_needed",
		"retrain_failed", "drift", "drawn_drift", "accuracy_low", "deliveries_wait", "jobs_wait", "well", "unchecked", "unmeasured", "drift_kept", "drift_retrained",
	} {
		keys = append(keys, "verdict."+fact, "verdict."+fact+".next")
	}
	for _, length := range []string{"hour", "day", "week", "month"} {
		keys = append(keys, "span."+length)
	}
	for _, kind := range []string{"drift", "swap", "rollback", "import", "generate"} {
		keys = append(keys, "event."+kind)
	}
	for _, id := range []string{"latency", "throughput", "availability", "errors", "accuracy", "training", "confidence", "cpu", "memory"} {
		keys = append(keys, "kpi."+id)
	}
	for _, p := range pages {
		keys = append(keys, "title."+p.name)
	}
	for _, key := range keys {
		if words(t)["fr"].words[key] == "" {
			t.Errorf("no words for %s", key)
		}
	}
}

func TestNumbers(t *testing.T) {
	t.Parallel()
	en, fr := words(t)["en"], words(t)["fr"]
	for got, want := range map[string]string{
		en.percent(1, 0.953): "95.3%", fr.percent(1, 0.953): "95,3\u00a0%", en.number(0, 12345): "12,345", fr.significant(-0.09621): "-0,0962",
		en.significant(1): "1", en.significant(0.001): "0.001", en.significant(1234.5): "1,234", en.chance(0): "<\u00a00.0001", en.chance(0.863): "0.863",
		en.day(now): "25 Nov", fr.moment(now): "25 nov. 2026, 13:00 UTC",
	} {
		if got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	for v, want := range map[float64]string{
		2100.5: "2,100.5", -2100.5: "-2,100.5", 0: "0", 5: "5", 0.000123: "0.000123", 123456.789: "123,456.789", 1234567: "1,234,567",
		1.0 / 3: "0.333333", 0.30000000000000004: "0.3", 20000.0 / 3: "6,666.67", 1e20: "1×10²⁰", math.Inf(1): "∞",
	} {
		if got := en.value(v); got != want {
			t.Errorf("%v is written %q, want %q", v, got, want)
		}
	}
	if got, want := fr.value(2100.5), "2\u00a0100,5"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	for n, want := range map[int64]string{0: "0 ligne traitée.", 1: "1 ligne traitée.", 2: "2 lignes traitées."} {
		if got, err := fr.count("predict.answered", n); got != want || err != nil {
			t.Errorf("%q, %v, want %q", got, err, want)
		}
	}
}
