package service

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/kuma"
	"iacontinu/internal/ml"
)

func TestKumaConfig(t *testing.T) {
	t.Parallel()
	var c KumaConfig
	err := boot.Load(&c, []string{
		"KUMA_PASSWORD=secret-1", "KUMA_PUSH_TOKEN=0123456789abcdef", "API_URL=http://app:8000/", "KUMA_RETRIES=2", "MONITORING_INTERVAL=60",
		"KUMA_WATCH=Platform/Worker=http://worker:8003/healthz,\n Services/Database = tcp://postgres:5432,",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []kuma.Monitor{
		{Group: "Platform", Name: "API", URL: "http://app:8000/health", JSONPath: "status", Expected: "ok", Interval: 30 * time.Second, Retries: 2},
		{Group: "Platform", Name: "Worker", URL: "http://worker:8003/healthz", Interval: 30 * time.Second, Retries: 2},
		{Group: "Services", Name: "Database", URL: "tcp://postgres:5432", Interval: 30 * time.Second, Retries: 2},
		{Group: "Platform", Name: "periodic_check", PushToken: "0123456789abcdef", Interval: 150 * time.Second, Retries: 1, RetryInterval: 2 * time.Minute},
	}
	if diff := cmp.Diff(want, c.monitors()); diff != "" {
		t.Error(diff)
	}
	c = KumaConfig{}
	if err := boot.Load(&c, []string{"KUMA_PASSWORD=secret-1", "API_PORT=8010"}); err != nil {
		t.Fatal(err)
	}
	if all := c.monitors(); len(all) != 1 || all[0].URL != "http://localhost:8010/health" {
		t.Errorf("by itself it watches %v, want the API of this machine", all)
	}
}

func TestKumaConfigErrors(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{
		"KUMA_PASSWORD=":                          "KUMA_PASSWORD: required",
		"KUMA_URL=kuma:3001":                      "KUMA_URL: is not",
		"KUMA_URL=http://me:hidden-1@kuma:3001":   "KUMA_URL: holds a user",
		"KUMA_INTERVAL=5":                         "KUMA_INTERVAL: 5s",
		"KUMA_RETRIES=-1":                         "KUMA_RETRIES: -1",
		"KUMA_PUSH_TOKEN=hidden-1 ":               "KUMA_PUSH_TOKEN: is not",
		"DISCORD_WEBHOOK_URL=hidden-1":            "DISCORD_WEBHOOK_URL: is not",
		"API_URL=app":                             "API_URL: ",
		"KUMA_WATCH=http://worker:8003":           "KUMA_WATCH: ",
		"KUMA_WATCH=Worker=http://worker:8003":    "KUMA_WATCH: ",
		"KUMA_WATCH=A/B=tcp://postgres":           "KUMA_WATCH: ",
		"KUMA_WATCH=A/B=http://b,C/B=http://b":    "taken twice",
		"KUMA_WATCH=A/API=http://b":               "taken twice",
		"KUMA_WATCH=A/periodic_check=http://b.de": "taken twice",
	} {
		var c KumaConfig
		err := boot.Load(&c, []string{"KUMA_PASSWORD=secret-1", setting})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", setting, err, want)
		} else if strings.Contains(err.Error(), "hidden-1") {
			t.Errorf("%s: the error tells a secret: %v", setting, err)
		}
	}
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	for want, r := range map[string]ml.DriftReport{
		"no drift, model v1":         {Action: ml.ActionNone, ModelVersion: "v1"},
		"health check failed":        {Action: ml.ActionHealthCheckFailed},
		"retrained, model v2":        {Action: ml.ActionRetrained, Drift: true, ModelVersion: "v2"},
		"retrain rejected, model v2": {Action: ml.ActionRetrainRejected, Drift: true, ModelVersion: "v2"},
	} {
		if got := heartbeat(r); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
