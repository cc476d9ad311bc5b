//go:build integration

package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

	"iacontinu/internal/api"
)

var axeScript = flag.String("axe", "", "axe-core, which examines pages: axe.min.js")

// needBrowser skips a test of pages where nobody has asked for it.
func needBrowser(t *testing.T) {
	t.Helper()
	if *axeScript == "" || *screenshots == "" {
		t.Skip("needs a browser and axe-core: make e2e has them")
	}
}

// site is the web pages with a browser in front of them, which must not complain and ask nobody else.
type site struct {
	*browser
	url string
	api string
}

// openSite starts the whole platform, with checks that measure every second.
func openSite(t *testing.T) *site {
	t.Helper()
	f := newFolder(t, "MONITORING_INTERVAL=1", "RETRAIN_COOLDOWN=1h")
	line := f.start(t, nil, "iacontinu", "up").logged(t, "ready", nil)
	s := &site{browser: newBrowser(t), url: line["ui"].(string), api: line["url"].(string)}
	ready(t, s.api)
	s.watch(s.url)
	return s
}

// enter logs in by the form.
func (s *site) enter(username, password string) {
	s.t.Helper()
	s.open(s.url + "/login")
	s.fill("input[name=username]", username)
	s.fill("input[name=password]", password)
	s.click("button", "^Sign in$", s.leadsTo("h1, .notice", "^(Overview|This user name)"))
}

// fill types into a field what takes the place of what was there.
func (s *site) fill(selector, text string) {
	s.t.Helper()
	s.see(selector, "")
	js[bool](s.browser, fmt.Sprintf(`(e => { e.focus(); e.select && e.select(); return true; })(document.querySelector(%q))`, selector))
	if _, err := do(s.browser, chromedp.KeyEvent(text)); err != nil {
		s.t.Fatalf("type into %s: %v", selector, err)
	}
}

// predictions are made by a client, a standard deviation times so much to the right.
func predictions(t *testing.T, url string, n int, shift float64) {
	t.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	rows := make([][]float64, n)
	for i := range rows {
		rows[i] = []float64{random.NormFloat64() + shift, random.NormFloat64()}
	}
	if _, err := login(t, url, "admin", "admin123").PredictBatch(t.Context(), rows); err != nil {
		t.Fatal(err)
	}
}

// TestPages does on each page what a person comes for.
func TestPages(t *testing.T) {
	needBrowser(t)
	s := openSite(t)
	s.doors()
	s.predicts()
	s.feeds()
	s.trains()
	s.drifts()
	s.watches()
	s.looks("admin", "/", "/predict", "/data", "/drift", "/models", "/monitoring", "/admin")
	s.keys()
	s.french("/", "/predict", "/data?id=1", "/drift", "/models", "/monitoring", "/admin")
	s.asks()
	s.rules()
	s.viewer()
	s.ends()
}

// doors: no page without a login, and a wrong password is told.
func (s *site) doors() {
	s.livesIn(farZone)
	s.open(s.url + "/drift")
	s.see("h1", "^Sign in$")
	s.looks("door", "/login")
	s.click("button", "^FR$", s.leadsTo("h1", "^Connexion$"))
	s.pictures("french", "/login", "light")
	s.reset()
	s.click("button", "^EN$", s.leadsTo("h1", "^Sign in$"))
	s.enter("admin", "wrong")
	s.see(".notice", "do not belong together")
	s.enter("admin", "admin123")
	s.click("button", "^FR$", s.leadsTo("h1", "^Vue d’ensemble$"))
	s.click("button", "^EN$", s.leadsTo("h1", "^Overview$"))
	s.see(".hero h2", "The model serves")
}

func (s *site) predicts() {
	s.open(s.url + "/predict")
	s.see(".empty", "none yet")
	s.fill("input[name='f.feature1']", "a lot")
	s.fill("input[name='f.feature2']", "1")
	s.click("button", "^Predict$", s.leadsTo(".wrong", "Type a number"))
	s.fill("input[name='f.feature1']", "2,5")
	s.click("button", "^Predict$", s.leadsTo(".huge", "^1$"))
	s.see(".answer", "quite sure")
	s.see("#reasons .value", "^[+-]?[0-9.]+$")
	s.see("#boundary .dot", "")
	s.see("#boundary .key", "^Boundary$")
	s.see("#predict-recent td", "^2.5") // the live part
	s.fill("input[name='f.feature1']", "99")
	s.fill("input[name='f.feature2']", "1")
	s.click("button", "^Predict$", s.leadsTo(".answer .notice", "feature1 is 99: the model has not seen"))
	s.examine("predict with an answer")
	s.fill("textarea", "feature2;feature1\n0.1;-3\n0;3\n")
	s.click("button", "^Predict all$", s.leadsTo("#batch", "2 rows were answered"))
	s.fill("textarea", "1,2\n1,two\n")
	s.click("button", "^Predict all$", s.leadsTo(".notice", "Line 2: feature2 is not a number"))
	file := filepath.Join(s.t.TempDir(), "rows.csv")
	if err := os.WriteFile(file, []byte(strings.Repeat("1.5,0.2\n", 30)), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.open(s.url + "/predict")
	if _, err := do(s.browser, chromedp.SetUploadFiles("input[type=file]", []string{file})); err != nil {
		s.t.Fatal(err)
	}
	s.click("button", "^Predict all$", s.leadsTo("#batch", "30 rows were answered"))
}

// feeds makes rows, imports a file after a look at it, and deletes that again.
func (s *site) feeds() {
	s.open(s.url + "/data")
	s.see("#data-list th", "^1$")
	s.fill("input[name=samples]", "700")
	js[bool](s.browser, `document.querySelector('select[name=drift]').value = 'none'; true`) // left out, it follows the hour
	s.click("button", "^Generate$", s.leadsTo(".notice", "The rows were made"))
	s.see("#data-detail .balance", "700|rows")
	s.see("#data-detail .area", "")
	file := filepath.Join(s.t.TempDir(), "patients.csv")
	text := "age,dose,note,ill\n" + strings.Repeat("41.5,2,a,no\n63,1.25,b,yes\n", 40) + "old,1,c,no\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.chooses(file)
	s.see("#import-seen", "81 rows were looked at")
	s.see("#import-seen .notice", "Line 82")
	s.examine("data with a preview")
	if js[bool](s.browser, `document.querySelector('[name=skip_bad]').click(); document.querySelector('#import').form.checkValidity()`) {
		s.t.Error("an import that would be refused for its bad row can be sent")
	}
	js[bool](s.browser, `document.querySelector('[name=skip_bad]').click(); document.querySelector('select[name=target]').value = 'age'; true`)
	s.click("button", "^Import$", s.leadsTo(".notice", "None of the 81 rows can be used"))
	s.see("#import-seen .fine", "^Choose the file once more")
	s.chooses(file)
	s.await("the file is looked at again", func() bool { return !s.sees("#import-seen .fine:not(.unscripted)", "^Choose the file once more") })
	if kept := js[string](s.browser, `document.querySelector('select[name=target]').value`); kept != "age" {
		s.t.Errorf("the column to predict is %s after a refusal, not the chosen one", kept)
	}
	js[bool](s.browser, `document.querySelector('select[name=target]').value = 'ill'; document.querySelector('[name=ignore][value=note]').checked = true; true`)
	s.click("button", "^Import$", s.leadsTo(".notice", "80 rows were imported.*1 row can’t be used"))
	s.see("#data-detail h2", "patients.csv")
	s.click("button", "^Delete$", s.leadsTo("h2", "^Delete dataset"))
	s.click(".dialog button", "^Delete$", s.leadsTo(".notice", "The dataset was deleted"))
}

// chooses a file to import, which the page looks at.
func (s *site) chooses(file string) {
	s.t.Helper()
	if _, err := do(s.browser, chromedp.SetUploadFiles("#import", []string{file})); err != nil {
		s.t.Fatal(err)
	}
}

func (s *site) trains() {
	if _, err := login(s.t, s.api, "admin", "admin123").Generate(s.t.Context(), api.GenerateRequest{Samples: 20_000, Drift: "none"}); err != nil {
		s.t.Fatal(err)
	}
	s.open(s.url + "/models")
	s.click("button", "^Train now$", s.leadsTo(".job h2", "done$"))
	s.see(".verdict", "on [0-9,]+ rows it had not seen")
	s.see("h2", "^Side by side$")
	s.fill("input[name=threshold]", "10")
	s.click("button", "^Check$", s.leadsTo(".notice", "no training was needed"))
	active := func() string { return js[string](s.browser, `document.querySelector('.versus .mono').textContent`) }
	before := active()
	s.click("button", "^Activate", s.leadsTo("h2", "^Let this version answer"))
	s.click(".dialog button", "^Cancel$", func() bool { return !s.sees("h2", "^Let this version answer") })
	s.click("button", "^Activate", s.leadsTo("h2", "^Let this version answer"))
	s.click(".dialog button", "^Activate$", s.leadsTo(".notice", "The version serves now"))
	if active() == before {
		s.t.Error("the active version is the old one")
	}
	s.click("button", "^Go back to the version before$", s.leadsTo("h2", "^Go back"))
	s.click(".dialog button", "^Go back", s.leadsTo(".notice", "The version before serves again"))
	if active() != before {
		s.t.Errorf("%s serves after the way back, not %s", active(), before)
	}
}

// drifts: an open page tells of a drift by itself.
func (s *site) drifts() {
	predictions(s.t, s.api, 500, 0)
	s.open(s.url + "/drift")
	s.see(".hero h2", "^No drift$")
	s.see("td .pill", "^Alike$")
	s.see("#drift-compared .area", "")
	predictions(s.t, s.api, 2000, 2)
	s.see(".hero h2, td", "^Drift: ")
	s.open(s.url + "/")
	s.see(".timeline", "Drift was reported")
	s.see(".tile time[data-due]", "second|now")
	s.see(".plot", "")
	s.tellsLocalTime()
}

// farZone is one that no machine of ours is in, and whose hours are not those of UTC.
const farZone = "Asia/Kathmandu"

// livesIn takes the browser to a time zone.
func (s *site) livesIn(zone string) {
	s.t.Helper()
	if _, err := do(s.browser, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetTimezoneOverride, emulation.SetTimezoneOverrideParams{TimezoneID: zone})
		return err
	})); err != nil {
		s.t.Fatal(err)
	}
}

// tellsLocalTime: the latest check, which was made just now, is where the browser's clock is, on the chart as well.
func (s *site) tellsLocalTime() {
	s.t.Helper()
	tip := js[string](s.browser, "[...document.querySelectorAll('.cell')].pop().dataset.tip")
	told, _, _ := strings.Cut(tip, "\n")
	zone, err := time.LoadLocation(farZone)
	if err != nil {
		s.t.Fatal(err)
	}
	here := time.Now().In(zone)
	at, err := time.ParseInLocation("2 Jan, 15:04:05 2006", told+here.Format(" 2006"), zone)
	if err != nil || here.Sub(at).Abs() > 10*time.Minute {
		s.t.Errorf("the latest check is told as %q, and it is %s in %s", tip, here, farZone)
	}
}

// watches: services are asked for real, and figures held against their targets.
func (s *site) watches() {
	s.open(s.url + "/monitoring")
	s.see("#monitoring-services td", "[0-9] ms$")
	s.see("#monitoring-services .pill", "^Well$")
	s.see("#monitoring-figures td", "^Met$")
}

// rules: an administrator makes an account, bars it, finds that in the log, and makes a backup.
func (s *site) rules() {
	s.open(s.url + "/admin")
	s.click("summary", "^Make a new account$", func() bool { return s.sees("button", "^Make the account$") })
	s.fill("details input[name=username]", "paula")
	s.fill("input[name=email]", "paula@example.org")
	s.fill("input[name=password]", "long enough 1")
	s.click("button", "^Make the account$", s.leadsTo(".notice", "The account was made"))
	s.click("button", "^Bar paula$", s.leadsTo(".notice", "The account was changed"))
	s.see("button", "^Let in paula$")
	s.click("button", "^Back up now$", s.leadsTo(".notice", "The backup was made"))
	s.see("#admin-logs td", "")
	s.open(s.url + "/admin?user=nobody")
	s.see("#admin-logs", "No entries are like that")
}

// viewer: who is no administrator sees no button that would be refused.
func (s *site) viewer() {
	s.click("button", "^Sign out$", s.leadsTo("h1", "^Sign in$"))
	s.enter("testuser", "test123")
	s.open(s.url + "/models")
	s.see("h2", "^All versions$")
	if s.sees("button", "^(Activate|Go back)") {
		s.t.Error("a user sees a button for administrators")
	}
	if s.sees("nav a", "^Admin$") {
		s.t.Error("a user sees the way to the page for administrators")
	}
	s.open(s.url + "/nothing")
	s.see(".notice", "There is no page")
}

// ends: a session that ends while somebody types says so and takes nothing away, and otherwise leads to the login.
func (s *site) ends() {
	const field = "textarea[name=rows]"
	s.open(s.url + "/predict")
	s.fill(field, "1,2")
	if _, err := login(s.t, s.api, "admin", "admin123").ChangeUser(s.t.Context(), "testuser", api.AccessRequest{Role: "admin"}); err != nil {
		s.t.Fatal(err)
	}
	s.see("#ended", "Your session has ended. What you typed is still here")
	if typed := js[string](s.browser, fmt.Sprintf(`document.querySelector(%q).value`, field)); typed != "1,2" {
		s.t.Errorf("what was typed is now %q", typed)
	}
	s.open(s.url + "/drift")
	s.see(".notice", "Your session has ended")
}

// TestPagesWhileTheAPIIsAway: an open page says so, loses nothing and comes back by itself.
func TestPagesWhileTheAPIIsAway(t *testing.T) {
	needBrowser(t)
	address, port := freePort(t)
	f := newFolder(t, "API_PORT="+port, "API_URL="+address)
	server := f.start(t, nil, "api")
	s := &site{browser: newBrowser(t), api: server.url(t)}
	s.url = f.start(t, nil, "ui").url(t)
	s.enter("admin", "admin123")
	s.see(".hero h2", "no model yet")
	server.kill()
	s.see("#banner .notice", "does not answer")
	s.looks("away", "/", "/models")
	f.start(t, nil, "api").url(t)
	s.await("the page is back", func() bool { return !s.sees("#banner .notice", "") && s.sees("h2", "^All versions$") })
}

// looks keeps pictures of pages in both themes, for a desk and for a phone, and has each examined.
func (s *site) looks(prefix string, paths ...string) {
	s.t.Helper()
	for _, path := range paths {
		for _, theme := range []string{"light", "dark"} {
			s.pictures(prefix, path, theme)
		}
	}
	s.reset()
}

// pictures are one page's for a desk and for a phone.
func (s *site) pictures(prefix, path, theme string) {
	s.t.Helper()
	page, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "?")
	for _, width := range []int64{1440, 390} {
		s.picture(path, theme, width, fmt.Sprintf("%s-%s-%s-%d", prefix, cmp.Or(page, "overview"), theme, width))
	}
}

// reset takes the browser out of a phone's size.
func (s *site) reset() {
	s.t.Helper()
	if _, err := do(s.browser, chromedp.EmulateViewport(1440, 900)); err != nil {
		s.t.Error(err)
	}
}

func (s *site) picture(path, theme string, width int64, name string) {
	s.t.Helper()
	if _, err := do(s.browser, chromedp.EmulateViewport(width, 900)); err != nil {
		s.t.Fatal(err)
	}
	s.open(s.url + path)
	js[bool](s.browser, fmt.Sprintf("document.documentElement.dataset.theme = %q; true", theme))
	s.see("h1", "")
	picture, err := do(s.browser, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(filepath.Join(*screenshots, "ui-"+name+".png"), picture, 0o600)
	}
	if err != nil {
		s.t.Errorf("picture %s: %v", name, err)
	}
	if wide := js[int](s.browser, "document.documentElement.scrollWidth"); int64(wide) > width {
		s.t.Errorf("%s: %d pixels wide on a screen of %d", name, wide, width)
	}
	if js[bool](s.browser, "[...document.querySelectorAll('.scroll:has(> .matrix)')].some(e => e.scrollWidth > e.clientWidth)") {
		s.t.Errorf("%s: right and wrong answers are cut off", name)
	}
	s.examine(name)
}

// examine has axe-core look for what keeps people out.
func (s *site) examine(name string) {
	s.t.Helper()
	script, err := os.ReadFile(*axeScript)
	if err != nil {
		s.t.Fatal(err)
	}
	found, err := do(s.browser, chromedp.Evaluate[string](string(script)+`;
		axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']}).then(r => JSON.stringify(
			r.violations.map(v => ({id: v.id, help: v.help, nodes: v.nodes.slice(0, 3).map(n => n.html.slice(0, 160) + ' ' + (n.any[0]?.message || ''))}))))`, chromedp.EvalAwaitPromise))
	if err != nil {
		s.t.Fatalf("%s: axe-core: %v", name, err)
	}
	var violations []struct {
		ID, Help string
		Nodes    []string
	}
	if err := json.Unmarshal([]byte(found), &violations); err != nil {
		s.t.Fatal(err)
	}
	for _, v := range violations {
		s.t.Errorf("%s: %s: %s\n\t%s", name, v.ID, v.Help, strings.Join(v.Nodes, "\n\t"))
	}
}
