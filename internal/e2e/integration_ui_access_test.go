//go:build integration

package e2e

import (
	"fmt"
	"strings"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"iacontinu/internal/api"
)

// press presses keys one after the other.
func (s *site) press(keys ...string) {
	s.t.Helper()
	for _, key := range keys {
		if _, err := do(s.browser, chromedp.KeyEvent(key)); err != nil {
			s.t.Fatalf("press %q: %v", key, err)
		}
	}
}

// focus is what the keyboard is at: its words.
func (s *site) focus() string {
	return js[string](s.browser, `(e => (e.getAttribute('aria-label') || e.textContent || e.name || e.tagName).trim())(document.activeElement)`)
}

// keys: a page can be used without a mouse, and who does so sees where they are.
func (s *site) keys() {
	s.open(s.url + "/predict")
	s.press(kb.Tab)
	if s.focus() != "Skip to the content" || !s.sees(".skip:focus-visible", "") {
		s.t.Errorf("the first key leads to %q, want the way past the navigation, in sight", s.focus())
	}
	s.press(kb.Enter, kb.Tab)
	if at := js[string](s.browser, "document.activeElement.name"); at != "f.feature1" {
		s.t.Errorf("behind the navigation comes %q, want the first field", at)
	}
	s.press("1", kb.Tab, "2", kb.Tab)
	if outlined := js[bool](s.browser, "document.activeElement.matches('button:focus-visible') && getComputedStyle(document.activeElement).outlineStyle !== 'none'"); !outlined || s.focus() != "Predict" {
		s.t.Errorf("behind the fields comes %q, want the button, outlined", s.focus())
	}
	s.press(kb.Enter)
	s.see(".huge", "^[01]$")
}

// asks: a question takes the keyboard in, lets it go by Escape and gives it back to the button that asked.
func (s *site) asks() {
	for _, d := range []struct{ path, button, question string }{
		{"/models", "^Activate v", "^Let this version answer"},
		{"/models", "^Go back to the version before$", "^Go back"},
	} {
		s.open(s.url + d.path)
		s.see("button", d.button)
		js[bool](s.browser, fmt.Sprintf("(e => { e.focus(); return true; })(%s)", find("button", d.button)))
		asked := s.focus()
		s.press(kb.Enter)
		s.see(".dialog h2", d.question)
		inside := "!!document.activeElement.closest('.dialog:popover-open')"
		if !js[bool](s.browser, inside) {
			s.t.Errorf("%s: the keyboard is at %q, want it in the question", d.button, s.focus())
		}
		s.examine("asked " + d.button)
		s.shot("ui-asked-" + strings.Trim(strings.ToLower(strings.Fields(d.button)[0]), "^"))
		versions := len(s.versions())
		if _, err := login(s.t, s.api, "admin", "admin123").Retrain(s.t.Context(), api.RetrainRequest{}, true); err != nil {
			s.t.Fatal(err)
		}
		s.await("the list has news", func() bool { return js[bool](s.browser, "waiting.has('models-list')") })
		if !s.sees(".dialog h2", d.question) {
			s.t.Errorf("%s: news take the question away", d.button)
		}
		s.press(kb.Escape)
		s.await("the question is gone, and the news are shown", func() bool {
			return !s.sees(".dialog h2", d.question) && len(s.versions()) == versions+1
		})
		if s.focus() != asked {
			s.t.Errorf("%s: afterwards the keyboard is at %q, want the button", d.button, s.focus())
		}
	}
}

// versions are those that the page lists.
func (s *site) versions() []string {
	return js[[]string](s.browser, "[...document.querySelectorAll('#models-list tbody th')].map(e => e.textContent)")
}

// french: every page is in the language that is chosen, but for what another program says.
func (s *site) french(paths ...string) {
	s.open(s.url + "/")
	s.click("button", "^FR$", s.leadsTo("h1", "^Vue d’ensemble$"))
	for _, path := range paths {
		s.pictures("french", path, "light")
		if odd := js[[]string](s.browser, "[...document.querySelectorAll('main [lang=en]')].map(e => e.textContent)"); len(odd) > 0 {
			s.t.Errorf("%s says in English: %s", path, strings.Join(odd, "; "))
		}
	}
	s.reset()
	s.open(s.url + "/predict")
	s.fill("input[name='f.feature1']", "99")
	s.fill("input[name='f.feature2']", "0,5")
	s.click("button", "^Prédire$", s.leadsTo(".answer .notice", "le modèle n’a pas vu"))
	s.shot("ui-french-answer")
	s.open(s.url + "/models")
	s.click("button", "^Activer v", s.leadsTo("h2", "^Faire répondre cette version"))
	s.examine("french question")
	s.click("button", "^EN$", s.leadsTo("h1", "^Models$"))
}
