package webui

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"iacontinu/internal/api"
)

func TestDataTellsOfADataset(t *testing.T) {
	t.Parallel()
	v := setup(t, newFakeAPI(t).withModel(), "root")
	v.get("/data").wants(t, http.StatusOK, "a&lt;b&gt;.csv", "5,000", `id="feature-0"`, "From 1 to 3, mean 2", "All values are the same", "the newest 3,000 rows", "80.0%", `popovertarget="confirm-delete"`)
	page := v.get("/data?id=1")
	page.wants(t, http.StatusOK, "can’t be deleted", "75.0%")
	if strings.Contains(page.body, "confirm-delete") {
		t.Error("what a version needs can be deleted")
	}
	v.get("/data?id=9").wants(t, http.StatusOK, "does not exist any more", "All datasets")
	if body := setup(t, newFakeAPI(t).withModel(), "ann").get("/data").body; strings.Contains(body, "popover") {
		t.Error("a user is shown what an administrator may do")
	}
}

func TestGenerateForm(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	page := v.post("/data/generate", url.Values{"samples": {"300"}, "drift": {"concept"}, "seed": {"42"}})
	page.wants(t, http.StatusOK, "The rows were made", "Dataset 1")
	v.post("/data/generate", url.Values{"samples": {"300"}, "drift": {"hour"}, "seed": {""}})
	for _, want := range []string{`300 "concept" 42`, `300 "" 0`} {
		if !slices.Contains(f.asked, want) {
			t.Errorf("asked %q, want %s", f.asked, want)
		}
	}
	for name, form := range map[string]url.Values{
		"words": {"samples": {"many"}}, "part": {"samples": {"2,5"}}, "seed": {"samples": {"3"}, "seed": {"-1"}},
	} {
		if page := v.post("/data/generate", form); page.status != http.StatusUnprocessableEntity || !strings.Contains(page.body, "are whole numbers") {
			t.Errorf("%s: %d", name, page.status)
		}
	}
	for _, samples := range []string{"0", "-5", "1,000,001"} {
		v.post("/data/generate", url.Values{"samples": {samples}}).wants(t, http.StatusUnprocessableEntity, "From 1 to 1,000,000 rows can be made at once.")
	}
	v.post("/data/generate", url.Values{"samples": {"2,000,000"}, "seed": {"7"}, "drift": {"label"}}).wants(t, http.StatusUnprocessableEntity, "From 1 to 1,000,000 rows can be made at once.",
		`value="2,000,000" required aria-invalid="true" aria-describedby="generate-wrong" autofocus>`, `value="7"`, `<option value="label" selected>`)
	f.set(func() {
		f.refuse = &api.Problem{Status: http.StatusUnprocessableEntity, Detail: "samples is too large"}
	})
	v.post("/data/generate", url.Values{"samples": {"1,000"}}).wants(t, http.StatusUnprocessableEntity, "samples is too large", "All datasets")
}

func TestPreviewComesBeforeTheImport(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	v.upload("/data/preview", "age,note,ill\n1,a,no\n", nil).wants(t, http.StatusOK, `<option selected>ill</option>`,
		`value="note" checked`, `value="age">`, "&lt;i&gt;", "Line 3", "is not a number", `name="skip_bad"`, "2 rows were looked at")
	v.upload("/data/preview", strings.Repeat("1,2\n", api.MaxPreview), nil).wants(t, http.StatusOK)
	v.upload("/data/preview", "1,2\n", url.Values{"cut": {"1"}}).wants(t, http.StatusOK)
	want := []string{`20 bytes, whole "true"`, `65536 bytes, whole ""`, `4 bytes, whole ""`}
	if got := slices.DeleteFunc(f.asked, func(s string) bool { return strings.HasPrefix(s, "POST") }); !slices.Equal(got, want) {
		t.Errorf("asked %q, want %q", got, want)
	}
	v.upload("/data/preview", "", nil).wants(t, http.StatusUnprocessableEntity, "There is no file")
}

// What can't be imported is refused before it is sent: there is no choice that would help.
func TestPreviewRefusesWhatHasNothingToLearn(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	number := []api.PreviewColumn{{Name: "age", Kind: "number"}, {Name: "dose", Kind: "number"}}
	rows := [][]string{{"1", "2"}}
	for name, c := range map[string]struct {
		seen   api.DatasetPreview
		fields url.Values
		status int
		want   string
	}{
		"no rows":                  {api.DatasetPreview{Columns: number}, nil, http.StatusUnprocessableEntity, "There are no rows below the names of the columns"},
		"no target":                {api.DatasetPreview{Columns: number, Rows: rows, RowsRead: 9}, nil, http.StatusUnprocessableEntity, "No column has exactly two values"},
		"perhaps one further down": {api.DatasetPreview{Columns: number, Rows: rows, RowsRead: 9}, url.Values{"cut": {"1"}}, http.StatusOK, "Choose one with two values"},
	} {
		f.set(func() { f.seen = &c.seen })
		page := v.upload("/data/preview", "a file", c.fields)
		page.wants(t, c.status, c.want)
		if offered := strings.Contains(page.body, `name="target"`); offered != (c.status == http.StatusOK) {
			t.Errorf("%s: the import is offered: %t", name, offered)
		}
	}
}

// Rows that would be refused are left out unless the file is corrected; a form that unticks it is not sent.
func TestPreviewHasBadRowsLeftOut(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	const box = `<input type="checkbox" name="skip_bad" value="1"`
	v.upload("/data/preview", "a file", nil).wants(t, http.StatusOK, box+" checked required>", "As it is, the file is imported only without them")
	f.set(func() {
		f.seen = &api.DatasetPreview{Columns: []api.PreviewColumn{{Name: "ill", Kind: "number"}}, Target: "ill", Rows: [][]string{{"1"}}, RowsRead: 1}
	})
	page := v.upload("/data/preview", "a file", nil)
	page.wants(t, http.StatusOK, box+">") // rows further down may be bad
	if strings.Contains(page.body, "only without them") {
		t.Error("a file without a bad row is said to have some")
	}
}

// What was chosen for a file stays where the API refuses it, and where it is looked at again.
func TestRefusedImportKeepsItsChoices(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f.taking(func(w http.ResponseWriter, _ *http.Request) {
		f.problem(w, api.Problem{Status: http.StatusUnprocessableEntity, Detail: "a third value on line 5000"})
	}), "ann")
	fields := url.Values{"target": {"age"}, "ignore": {"ill"}, "skip_bad": {"1"}}
	kept := []string{`<option selected>age</option>`, `value="ill" checked`, `value="note" checked`, `name="skip_bad" value="1" checked`}
	f.set(func() {
		f.seen = &api.DatasetPreview{
			Columns: []api.PreviewColumn{{Name: "age", Kind: "number"}, {Name: "note", Kind: "text"}, {Name: "ill", Kind: "number"}}, Target: "ill", Rows: [][]string{{"1", "x", "0"}}, RowsRead: 1,
		}
	})
	page := v.upload("/data/import", strings.Repeat("1,2,3\n", api.MaxPreview), fields)
	page.wants(t, http.StatusUnprocessableEntity, append(kept, "a third value on line 5000", `<p class="fine">Choose the file once more`)...)
	if want := `65536 bytes, whole ""`; !slices.Contains(f.asked, want) {
		t.Errorf("asked %.300q, want %s", f.asked, want)
	}
	v.upload("/data/preview", "a file", fields).wants(t, http.StatusOK, kept...)
	f.set(func() { f.seen.Rows, f.seen.RowsRead = nil, 0 })
	if page := v.upload("/data/import", "a header", fields); strings.Contains(page.body, `name="target"`) {
		t.Error("a file without rows is offered to be imported again")
	}
	f.set(func() { f.seen.Rows, f.seen.RowsRead = [][]string{{"1", "x", "0"}}, 1 })
	v.upload("/data/preview", "a file", url.Values{"target": {"of another file"}}).wants(t, http.StatusOK, `<option selected>ill</option>`)
}

func TestImportForm(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	v := setup(t, f, "ann")
	fields := url.Values{"target": {"ill"}, "ignore": {"note", "ill"}}
	v.upload("/data/import", "the file", fields).wants(t, http.StatusOK, "The file was imported", "Dataset 2")
	if want := "ignore=note&name=rows.csv&target=ill the file"; !slices.Contains(f.asked, want) {
		t.Errorf("asked %q, want %q", f.asked, want)
	}
	fields.Set("skip_bad", "1")
	v.upload("/data/import", "the file", fields).wants(t, http.StatusOK, "1 row can’t be used", "Line 3", "is not a number")
	v.upload("/data/import", "", fields).wants(t, http.StatusUnprocessableEntity, "There is no file")
	f.set(func() {
		f.refuse = &api.Problem{Status: http.StatusUnprocessableEntity, Errors: []api.FieldError{{Location: "line 3", Message: "age: is not a number"}}}
	})
	v.upload("/data/import", "the file", fields).wants(t, http.StatusUnprocessableEntity, "line 3: age: is not a number")
}

func TestDeleteDataset(t *testing.T) {
	t.Parallel()
	f := newFakeAPI(t).withModel()
	setup(t, f, "ann").post("/data/delete", url.Values{"id": {"2"}}).wants(t, http.StatusForbidden, "Your account may not do this")
	v := setup(t, f, "root")
	v.post("/data/delete", url.Values{"id": {"2"}}).wants(t, http.StatusOK, "The dataset was deleted")
	f.set(func() { f.refuse = &api.Problem{Status: http.StatusConflict, Detail: "v2 needs it"} })
	v.post("/data/delete", url.Values{"id": {"1"}}).wants(t, http.StatusConflict, "not possible now", "v2 needs it")
	v.post("/data/delete", url.Values{"id": {"x"}}).wants(t, http.StatusNotFound)
}
