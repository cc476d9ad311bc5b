package kuma

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// recordedScene is one of the newest server's recordings.
func recordedScene(t *testing.T, title string) transcript {
	t.Helper()
	runs := readTranscript(t, recordingOf(recorded[len(recorded)-1]))
	for i, s := range scenes {
		if s.title == title {
			return runs[i]
		}
	}
	t.Fatalf("no scene %q", title)
	return nil
}

// TestKeyOfAnotherRun: of the keys that several runs made at once the newest is left.
func TestKeyOfAnotherRun(t *testing.T) {
	t.Parallel()
	const older, ours, newer = `{"id":2,"name":"prometheus"},`, `{"id":3,"name":"prometheus"},`, `{"id":4,"name":"prometheus"},`
	for title, keys := range map[string]string{
		"an older one": older + ours, "a newer one too": newer + older + ours, "a newer one, whose run has removed ours": older + newer,
	} {
		t.Run(title, func(t *testing.T) {
			t.Parallel()
			keyOfAnotherRun(t, keys)
		})
	}
}

// keyOfAnotherRun makes key 3 where 1 was there, and more keys are there by then.
func keyOfAnotherRun(t *testing.T, keys string) {
	t.Helper()
	both := strings.NewReplacer(
		`"keyID":2`, `"keyID":3`, `"uk2_secret"`, `"uk3_secret"`,
		`[{"id":1,"name":"prometheus"`, `[{"id":7,"name":"of somebody"},`+keys+`{"id":1,"name":"prometheus"`,
		`,{"id":2,"name":"prometheus","userID"`, `,{"id":0,"name":"of somebody","userID"`,
	)
	var lines transcript
	added := false
	for _, line := range recordedScene(t, "the key's file is lost") {
		switch {
		case strings.Contains(line, "addAPIKey"):
			added = true
		case strings.Contains(line, `> 424["deleteAPIKey",1]`):
			lines = append(lines, `> 424["deleteAPIKey",2]`, `< 434[{"ok":true}]`, `> 425["deleteAPIKey",1]`, `< 435[{"ok":true}]`)
			added = false
			continue
		}
		if added {
			line = both.Replace(line)
		}
		if !strings.HasPrefix(line, `< 434[`) {
			lines = append(lines, line)
		}
	}
	server := play(t, lines)
	o := sceneOptions(server.url, filepath.Join(t.TempDir(), "key"))
	o.DiscordURL, o.Monitors = "", nil
	if _, err := Provision(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	if key, err := os.ReadFile(o.KeyFile); err != nil || string(key) != "uk3_secret" {
		t.Errorf("the key is %q, %v; want ours", key, err)
	}
	if rest := server.rest(); len(rest) > 0 {
		t.Errorf("not played: %q", rest)
	}
}

func TestKeep(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		title, there   string
		number, before int
		want           string
	}{
		{"none is there", "", 2, 0, "uk2_new"},
		{"the old one is there", "uk1_old", 2, 1, "uk2_new"},
		{"one of a server that was wiped", "uk7_old", 1, 7, "uk1_new"},
		{"an older one of another run", "uk2_other", 3, 1, "uk3_new"},
		{"a newer one of another run", "uk4_other", 3, 1, "uk4_other"},
	} {
		dir := t.TempDir()
		path, fresh := filepath.Join(dir, "key"), filepath.Join(dir, "fresh")
		if c.there != "" {
			writeKey(t, path, c.there)
		}
		writeKey(t, fresh, "uk"+string(rune('0'+c.number))+"_new")
		if err := keep(fresh, path, c.number, c.before); err != nil {
			t.Errorf("%s: %v", c.title, err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != c.want {
			t.Errorf("%s: %q is kept, %v; want %q", c.title, got, err, c.want)
		}
	}
}

func writeKey(t *testing.T, path, key string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestKeyFolder: the folder of the key is made for its owner alone, and one that can't be is said before
// anything is asked of the server.
func TestKeyFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keyFile := filepath.Join(dir, "data", "kuma", "api-key")
	s := scenes[0]
	s.run(t, play(t, readTranscript(t, recordingOf(recorded[0]))[0]).url, keyFile)
	for _, folder := range []string{"data", "data/kuma"} {
		if info, err := os.Stat(filepath.Join(dir, folder)); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v; want it for its owner alone", folder, info, err)
		}
	}
	nobody := "http://127.0.0.1:1"
	for _, path := range []string{filepath.Join(keyFile, "below", "key"), filepath.Dir(keyFile)} {
		if _, err := Provision(t.Context(), sceneOptions(nobody, path)); !errors.Is(err, ErrKeyFile) {
			t.Errorf("%s: %v, want that the key can't be kept", path, err)
		}
	}
}

// TestTakenMeanwhile: what another run makes at the same time is found at a second look.
func TestTakenMeanwhile(t *testing.T) {
	t.Parallel()
	refuse := func(lines transcript) (cut transcript) {
		for _, line := range lines {
			cut = append(cut, line)
			if strings.Contains(line, "addStatusPage") {
				break
			}
		}
		return append(cut, `< 439[{"ok":false,"msg":"insert into status_page - SQLITE_CONSTRAINT: UNIQUE constraint failed: status_page.slug"}]`)
	}
	first := refuse(recordedScene(t, "an empty server"))
	keyFile := filepath.Join(t.TempDir(), "key")
	writeKey(t, keyFile, "uk1_secret") // the other run's
	looks := []*stage{play(t, first), play(t, recordedScene(t, "the same again"))}
	var connections atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/socket.io/" {
			connections.Add(1)
		}
		looks[min(int(connections.Load()), len(looks))-1].ServeHTTP(w, r)
	}))
	defer server.Close()
	o := sceneOptions(server.URL, keyFile)
	o.Timeout = 10 * time.Second
	report, err := Provision(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	want := scenes[0].changes[:6]
	if diff := cmp.Diff(want, report.Changes); diff != "" {
		t.Error(diff)
	}
}
