// Command pages measures the web pages on a folder with much in it: 100,000 logged predictions and 5,000
// things that happened within a day. For each page it asks in turn, many times over, and prints the time
// to the first byte, which is the server's as good as all, and how much a browser loads for it.
package main

import (
	"context"
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	_ "github.com/mattn/go-sqlite3"

	"iacontinu/bench/harness"
)

const (
	predictions = 100_000
	happenings  = 5_000
	goalByte    = 20 * time.Millisecond  // to the first byte of any page
	goalView    = 100 * time.Millisecond // of the overview with all that
)

var paths = []string{"/login", "/", "/predict", "/data", "/drift", "/models", "/monitoring", "/admin"}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "pages:", err)
		stop()
		os.Exit(1)
	}
}

func run(ctx context.Context) (err error) {
	root, err := harness.Root()
	if err != nil {
		return err
	}
	rounds := flag.Int("rounds", 50, "times that each page is asked for")
	pause := flag.Duration("pause", 30*time.Millisecond, "between two requests; the API keeps some answers for a second, and a reader does not come back sooner")
	bin := flag.String("bin", filepath.Join(root, "bin"), "folder of the platform's binaries")
	flag.Parse()
	dir, err := os.MkdirTemp("", "bench-pages-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	server, site, err := prepare(ctx, *bin, dir)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	visitor, err := enter(ctx, site)
	if err != nil {
		return err
	}
	found := map[string]*figures{}
	for _, path := range paths {
		found[path] = &figures{}
	}
	for range *rounds {
		for _, path := range paths {
			if err := visitor.look(ctx, path, found[path]); err != nil {
				return err
			}
			time.Sleep(*pause)
		}
	}
	for _, path := range paths {
		if found[path].assets, err = visitor.assets(ctx, found[path].html); err != nil {
			return err
		}
	}
	return report(found, *rounds)
}

// prepare fills a folder and serves it.
func prepare(ctx context.Context, bin, dir string) (_ *harness.Server, site string, err error) {
	port, err := harness.FreePort(ctx)
	if err != nil {
		return nil, "", err
	}
	env := []string{"DRIFT_DETECTOR=statistical", "MONITORING_INTERVAL=87600h", "UI_PORT=" + strconv.Itoa(port)}
	server, err := harness.StartUp(ctx, bin, dir, env...)
	if err != nil {
		return nil, "", err
	}
	if err := errors.Join(predict(ctx, server.Base), server.Stop(), seed(ctx, harness.Database(dir))); err != nil {
		return nil, "", err
	}
	server, err = harness.StartUp(ctx, bin, dir, env...)
	return server, "http://127.0.0.1:" + strconv.Itoa(port), err
}

func predict(ctx context.Context, base string) error {
	token, err := harness.Login(ctx, base)
	if err != nil {
		return err
	}
	const batch = 1000
	for done := 0; done < predictions; done += batch {
		rows := make([][]float64, batch)
		for i := range rows {
			rows[i] = []float64{float64(i%40)/10 - 2, float64(i%70)/20 - 1.75}
		}
		if err := harness.Post(ctx, base+"/predict/batch", token, map[string]any{"instances": rows}, &struct{}{}); err != nil {
			return err
		}
	}
	return nil
}

// seed writes a day in which much happened: drift, and now and then a version that was trained and served.
func seed(ctx context.Context, database string) (err error) {
	db, err := sql.Open("sqlite3", database)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // nothing after a commit
	var version string
	if err := tx.QueryRowContext(ctx, "SELECT version FROM models LIMIT 1").Scan(&version); err != nil {
		return err
	}
	const (
		details = `{"scores":[{"feature":"feature1","ks":0.31,"p_value":0.0001,"psi":0.4,"drift":true},{"feature":"feature2","ks":0.02,"p_value":0.9,"psi":0.01,"drift":false}],"rows":2000,"duration_seconds":0.05}`
		every   = 10 // checks a training; a check makes one happening, a training three
	)
	began := time.Now().Add(-24 * time.Hour)
	checks := happenings * every / (every + 3)
	for i := range checks {
		at := began.Add(time.Duration(i) * 24 * time.Hour / time.Duration(checks)).UTC().Format("2006-01-02 15:04:05")
		statements := []string{"INSERT INTO drift_detections (model_version, detection_method, trigger_value, threshold, action_taken, details, created_at, drift) VALUES (?1, 'statistical', 0.0001, 0.001, 'cooldown', '" + details + "', ?2, 1)"}
		if i%every == 0 {
			statements = append(statements,
				"INSERT INTO model_training_logs (model_version, trigger_reason, training_samples, accuracy_before, accuracy_after, training_duration_seconds, created_at, verdict) VALUES (?1, 'drift', 800, 0.9, 0.91, 0.05, ?2, 'activated')",
				"INSERT INTO activations (version, action, actor, created_at) VALUES (?1, 'activate', 'bench', ?2)")
		}
		for _, s := range statements {
			if _, err := tx.ExecContext(ctx, s, version, at); err != nil {
				return err
			}
		}
	}
	return tx.Commit()
}

// visitor is a browser without eyes.
type visitor struct {
	site   string
	client *http.Client
}

func enter(ctx context.Context, site string) (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visitor{site: site, client: &http.Client{Jar: jar}}
	form := url.Values{"username": {"admin"}, "password": {"admin123"}, "back": {"/"}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, site+"/login", strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := v.client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.Request.URL.Path != "/" {
		return nil, fmt.Errorf("login: %s at %s", resp.Status, resp.Request.URL)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	return v, err
}

// figures are what came of a page.
type figures struct {
	first  []float64 // ms to the first byte
	html   []byte
	assets int
}

func (v *visitor) look(ctx context.Context, path string, f *figures) error {
	began := time.Now()
	resp, err := v.get(ctx, path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	f.first = append(f.first, float64(time.Since(began))/float64(time.Millisecond))
	f.html, err = io.ReadAll(resp.Body)
	return err
}

func (v *visitor) get(ctx context.Context, path string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, v.site+path, nil)
	if err != nil {
		return nil, err
	}
	resp, err := v.client.Do(req)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = errors.Join(fmt.Errorf("GET %s: %s", path, resp.Status), resp.Body.Close())
	}
	return resp, err
}

var asset = regexp.MustCompile(`(?:href|src)="(/static/[^"]+)"`)

// assets is the weight of what a page names, which a browser loads once.
func (v *visitor) assets(ctx context.Context, html []byte) (sum int, err error) {
	seen := map[string]bool{}
	for _, found := range asset.FindAllSubmatch(html, -1) {
		path := string(found[1])
		if seen[path] {
			continue
		}
		seen[path] = true
		resp, err := v.get(ctx, path)
		if err != nil {
			return 0, err
		}
		n, err := io.Copy(io.Discard, resp.Body)
		if err = errors.Join(err, resp.Body.Close()); err != nil {
			return 0, err
		}
		sum += int(n)
	}
	return sum, nil
}

func report(found map[string]*figures, rounds int) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 4, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(w, "page\tfirst byte, median\t95 %%\tpage\twith style and script\t\n")
	for _, path := range paths {
		f := found[path]
		slices.Sort(f.first)
		fmt.Fprintf(w, "%s\t%.1f ms\t%.1f ms\t%.0f kB\t%.0f kB\t\n", path, harness.Median(f.first), f.first[len(f.first)*95/100],
			float64(len(f.html))/1e3, float64(len(f.html)+f.assets)/1e3)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Printf("%d predictions, %d happenings, %d requests a page; goals: %v to the first byte, the overview %v, 150 kB a page without what charts need, 300 kB with\n",
		predictions, happenings, rounds, goalByte, goalView)
	return nil
}
