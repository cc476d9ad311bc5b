package wording

import (
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
)

var placeholder = regexp.MustCompile(`\{([a-z_]+)(?::[a-z0-9]+)?\}`)

func names(text string) []string {
	found := map[string]bool{}
	for _, m := range placeholder.FindAllStringSubmatch(text, -1) {
		found[m[1]] = true
	}
	delete(found, "error") // English words of a program, which need not be told in another language
	delete(found, "n")     // one is also a word
	return slices.Sorted(maps.Keys(found))
}

// Both languages say the same things of the same values.
func TestLanguagesMatch(t *testing.T) {
	t.Parallel()
	en, fr := english(), french()
	if diff := cmp.Diff(In("en").Keys(), In("fr").Keys()); diff != "" {
		t.Errorf("keys: %s", diff)
	}
	for key, text := range en {
		if text == "" || fr[key] == "" {
			t.Errorf("%s is empty", key)
		}
		if diff := cmp.Diff(names(text), names(fr[key])); diff != "" {
			t.Errorf("%s takes other values in French: %s", key, diff)
		}
		if strings.ContainsAny(placeholder.ReplaceAllString(text+fr[key], ""), "{}") {
			t.Errorf("%s has a brace that is no value", key)
		}
	}
}

// French sets a space that does not break before a colon and its like, and no straight apostrophe.
func TestFrenchIsSetWell(t *testing.T) {
	t.Parallel()
	wrong := regexp.MustCompile(`[^\x{a0}/p][:;!?»]( |$)|« |'`)
	for key, text := range french() {
		if at := wrong.FindString(placeholder.ReplaceAllString(text, "x")); at != "" {
			t.Errorf("%s: %q in %q", key, at, text)
		}
	}
}

// groups of codes, as they stand in the sources.
var groups = regexp.MustCompile(`"((?:notice|figure|drift|check|health|retrain|serving|test|gate|error|part|file|row)\.[a-z_]+)"`)

// Every code that the platform speaks in has words, and there are no words that nobody says.
func TestEveryCodeHasWords(t *testing.T) {
	t.Parallel()
	said := map[string]bool{}
	for _, root := range []string{"../../internal", "../../cmd"} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if d.IsDir() && slices.Contains([]string{"wording", "webui", "testdata"}, d.Name()) {
				return filepath.SkipDir
			}
			if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			text, err := os.ReadFile(path)
			for _, m := range groups.FindAllStringSubmatch(string(text), -1) {
				said[m[1]] = true
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var all []string
	for _, key := range In("en").Keys() {
		code := strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(key, ".value"), ".one"), ".other")
		if groups.MatchString(`"`+code+`"`) && code == key || strings.HasSuffix(key, ".other") {
			all = append(all, code)
		}
	}
	if diff := cmp.Diff(slices.Compact(slices.Sorted(slices.Values(all))), slices.Sorted(maps.Keys(said))); diff != "" {
		t.Errorf("words (-) and codes that are said (+): %s", diff)
	}
}

type remark struct {
	code   string
	values map[string]any
}

func (r remark) Said() (string, map[string]any) { return r.code, r.values }

func TestSentences(t *testing.T) {
	t.Parallel()
	en, fr := In("en"), In("fr")
	waits := func(n any) remark { return remark{"part.jobs_wait", map[string]any{"n": n, "overdue": 4000.4}} }
	for _, c := range []struct {
		l    *Language
		says []remark
		want string
	}{
		{en, []remark{{"log.user_changed", map[string]any{"username": "bob", "role": "user", "is_active": false}}}, "Account bob was changed: role user, barred."},
		{fr, []remark{{"log.user_changed", map[string]any{"username": "bob", "role": "admin", "is_active": true}}}, "Compte bob modifié, rôle\u00a0: administrateur, peut se connecter."},
		{en, []remark{{"gate.other_features", map[string]any{"champion": "v20261125-194507-13"}}}, "v20261125-194507-13 has other features and was not compared."},
		{en, []remark{waits(1)}, "1 job waits, overdue by 1h 6m."},
		{en, []remark{waits(2.0)}, "2 jobs wait, the longest overdue by 1h 6m."},
		{fr, []remark{waits(0)}, "0 tâche attend, en retard de 1\u00a0h 6\u00a0min."},
		{fr, []remark{waits(2)}, "2 tâches attendent, la plus ancienne en retard de 1\u00a0h 6\u00a0min."},
		{fr, []remark{{"part.last_check", map[string]any{"ago": 0.2, "method": "random"}}}, "Dernier contrôle il y a 0\u00a0s, par tirage au hasard."},
		{
			fr,
			[]remark{{"check.rejected", nil}, {"check.few_rows", map[string]any{"rows": 12345, "want": int64(200)}}},
			"Le nouveau modèle n’a pas été retenu et la dérive demeure. Trop peu de prédictions depuis la mise en service pour mesurer\u00a0: 12\u00a0345 sur les 200 nécessaires.",
		},
		{
			fr,
			[]remark{{"gate.better", map[string]any{"accuracy": 0.9531, "rows": 400, "majority": 0.5}}},
			"Sur 400 lignes de test, 95,31\u00a0% de bonnes réponses\u00a0: mieux que de toujours donner la réponse la plus fréquente (50\u00a0%).",
		},
		{en, []remark{{"drift.drawn", map[string]any{"value": 0.31244, "threshold": 0.5}}}, "The random number 0.312 is below 0.5, which counts as drift."},
		{en, []remark{{"check.forced", nil}, {"of a newer program", nil}}, ""},
		{en, []remark{{"check.few_rows", map[string]any{"rows": 1}}}, ""}, // a value is missing
		{en, nil, ""},
	} {
		got, ok := Text(c.l, c.says)
		if ok != (c.want != "") || ok && got != c.want {
			t.Errorf("%v: %q %v, want %q", c.says, got, ok, c.want)
		}
	}
	if got, ok := Joined(en, []remark{{"check.rejected", nil}, {"check.forced", nil}}); !ok ||
		got != "the candidate was rejected and the drift stays; an operator asked for a retraining whatever is found" {
		t.Errorf("%q", got)
	}
	for _, c := range []struct{ code, name, value string }{
		{"figure.p_value", "Plus petite valeur p", "<\u00a00,0001 (dérive au-dessous de 0,001)"},
		{"figure.accuracy", "Bonnes réponses", "0\u00a0%"},
	} {
		name, value, ok := Figure(fr, remark{c.code, map[string]any{"value": 1e-9, "threshold": 0.001}})
		if !ok || name != c.name || value != c.value {
			t.Errorf("%s: %q %q", c.code, name, value)
		}
	}
}

// A message has room for what is said: Discord cuts titles at 256, and names of figures too.
func TestTitlesAndNamesAreShort(t *testing.T) {
	t.Parallel()
	for _, code := range Codes() {
		for key, text := range In(code).words {
			if (strings.HasPrefix(key, "notice.") || strings.HasPrefix(key, "figure.")) && utf8.RuneCountInString(text) > 60 {
				t.Errorf("%s: %q is long", key, text)
			}
		}
	}
}
