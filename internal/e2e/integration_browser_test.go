//go:build integration

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
)

// A page is shown within shown; a click that led to nothing by again is made again, for pages swallow
// clicks while they are being built.
const (
	shown = 30 * time.Second
	again = 3 * time.Second
)

// browser is a page in a headless Chromium of its own.
type browser struct {
	t   *testing.T
	ctx context.Context
}

func newBrowser(t *testing.T) *browser {
	t.Helper()
	path, err := exec.LookPath("chromium")
	if err != nil {
		t.Fatal("Chromium is needed (Debian: apt-get install chromium)")
	}
	options := []chromedp.ExecAllocatorOption{
		chromedp.ExecPath(path), chromedp.UserDataDir(t.TempDir()), chromedp.WindowSize(1800, 1200), chromedp.Headless, chromedp.NoSandbox,
		chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
	}
	for _, flag := range []string{"disable-quic", "disable-background-networking", "disable-component-update", "disable-sync", "hide-scrollbars"} {
		options = append(options, chromedp.Flag(flag, true))
	}
	allocated, free := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocated)
	b := &browser{t: t, ctx: ctx}
	t.Cleanup(func() {
		if t.Failed() {
			b.shot("failed-" + filepath.Base(t.Name()))
		}
		stop()
		free()
	})
	if err := chromedp.Do(ctx, chromedp.Navigate("about:blank")); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return b
}

// do does something within the time that a page may take.
func do[T any](b *browser, action chromedp.Action[T]) (T, error) {
	ctx, cancel := context.WithTimeout(b.ctx, shown)
	defer cancel()
	return chromedp.Run(ctx, action)
}

// js gives the value of an expression, the zero value while the page changes.
func js[T any](b *browser, expression string) (value T) {
	value, _ = do(b, chromedp.Evaluate[T](expression))
	return value
}

func (b *browser) open(url string) {
	b.t.Helper()
	if _, err := do(b, chromedp.Navigate(url)); err != nil {
		b.t.Fatalf("open %s: %v", url, err)
	}
}

// find is JavaScript that gives the last visible element of a CSS selector whose text, name for screen
// readers or placeholder matches a pattern; the last, since dialogs come after what they cover.
func find(selector, pattern string) string {
	css, _ := json.Marshal(selector) // a string can't fail
	re, _ := json.Marshal(pattern)
	return fmt.Sprintf(`((css, re) => [...document.querySelectorAll(css)].filter(e => {
		const box = e.getBoundingClientRect(), words = [e.textContent, e.getAttribute('aria-label'), e.title, e.placeholder];
		return box.width && box.height && getComputedStyle(e).visibility !== 'hidden' &&
			words.some(w => w !== null && w !== undefined && re.test(w.trim()));
	}).pop())(%s, new RegExp(%s, 's'))`, css, re)
}

// sees tells whether the page shows such an element now.
func (b *browser) sees(selector, pattern string) bool {
	return js[bool](b, "!!"+find(selector, pattern))
}

// see waits until the page shows such an element.
func (b *browser) see(selector, pattern string) {
	b.t.Helper()
	b.await(fmt.Sprintf("%s with %q is shown", selector, pattern), func() bool { return b.sees(selector, pattern) })
}

func (b *browser) await(what string, yes func() bool) {
	b.t.Helper()
	if !within(shown, yes) {
		b.t.Fatalf("not within %s: %s\nthe page: %s", shown, what, b.text())
	}
}

// text is what the page says.
func (b *browser) text() string {
	return js[string](b, "location.href + '\\n' + document.body.innerText")
}

// click clicks such an element with the mouse until done.
func (b *browser) click(selector, pattern string, done func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(shown)
	b.see(selector, pattern)
	for {
		// What was clicked on may be gone long before a slow page shows what comes of it.
		at := js[[]float64](b, fmt.Sprintf(`(e => {
			if (!e) return null;
			e.scrollIntoView({block: 'center'});
			const box = e.getBoundingClientRect();
			return [box.x + box.width / 2, box.y + box.height / 2];
		})(%s)`, find(selector, pattern)))
		if len(at) == 2 {
			_, _ = do(b, chromedp.MouseClickXY(at[0], at[1])) // whether it worked is seen by what it leads to
		}
		if within(again, done) {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("a click on %s with %q led to nothing\nthe page: %s", selector, pattern, b.text())
		}
	}
}

// leadsTo is a click's end: the page shows such an element.
func (b *browser) leadsTo(selector, pattern string) func() bool {
	return func() bool { return b.sees(selector, pattern) }
}

// shot keeps a picture of the page once it has come to rest, or still moves after a while: nothing else
// tells whether a graph is drawn.
func (b *browser) shot(name string) {
	b.t.Helper()
	var picture []byte
	var err error
	within(again, func() bool {
		before := picture
		picture, err = do(b, chromedp.CaptureScreenshot())
		return err != nil || bytes.Equal(before, picture)
	})
	if err == nil {
		err = os.WriteFile(filepath.Join(*screenshots, name+".png"), picture, 0o600)
	}
	if err != nil {
		b.t.Errorf("picture %s: %v", name, err)
	}
}

// watch fails the test for what a page complains of, and for what it asks of others than its own server.
func (b *browser) watch(origin string) {
	b.t.Helper()
	if _, err := do(b, chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, network.Enable, network.EnableParams{})
		return err
	})); err != nil {
		b.t.Fatal(err)
	}
	err := chromedp.Listen(b.ctx, func(event any) {
		switch e := event.(type) {
		case *runtime.EventExceptionThrown:
			b.t.Errorf("the page threw: %s %v", e.ExceptionDetails.Text, e.ExceptionDetails.Exception)
		case *log.EventEntryAdded:
			// What a form is answered with is told by its page.
			if e.Entry.Level == log.EntryLevelError && e.Entry.Source != log.EntrySourceNetwork {
				b.t.Errorf("the page complains: %s", e.Entry.Text)
			}
		case *network.EventRequestWillBeSent:
			if to := e.Request.URL; !strings.HasPrefix(to, origin) && !strings.HasPrefix(to, "data:") && !strings.HasPrefix(to, "about:") {
				b.t.Errorf("the page asks %s", to)
			}
		}
	})
	if err != nil {
		b.t.Fatal(err)
	}
}
