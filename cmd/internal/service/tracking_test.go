package service

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"iacontinu/internal/ml"
	"iacontinu/internal/mlflow/mlflowtest"
	"iacontinu/internal/wording"
)

// What waits and what was refused is said in the words of each language.
func TestWhatAServiceIsOwedIsSaidInEachLanguage(t *testing.T) {
	t.Parallel()
	hourAgo := time.Now().Add(-time.Hour)
	for _, c := range []struct {
		b       ml.Backlog
		refused int64
		status  string
		en, fr  string
	}{
		{status: stateOK},
		{
			b: ml.Backlog{Waiting: 1, Oldest: hourAgo}, status: stateOK,
			en: "1 delivery has waited for 1h", fr: "1 envoi attend depuis 1\u00a0h",
		},
		{
			b: ml.Backlog{Waiting: 2, Oldest: hourAgo, Error: "http://secret.example: no"}, refused: 3, status: stateWarning,
			en: "2 deliveries wait, the oldest for 1h; the last try failed, the worker's log says why; " +
				"3 deliveries were refused for good in the last 24 hours and dropped, the audit log says why",
			fr: "2 envois attendent, le plus ancien depuis 1\u00a0h; le dernier essai a échoué, le journal du worker dit pourquoi; " +
				"3 envois refusés définitivement et abandonnés ces dernières 24 heures, le journal d’audit dit pourquoi",
		},
	} {
		check := toldCheck(c.b, c.refused)
		french, _ := wording.Joined(wording.In("fr"), check.Remarks)
		if check.Status != c.status || check.Detail != c.en || french != c.fr || (check.At != nil) != (c.b.Waiting > 0) {
			t.Errorf("%+v; in French %q", check, french)
		}
	}
}

// A service that is not set any more says what is left for it.
func TestWhatIsLeftForAServiceIsTold(t *testing.T) {
	t.Parallel()
	_, p := tracked(t, 1, mlflowtest.New())
	for range 2 {
		if err := p.owe(t.Context(), ml.ServiceMLflow, ml.DeliveryAliases, ml.Aliases{}); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Store.Subscribe(t.Context(), ml.ServiceMLflow, false); err != nil {
		t.Fatal(err)
	}
	check, ok := p.backlogCheck(t.Context(), ml.ServiceMLflow)
	french, _ := wording.Joined(wording.In("fr"), check.Remarks)
	if !ok || check.Status != stateOff || check.Detail != "2 deliveries are left from when it was set, and dropped after 30 days" ||
		french != "2 envois restent du temps où il était configuré, et seront abandonnés après 30 jours" {
		t.Errorf("%+v; in French %q", check, french)
	}
}

// The audit log says of each service in each language what it refused, and why.
func TestARefusalHasWords(t *testing.T) {
	t.Parallel()
	p := openPlatform(t, t.TempDir())
	for _, service := range ml.Services() {
		if err := p.Store.RefuseDelivery(t.Context(), ml.Delivery{Service: service, Kind: "run"}, "the name is long"); err != nil {
			t.Fatal(err)
		}
		entries, _, err := p.Store.AuditLog(t.Context(), ml.AuditFilter{EventType: service.RefusalEvent()}, 1)
		if err != nil || len(entries) != 1 {
			t.Fatalf("%+v, %v", entries, err)
		}
		values := map[string]any{}
		if err := json.Unmarshal([]byte(entries[0].Details), &values); err != nil {
			t.Fatal(err)
		}
		for _, code := range wording.Codes() {
			words, ok := wording.In(code).Sentence("log."+entries[0].EventType, values)
			if !ok || !strings.Contains(words, "(run)") || !strings.Contains(words, "the name is long") {
				t.Errorf("%s in %s: %q", entries[0].EventType, code, words)
			}
		}
	}
}
