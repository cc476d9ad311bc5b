package presence_test

import (
	"strings"
	"testing"

	"iacontinu/internal/ml"
	"iacontinu/internal/presence"
)

func TestAloneShutsAllOthersOut(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	worker, id := startChild(t, dir, "")
	api, err := presence.Join(dir, "api")
	if err != nil {
		t.Fatalf("beside another: %v", err)
	}
	for _, want := range []string{id, api.ID()} {
		if _, err := presence.Alone(dir); ml.CodeOf(err) != ml.CodeConflict || !strings.Contains(err.Error(), want) {
			t.Errorf("beside %s: %v", want, err)
		}
	}
	kill(t, worker)
	if _, err := presence.Alone(dir); ml.CodeOf(err) != ml.CodeConflict {
		t.Errorf("beside the other: %v", err)
	}
	if err := api.Close(); err != nil {
		t.Fatal(err)
	}
	alone, err := presence.Alone(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := presence.Join(dir, "api"); ml.CodeOf(err) != ml.CodeConflict {
		t.Errorf("joined one who is alone: %v", err)
	}
	if _, err := presence.Alone(dir); ml.CodeOf(err) != ml.CodeConflict {
		t.Errorf("two are alone: %v", err)
	}
	if err := alone.Close(); err != nil {
		t.Fatal(err)
	}
	if api, err = presence.Join(dir, "api"); err != nil {
		t.Fatalf("after the other left: %v", err)
	}
	if err := api.Close(); err != nil {
		t.Fatal(err)
	}
}
