//go:build integration

package e2e

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// prefectPages does by mouse what operators do.
func prefectPages(t *testing.T, s *scheduled) {
	b := newBrowser(t)
	site := strings.TrimSuffix(*prefectURL, "/api")
	page := site + "/deployments/deployment/" + deployment(t)
	b.pauseAndResume(t, page)
	id := b.customRun(t, page)
	b.openRun(t, site, id)
	b.cancelRun(t, s, site)
	b.open(site + "/work-pools/work-pool/ia-continu")
	b.click("*", "^Workers$", b.leadsTo("*", "^flow-"))
	b.shot("prefect-pool")
	b.look(site+"/runs", "a", "^retrain-", "prefect-runs")
}

// look opens a page, waits for what it shows and keeps a picture.
func (b *browser) look(url, selector, pattern, picture string) {
	b.t.Helper()
	b.open(url)
	b.see(selector, pattern)
	b.shot(picture)
}

const (
	switchOn  = `[role=switch][aria-checked=true]`
	switchOff = `[role=switch][aria-checked=false]`
)

func (b *browser) pauseAndResume(t *testing.T, page string) {
	t.Helper()
	active := func() bool {
		var d struct {
			Schedules []struct {
				Active bool `json:"active"`
			} `json:"schedules"`
			Paused bool `json:"paused"`
		}
		call(t, http.MethodGet, *prefectURL+"/deployments/"+deployment(t), nil, &d)
		return !d.Paused && len(d.Schedules) == 1 && d.Schedules[0].Active
	}
	b.look(page, "a", "^periodic_check$", "prefect-deployment")
	b.click(switchOn, "", func() bool { return !active() })
	b.see(switchOff, "")
	eventually(t, "nothing is scheduled, and nothing goes on", func() bool {
		return len(flowRuns(t, "periodic_check", "Scheduled", "Late", "Pending", "Running")) == 0
	})
	b.shot("prefect-deployment-paused")
	before := flowRuns(t, "periodic_check", "Completed")
	// What would be scheduled if there were no pause is scheduled again within the server's loop; an
	// interval without a check is longer than a check takes.
	if within(6*time.Second, func() bool { return len(flowRuns(t, "periodic_check", "Completed")) > len(before) }) {
		t.Error("a check was made in the pause")
	}
	b.click(switchOff, "", active)
	eventually(t, "checks go on", func() bool { return len(flowRuns(t, "periodic_check", "Completed")) > len(before) })
}

// customRun fills the form in and gives the id of the run that was made.
func (b *browser) customRun(t *testing.T, page string) (id string) {
	t.Helper()
	b.open(page)
	b.click("button", "^Run$", b.leadsTo("*", "^Custom run$"))
	b.click("a, button, [role=menuitem]", "^Custom run$", b.leadsTo("button", "^Submit$"))
	b.shot("prefect-custom-run")
	const number = "input[type=number]"
	b.click(number, "", func() bool { return js[bool](b, "document.activeElement === "+find(number, "")) })
	if _, err := do(b, chromedp.KeyEvent("0.25")); err != nil {
		t.Fatal(err)
	}
	b.click(switchOff, "", b.leadsTo(switchOn, ""))
	b.shot("prefect-custom-run-filled")
	b.click("button", "^Submit$", func() bool {
		for _, r := range flowRuns(t, "periodic_check", "Scheduled", "Pending", "Running", "Completed") {
			if r.Parameters["force"] == true && r.Parameters["threshold"] == 0.25 {
				id = r.ID
			}
		}
		return id != ""
	})
	comesTo(t, id, "Completed")
	return id
}

func (b *browser) openRun(t *testing.T, site, id string) {
	t.Helper()
	taskComesTo(t, id, "notify", "Completed")
	b.open(site + "/runs/flow-run/" + id)
	b.see("*", "^Completed$")
	b.see("canvas", "")       // the graph
	b.see("*", "predictions") // a line of the log
	b.shot("prefect-run")
	b.click("*", "^Artifacts$", b.leadsTo("*", "check-report"))
	b.shot("prefect-run-artifacts")
	b.click("*", "^Task Runs$", b.leadsTo("a", "^notify$"))
	b.shot("prefect-run-tasks")
	b.click("*", "^Subflow Runs$", b.leadsTo("a", "^retrain-"))
	b.click("a", "^retrain-", b.leadsTo("*", "^Parent Run"))
	b.see("*", "holdout")
	b.shot("prefect-retrain")
}

// cancelRun cancels a check that waits for a retraining.
func (b *browser) cancelRun(t *testing.T, s *scheduled, site string) {
	t.Helper()
	defer s.holdAlone(t)()
	id := askForCheck(t, object{"force": true})
	taskComesTo(t, id, "trigger_retrain", "Running")
	b.open(site + "/runs/flow-run/" + id)
	b.see("canvas", "")
	b.see("*", "operator asked") // the last line of the log
	b.shot("prefect-run-running")
	b.click("button", "^Cancel", b.leadsTo("button", "^Confirm$"))
	b.shot("prefect-run-cancel")
	b.click("button", "^Confirm$", func() bool {
		return slices.ContainsFunc(flowRuns(t, "periodic_check", "Cancelling", "Cancelled"), func(r runState) bool { return r.ID == id })
	})
	comesTo(t, id, "Cancelled")
	taskComesTo(t, id, "trigger_retrain", "Cancelled")
	b.see("*", "^Cancelled$")
	b.shot("prefect-run-cancelled")
}
