package webui

import (
	"html"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/api"
)

// manyOfAll gives each list n entries, the newest first, which count down to 1.
func manyOfAll(t *testing.T, n int) *fakeAPI {
	t.Helper()
	f := newFakeAPI(t).withModel()
	f.checks, f.models, f.recent, f.sets, f.logs = nil, nil, nil, nil, nil
	for i := n; i > 0; i-- {
		id, at := int64(i), now.Add(time.Duration(i-n)*time.Minute)
		check := measured(at, "none", false, 0.02)
		check.ID = id
		f.checks = append(f.checks, check)
		f.models = append(f.models, api.Version{
			ID: id, Version: "v" + strconv.Itoa(i), IsActive: i == 2, CreatedAt: at, Features: f.model.Features, Classes: f.model.Classes,
		})
		f.recent = append(f.recent, api.LoggedPrediction{ID: id, ModelVersion: "v2", Features: []float64{float64(i), 1}, CreatedAt: at})
		f.logs = append(f.logs, api.LogEntry{ID: id, Level: "INFO", EventType: "odd", Message: "entry " + strconv.Itoa(i), CreatedAt: at})
		set := dataset1
		set.GenerationID = id
		f.sets = append(f.sets, set)
	}
	return f
}

// link is where a link of these words leads, empty if there is none.
func (a answered) link(words string) string {
	m := regexp.MustCompile(`<a class="button" href="([^"]*)">` + words + `</a>`).FindStringSubmatch(a.body)
	if m == nil {
		return ""
	}
	return html.UnescapeString(m[1])
}

// lists are those that go on: where, how their rows are told apart, and the words that lead on and back.
var lists = map[string]struct {
	path, row, older, newest, total string
	page                            int
}{
	"datasets":    {"/data?id=7", `id=(\d+)#data-detail`, "Older datasets", "Newest datasets", "120 datasets in all", 50},
	"versions":    {"/models?job=7", `<th scope="row" class="mono">v(\d+)<`, "Older versions", "Newest versions", "120 versions in all", 50},
	"entries":     {"/admin?level=INFO", `>entry (\d+)<`, "Older entries", "Newest entries", "120 entries in all", 50},
	"predictions": {"/predict", `data-name="age">(\d+)<`, "Older predictions", "Newest predictions", "120 predictions of yours in all", 15},
	"checks":      {"/drift?check=7", `check=(\d+)#drift-compared`, "Older checks", "Newest checks", "120 checks in all", 25},
}

// Whoever follows a list comes to its first entry, by pages of one size, past none and to none twice; what else was chosen
// stays so.
func TestListsLeadToTheirEnd(t *testing.T) {
	t.Parallel()
	const n = 120
	v := setup(t, manyOfAll(t, n), "root")
	for name, l := range lists {
		_, chosen, _ := strings.Cut(l.path, "?")
		want := n
		for path := l.path; path != ""; {
			page := v.get(path)
			page.wants(t, http.StatusOK, l.total)
			rows := regexp.MustCompile(l.row).FindAllStringSubmatch(page.body, -1)
			if len(rows) != min(want, l.page) {
				t.Fatalf("%s: %s has %d rows, want %d", name, path, len(rows), min(want, l.page))
			}
			for _, row := range rows {
				if row[1] != strconv.Itoa(want) {
					t.Fatalf("%s: %s has %s, want %d", name, path, row[1], want)
				}
				want--
			}
			back := page.link(l.newest)
			if first := want == n-l.page; first != (back == "") || strings.Contains(back, "before") || !strings.Contains(back, chosen) && !first {
				t.Errorf("%s: %s leads back to %q", name, path, back)
			}
			if path = page.link(l.older); path != "" && !strings.Contains(path, chosen) {
				t.Errorf("%s: it goes on at %s, without %s", name, path, chosen)
			}
		}
		if want != 0 {
			t.Errorf("%s: it ends before %d", name, want)
		}
	}
}

// Where nothing is older there is no way on, and a page past the end says so and leads back; in French too.
func TestListsEnd(t *testing.T) {
	t.Parallel()
	v := setup(t, manyOfAll(t, 15), "root")
	for name, l := range lists {
		page := v.get(l.path)
		if page.link(l.older) != "" || page.link(l.newest) != "" {
			t.Errorf("%s of 15 go on at %q, and back at %q", name, page.link(l.older), page.link(l.newest))
		}
		path, _, _ := strings.Cut(l.path, "?")
		page = v.get(path + "?before=1")
		page.wants(t, http.StatusOK, "There is nothing older.")
		if page.link(l.newest) == "" {
			t.Errorf("%s past the end lead nowhere", name)
		}
		v.get(path+"?before=old").wants(t, http.StatusOK, strings.Replace(l.total, "120", "15", 1))
		r := v.request(http.MethodGet, path+"?before=3", nil)
		r.AddCookie(french)
		if in := v.send(r); !regexp.MustCompile(`<a class="button" href="[^"]*">Derni(ère|er)s `).MatchString(in.body) || !strings.Contains(in.body, "15 ") {
			t.Errorf("%s in French: %s", name, in.body)
		}
	}
}

// The API lists fewer datasets than asked for where they are wide: the list goes on all the same, and ends.
func TestWideDatasetsGoOn(t *testing.T) {
	t.Parallel()
	f := manyOfAll(t, 7)
	f.room = 3
	v := setup(t, f, "ann")
	var rows []int
	for path := "/data"; path != ""; {
		page := v.get(path)
		rows = append(rows, len(regexp.MustCompile(`#data-detail`).FindAllString(page.body, -1)))
		path = page.link("Older datasets")
	}
	if !slices.Equal(rows, []int{3, 3, 1}) {
		t.Errorf("pages of %v datasets, want 3, 3 and 1", rows)
	}
}

// The versions that are compared are no matter of which part of the list is shown, however old the active one is.
func TestOldVersionIsCompared(t *testing.T) {
	t.Parallel()
	v := setup(t, manyOfAll(t, 120), "ann")
	both := regexp.MustCompile(`<th scope="col"><span class="key series-\d">[^<]*</span><span class="mono">(v\d+)</span>`)
	for path, want := range map[string]string{"/models": "v2 v120", "/models?before=60": "v2 v120", "/models?compare=v7": "v2 v7", "/models?compare=v2": "v2"} {
		var got []string
		for _, m := range both.FindAllStringSubmatch(v.get(path).body, -1) {
			got = append(got, m[1])
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s compares %q, want %s", path, got, want)
		}
	}
	v.get("/models").wants(t, http.StatusOK, "To train on an older dataset")
}

// A page of predictions ends where it is full, or where too many of other models were passed: none is passed unseen.
func TestPredictionsGoOnPastOtherModels(t *testing.T) {
	t.Parallel()
	f := manyOfAll(t, 430)
	for i := range f.recent[:410] {
		if i%2 == 1 || i > 20 {
			f.recent[i].ModelVersion = "gone"
		}
	}
	v := setup(t, f, "ann")
	var got []string
	for path := "/predict"; path != ""; {
		page := v.get(path)
		rows := regexp.MustCompile(`data-name="age">(\d+)<`).FindAllStringSubmatch(page.body, -1)
		left := regexp.MustCompile(`(\d+) predictions?, of`).FindStringSubmatch(page.body)
		got = append(got, strconv.Itoa(len(rows))+"+"+strings.Join(left[min(1, len(left)):], ""))
		path = page.link("Older predictions")
	}
	// Of 200 that are looked at, 11 are of the model; then none of 200; then 15 of 25; then the last 5.
	if want := []string{"11+189", "0+200", "15+10", "5+"}; !slices.Equal(got, want) {
		t.Errorf("pages of %v shown and left out, want %v", got, want)
	}
}
