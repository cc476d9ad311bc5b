//go:build integration

package composetest

import (
	"encoding/base64"
	"fmt"
	"net/url"
	"testing"
)

type object = map[string]any

// checksInPrefect: the deployment is there without a click, and its runs end well.
func checksInPrefect(t *testing.T) {
	need(t, "prefect-server")
	eventually(t, "Prefect shows a check", func() error {
		var runs []struct{ Name string }
		err := ask(t, "POST", prefectURL+"/flow_runs/filter", object{
			"flows":     object{"name": object{"any_": []string{"periodic_check"}}},
			"flow_runs": object{"state": object{"type": object{"any_": []string{"COMPLETED"}}}, "deployment_id": object{"is_null_": false}},
		}, &runs)
		if err == nil && len(runs) == 0 {
			err = fmt.Errorf("no run of periodic_check has completed")
		}
		return err
	})
}

// championInMLflow: the version that serves is the champion there, and its run has ended well.
func championInMLflow(t *testing.T) {
	need(t, "mlflow-server")
	client := admin(t)
	eventually(t, "MLflow has the champion", func() error {
		active, err := client.ModelInfo(t.Context())
		if err != nil {
			return err
		}
		var alias struct {
			Version struct {
				RunID string `json:"run_id"`
				Tags  []struct{ Key, Value string }
			} `json:"model_version"`
		}
		if err := ask(t, "GET", mlflowURL+"/registered-models/alias?name=ia_continu_logistic_regression&alias=champion", nil, &alias); err != nil {
			return err
		}
		champion := ""
		for _, tag := range alias.Version.Tags {
			if tag.Key == "iacontinu.version" {
				champion = tag.Value
			}
		}
		var answer struct {
			Run struct{ Info struct{ Status string } }
		}
		if err := ask(t, "GET", mlflowURL+"/runs/get?run_id="+url.QueryEscape(alias.Version.RunID), nil, &answer); err != nil {
			return err
		}
		if serves := *active.ModelVersion; champion != serves || answer.Run.Info.Status != "FINISHED" {
			return fmt.Errorf("the champion is %s, its run %s, and %s serves", champion, answer.Run.Info.Status, serves)
		}
		return nil
	})
}

// monitorsInKuma reads the status page, which everybody may.
func monitorsInKuma(t *testing.T) {
	need(t, "uptime-kuma")
	running := services(t)
	eventually(t, "Uptime Kuma sees everything up", func() error {
		var page struct {
			Groups []struct {
				Monitors []struct {
					ID   int
					Name string
				} `json:"monitorList"`
			} `json:"publicGroupList"`
		}
		if err := ask(t, "GET", kumaURL+"/api/status-page/ia-continu", nil, &page); err != nil {
			return err
		}
		var beats struct {
			Last map[string][]struct{ Status int } `json:"heartbeatList"`
		}
		if err := ask(t, "GET", kumaURL+"/api/status-page/heartbeat/ia-continu", nil, &beats); err != nil {
			return err
		}
		seen := 0
		for _, group := range page.Groups {
			for _, m := range group.Monitors {
				last := beats.Last[fmt.Sprint(m.ID)]
				if len(last) == 0 || last[len(last)-1].Status != 1 {
					return fmt.Errorf("%s: %v", m.Name, last)
				}
				seen++
			}
		}
		if want := len(running) - 1; seen != want { // all but itself and Prefect's database, and the checks
			return fmt.Errorf("%d monitors of %d", seen, want)
		}
		return nil
	})
}

// whatGrafanaMounts is what the stand-in read at its start; it shows nothing.
func whatGrafanaMounts(t *testing.T) {
	need(t, "grafana")
	var found []object
	if err := ask(t, "GET", grafanaURL+"/api/datasources", nil, &found); err == nil {
		t.Error("Grafana lets everybody in")
	}
	login := "Basic " + base64.StdEncoding.EncodeToString([]byte("admin:"+secret(t, "grafana_admin_password")))
	for path, least := range map[string]int{"/api/datasources": 3, "/api/search?type=dash-db": 6} {
		if err := ask(t, "GET", grafanaURL+path, nil, &found, "Authorization", login); err != nil || len(found) < least {
			t.Errorf("%s: %d, %v", path, len(found), err)
		}
	}
}
