//go:build integration

package e2e

import "testing"

// mlflowPages goes the way of somebody who looks for the newest run.
func mlflowPages(t *testing.T, w *tracking) {
	b := newBrowser(t)
	newest := w.told[len(w.told)-1]
	b.open(*mlflowURL + "/#/experiments")
	// Which of its two views MLflow opens is kept in the browser, whatever the experiment's tag says.
	b.click("*", "^Model training$", func() bool { return true })
	b.click("a", "^"+experiment+"$", b.leadsTo("a", "^"+newest))
	b.shot("mlflow-runs")
	b.click("a", "^"+newest, b.leadsTo("*", "^Artifacts$"))
	b.see("*", "^roc_auc$")
	b.shot("mlflow-run")
	b.click("*", "^Artifacts$", b.leadsTo("*", "^plots$"))
	b.click("*", "^plots$", b.leadsTo("*", "^roc.png$"))
	b.click("*", "^roc.png$", b.leadsTo("*", "^plots/roc.png"))
	b.await("the plot is shown", func() bool { return js[bool](b, "[...document.images].some(i => i.naturalWidth > 300)") })
	b.shot("mlflow-run-plot")
	b.open(*mlflowURL + "/#/models/" + registered)
	b.see("*", `^@\s*champion$`)
	b.shot("mlflow-model")
	b.click("a", "^Version 1$", b.leadsTo("*", "^Schema$"))
	b.shot("mlflow-version")
}
