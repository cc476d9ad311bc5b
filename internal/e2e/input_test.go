package e2e

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/wording"
)

// ask sends one request as curl would.
func ask(t *testing.T, method, url, token, contentType string, body io.Reader) (status int, problem api.Problem, text string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode >= 400 && res.Header.Get("Content-Type") != api.ProblemType {
		t.Errorf("%s %s: %d with content type %q, want a problem\n%s", method, url, res.StatusCode, res.Header.Get("Content-Type"), b)
	}
	_ = json.Unmarshal(b, &problem) // a success is no problem
	return res.StatusCode, problem, string(b)
}

// token logs a demo user in.
func token(t *testing.T, url, username, password string) string {
	t.Helper()
	client, err := api.New(url, api.Options{})
	if err != nil {
		t.Fatal(err)
	}
	answer, err := client.Login(t.Context(), username, password)
	if err != nil {
		t.Fatal(err)
	}
	return answer.AccessToken
}

// TestWrongInput sends what people and attackers send; each gets a clear problem, and afterwards the
// platform predicts as before.
func TestWrongInput(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	p := startUp(t, f)
	ready(t, p.url)
	user := token(t, p.url, "testuser", "test123")

	const predict, generate, jsonType = "/predict", "/generate", "application/json"
	parts := strings.Split(user, ".")
	none := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`)) + "." + parts[1] + "."
	forged := parts[0] + "." + parts[1] + "." + base64.RawURLEncoding.EncodeToString(bytes.Repeat([]byte{7}, 32))
	for _, tt := range []struct {
		name, path, token, body string
		status                  int
		says                    string // part of the answer
	}{
		{"malformed JSON", predict, user, `{"features":[1,`, 422, "not JSON"},
		{"too many features", predict, user, `{"features":[1,2,3]}`, 422, "body.features"},
		{"NaN", predict, user, `{"features":[NaN,1]}`, 422, "not JSON"},
		{"1e400", predict, user, `{"features":[1e400,1]}`, 422, "body.features[0]"},
		{"words", predict, user, `{"features":["one",2]}`, 422, "body.features[0]"},
		{"no token", predict, "", `{"features":[1,2]}`, 401, "token"},
		{"forged token", predict, forged, `{"features":[1,2]}`, 401, "token"},
		{"alg none", predict, none, `{"features":[1,2]}`, 401, "token"},
		{"a user on an admin route", "/models/rollback", user, ``, 403, "administrators"},
		{"samples 0", generate, user, `{"samples":0}`, 422, "body.samples"},
		{"samples -1", generate, user, `{"samples":-1}`, 422, "body.samples"},
		{"samples 1e9", generate, user, `{"samples":1000000000}`, 422, "body.samples"},
		{"two wrong at once", generate, user, `{"samples":0,"drift":"sideways"}`, 422, "body.drift"},
		{"more drift than there is", generate, user, `{"drift":"label","magnitude":0.46}`, 422, "body.magnitude"},
		{"a magnitude of nothing", generate, user, `{"magnitude":0.3}`, 422, "body.magnitude"},
	} {
		status, problem, text := ask(t, http.MethodPost, p.url+tt.path, tt.token, jsonType, strings.NewReader(tt.body))
		if status != tt.status || !strings.Contains(text, tt.says) || problem.RequestID == "" {
			t.Errorf("%s: %d %s; want %d with %q and a request id", tt.name, status, text, tt.status, tt.says)
		}
	}

	const huge = 100 << 20
	if status, _, text := ask(t, http.MethodPost, p.url+predict, user, jsonType, io.LimitReader(zeros{}, huge)); status != 413 {
		t.Errorf("a body of 100 MB: %d %s, want 413", status, text)
	}
	if status, _, text := ask(t, http.MethodPost, p.url+predict, user, jsonType, strings.NewReader(`{"features":[1,2]}`)); status != 200 {
		t.Errorf("afterwards a good request gets %d %s", status, text)
	}
}

// TestRefusalsHaveWordsInEachLanguage: what a person's request on the web pages is refused for, the pages say in their
// reader's language, so it comes in codes.
func TestRefusalsHaveWordsInEachLanguage(t *testing.T) {
	t.Parallel()
	p := startUp(t, newFolder(t))
	ready(t, p.url)
	user, admin := token(t, p.url, "testuser", "test123"), token(t, p.url, "admin", "admin123")
	french := wording.In("fr")
	_, _, active := ask(t, http.MethodGet, p.url+"/model/info", user, "", nil)
	var info api.ModelInfo
	if err := json.Unmarshal([]byte(active), &info); err != nil || info.ModelVersion == nil {
		t.Fatalf("%s: %v", active, err)
	}
	for _, tt := range []struct {
		method, path, token, body string
		status                    int
		says                      string
	}{
		{"POST", "/auth/register", admin, `{"username":"a b","email":"ann","password":"short"}`, 422, "Une adresse électronique s’écrit comme nom@exemple.org. Un mot de passe a de 8 à 128 caractères. Un nom d’utilisateur a de 3 à 64 lettres, chiffres ou caractères . _ @ -, et commence par une lettre ou un chiffre."},
		{"POST", "/auth/register", admin, `{"username":"someone","email":"Ann <ann@example.org>","password":"long enough"}`, 422, "Une adresse électronique s’écrit comme nom@exemple.org."},
		{"POST", "/auth/register", admin, `{"username":"testuser","email":"x@example.org","password":"long enough"}`, 409, "Testuser est déjà pris."},
		{"PATCH", "/auth/users/admin", admin, `{"is_active":false}`, 409, "C’est votre propre compte\u00a0: un autre administrateur peut le modifier."},
		{"PATCH", "/auth/users/nobody", admin, `{"is_active":false}`, 404, "Ce qui est demandé n’existe pas, ou n’existe plus."},
		{"POST", "/auth/password", user, `{"old_password":"wrong","new_password":"long enough"}`, 422, "L’ancien mot de passe est faux."},
		{"POST", "/models/rollback", admin, ``, 409, "Il n’y a pas de version à laquelle revenir."},
		{"POST", "/models/rollback", user, ``, 403, "Ceci est réservé aux administrateurs."},
		{"POST", "/models/v99/activate", admin, ``, 404, "Ce qui est demandé n’existe pas, ou n’existe plus."},
		{"DELETE", "/datasets/1", admin, ``, 409, "La version en service, " + *info.ModelVersion + ", a appris du jeu 1."},
		{"DELETE", "/datasets/99", admin, ``, 404, "Le jeu 99 n’existe pas."},
		{"GET", "/jobs/99", user, ``, 404, "Ce qui est demandé n’existe pas, ou n’existe plus."},
		{"POST", "/generate", user, strings.Repeat(" ", 9000), 413, "L’envoi dépasse les 8\u00a0192 octets possibles ici."},
	} {
		status, problem, text := ask(t, tt.method, p.url+tt.path, tt.token, "application/json", strings.NewReader(tt.body))
		said, _ := wording.Text(french, problem.Remarks)
		if status != tt.status || said != tt.says {
			t.Errorf("%s %s: %d, in French %q of %s; want %d, %q", tt.method, tt.path, status, said, text, tt.status, tt.says)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = '0'
	}
	return len(b), nil
}

// TestImportedData goes the way of a person with data of their own: import by the command line,
// retrain on it, predict by name and by position; and a file with one bad line is refused whole.
func TestImportedData(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	p := startUp(t, f)
	ready(t, p.url)
	sample, err := filepath.Abs("../../deploy/sample/breast_cancer.csv")
	if err != nil {
		t.Fatal(err)
	}
	at := []string{"API_URL=" + p.url}
	out := f.must(t, at, "import", sample, "--target", "diagnosis")
	var id int64
	if _, err := fmt.Sscanf(out, "dataset %d:", &id); err != nil {
		t.Fatalf("import prints %q: %v", out, err)
	}
	if out := f.must(t, at, "retrain", "--dataset", fmt.Sprint(id)); !strings.HasPrefix(out, "success") {
		t.Fatalf("retrain prints %q", out)
	}

	if again := f.must(t, at, "import", sample, "--target", "diagnosis"); strings.Contains(out, "already") ||
		!strings.Contains(again, fmt.Sprintf("there already, as dataset %d;", id)) {
		t.Errorf("imported twice: %q, then %q; want the second to name the first", out, again)
	}

	client := login(t, p.url, "testuser", "test123")
	info, err := client.ModelInfo(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	file, err := os.Open(sample)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if again, err := client.Import(t.Context(), file, api.Upload{Target: "diagnosis"}); err != nil || again.CopyOf != id {
		t.Errorf("imported over HTTP: told to be a copy of %d, %v; want %d", again.CopyOf, err, id)
	}
	names, rows := readSample(t, sample)
	if fmt.Sprint(info.Features) != fmt.Sprint(names) {
		t.Fatalf("the model's features are %v, the file's %v", info.Features, names)
	}
	right := 0
	for _, row := range rows {
		byName := map[string]float64{}
		for i, name := range names {
			byName[name] = row.values[i]
		}
		a, err := client.Predict(t.Context(), row.values)
		if err != nil {
			t.Fatal(err)
		}
		b, err := client.PredictByName(t.Context(), byName)
		if err != nil {
			t.Fatal(err)
		}
		if a.Class != b.Class || a.Confidence != b.Confidence {
			t.Fatalf("by position %+v, by name %+v", a, b)
		}
		if a.Class == row.class {
			right++
		}
	}
	if share := float64(right) / float64(len(rows)); share < 0.9 {
		t.Errorf("%.3f of the file's rows right, want 0.9 or more", share)
	}

	before := countDatasets(t, f)
	bad := filepath.Join(t.TempDir(), "bad.csv")
	writeBadFile(t, bad, 100_000, 70_000)
	_, errs, code := f.run(t, nil, "", "iacontinu", "import", bad, "--target", "y")
	if code != 1 || !strings.Contains(errs, "70000") {
		t.Errorf("import of a file with a bad line 70,000: exit code %d, %q; want 1 and the line", code, errs)
	}
	if after := countDatasets(t, f); after != before {
		t.Errorf("%d datasets after the refused file, %d before", after, before)
	}
	if files, err := os.ReadDir(filepath.Join(f.dir, "data", "datasets")); err != nil || len(files) != before {
		t.Errorf("%d files in data/datasets (%v), want %d", len(files), err, before)
	}
	out, errs, code = f.run(t, nil, "", "iacontinu", "import", bad, "--target", "y", "--skip-bad")
	if code != 0 || !strings.Contains(errs, "line 70000 left out") || !strings.Contains(out, "99999 rows") {
		t.Errorf("with --skip-bad: exit code %d, %q, %q", code, out, errs)
	}
}

func countDatasets(t *testing.T, f *folder) (n int) {
	t.Helper()
	if err := f.open(t).QueryRowContext(t.Context(), "SELECT COUNT(*) FROM datasets").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// writeBadFile writes a file of n rows after its header, with a word on one line of the file.
func writeBadFile(t *testing.T, path string, n, line int) {
	t.Helper()
	var b bytes.Buffer
	b.WriteString("a,b,y\n")
	for i := 2; i <= n+1; i++ {
		if i == line {
			b.WriteString("1.5,oops,1\n")
		} else {
			fmt.Fprintf(&b, "%d.25,%d,%d\n", i%7, i%11, i%2)
		}
	}
	if err := os.WriteFile(path, b.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

type sampleRow struct {
	values []float64
	class  string
}

func readSample(t *testing.T, path string) (names []string, rows []sampleRow) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		cells := strings.Split(line, ",")
		last := len(cells) - 1
		if i == 0 {
			names = cells[:last]
			continue
		}
		row := sampleRow{class: cells[last]}
		for _, cell := range cells[:last] {
			var v float64
			if _, err := fmt.Sscan(cell, &v); err != nil {
				t.Fatal(err)
			}
			row.values = append(row.values, v)
		}
		rows = append(rows, row)
	}
	return names, rows
}

// TestALockedDatabaseOnlyDelays holds the write lock from another process's connection for 3 s.
func TestALockedDatabaseOnlyDelays(t *testing.T) {
	t.Parallel()
	f := newFolder(t)
	p := startUp(t, f)
	ready(t, p.url)
	client := login(t, p.url, "testuser", "test123")

	conn, err := f.open(t).Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	locked := time.Now()
	time.AfterFunc(3*time.Second, func() {
		_, _ = conn.ExecContext(context.WithoutCancel(t.Context()), "ROLLBACK")
		_ = conn.Close()
	})
	answer, err := client.Predict(t.Context(), []float64{1, 1})
	if err != nil {
		t.Fatalf("predict on a database locked for 3 s: %v", err)
	}
	if waited := time.Since(locked); waited < 2900*time.Millisecond {
		t.Errorf("answered after %s, while the row could not be committed", waited)
	}
	f.hasAll(t, []string{answer.PredictionID})
}
