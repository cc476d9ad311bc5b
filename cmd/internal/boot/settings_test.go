package boot

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type Listen struct {
	Port int `env:"SAMPLE_PORT" envDefault:"8000" help:"where it listens"`
}

type sample struct {
	Listen
	Secret string     `env:"SAMPLE_SECRET" secret:"true" help:"what signs"`
	Rows   int        `env:"SAMPLE_ROWS" envDefault:"100" help:"how many"`
	Level  slog.Level `env:"SAMPLE_LEVEL" envDefault:"INFO" help:"how loud"`
	Flag   bool       `env:"SAMPLE_FLAG" envDefault:"false" help:"whether"`
}

func (s sample) Validate() error {
	if s.Rows < 1 {
		return errors.New("SAMPLE_ROWS: must be 1 or more")
	}
	return nil
}

func TestLoad(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte("from a file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name    string
		environ []string
		want    sample
		errs    []string // parts of the error; none: it must load
	}{
		{"defaults", nil, sample{Listen: Listen{8000}, Rows: 100}, nil},
		{"empty means default", []string{"SAMPLE_PORT="}, sample{Listen: Listen{8000}, Rows: 100}, nil},
		{"values", []string{"SAMPLE_PORT=1", "SAMPLE_SECRET=s", "SAMPLE_ROWS=2"}, sample{Listen: Listen{1}, Secret: "s", Rows: 2}, nil},
		{"secret from a file", []string{"SAMPLE_SECRET_FILE=" + file}, sample{Listen: Listen{8000}, Secret: "from a file", Rows: 100}, nil},
		{"all wrong ones at once", []string{"SAMPLE_PORT=x", "SAMPLE_ROWS=y"}, sample{}, []string{"SAMPLE_PORT: ", "SAMPLE_ROWS: "}},
		{"read and judged at once", []string{"SAMPLE_PORT=x", "SAMPLE_ROWS=0"}, sample{}, []string{"SAMPLE_PORT: \"x\" is not a whole number", "SAMPLE_ROWS: must be 1"}},
		{"choices", []string{"SAMPLE_LEVEL=LOUD", "SAMPLE_FLAG=yess"}, sample{}, []string{
			`SAMPLE_LEVEL: "LOUD" is not one of DEBUG, INFO, WARN, ERROR`, `SAMPLE_FLAG: "yess" is not one of true, false`,
		}},
		{"validated", []string{"SAMPLE_ROWS=0"}, sample{}, []string{"SAMPLE_ROWS: must be 1 or more"}},
		{"both", []string{"SAMPLE_SECRET=s", "SAMPLE_SECRET_FILE=" + file}, sample{}, []string{"SAMPLE_SECRET and SAMPLE_SECRET_FILE are both set"}},
		{"no such file", []string{"SAMPLE_SECRET_FILE=/nowhere/secret"}, sample{}, []string{"SAMPLE_SECRET_FILE: ", "no such file"}},
		{"empty file", []string{"SAMPLE_SECRET_FILE=" + empty}, sample{}, []string{"is empty"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got sample
			err := Load(&got, tt.environ)
			if tt.errs == nil {
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Fatal(diff)
				}
				return
			}
			for _, part := range tt.errs {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("error %v, want one with %q", err, part)
				}
			}
		})
	}
}

// TestOneErrorASetting: what can't be read is not judged as well, and gets no other's blame.
func TestOneErrorASetting(t *testing.T) {
	t.Parallel()
	err := Load(&sample{}, []string{"SAMPLE_ROWS=many", "SAMPLE_PORT=x"})
	if want := "SAMPLE_PORT: \"x\" is not a whole number\nSAMPLE_ROWS: \"many\" is not a whole number"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestSecretsAreNotShown(t *testing.T) {
	t.Parallel()
	s := sample{Listen: Listen{1}, Secret: "hush", Rows: 2}
	want := []string{"SAMPLE_FLAG=false", "SAMPLE_LEVEL=INFO", "SAMPLE_PORT=1", "SAMPLE_ROWS=2", "SAMPLE_SECRET=(set)"}
	if diff := cmp.Diff(want, Masked(&s)); diff != "" {
		t.Fatal(diff)
	}
}

func TestWhoIsNamedInAURLIsNotShown(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"http://user:pass@host:1/p":      "http://(set)@host:1/p",
		"https://token@host":             "https://(set)@host",
		"http://user:p@ss/w0rd@host?q=1": "http://(set)@host?q=1",
		"http://host/path":               "http://host/path",
		"sqlite:data/me@home.db":         "sqlite:data/me@home.db",
	} {
		if got := withoutUser(value); got != want {
			t.Errorf("%s is shown as %s, want %s", value, got, want)
		}
	}
	config := struct {
		Home string `env:"SAMPLE_HOME"`
	}{"http://user:pass@host"}
	if diff := cmp.Diff([]string{"SAMPLE_HOME=http://(set)@host"}, Masked(&config)); diff != "" {
		t.Error(diff)
	}
}

func TestHelpNamesEachSettingAndDefault(t *testing.T) {
	t.Parallel()
	var out, errs bytes.Buffer
	code := Program{Name: "sample", Summary: "a sample", Config: &sample{}}.Main([]string{"--help"}, nil, &out, &errs)
	if code != ExitOK {
		t.Fatalf("exit code %d, want %d", code, ExitOK)
	}
	for _, part := range []string{"a sample", "SAMPLE_PORT", "8000", "where it listens", "SAMPLE_SECRET[_FILE]", "SAMPLE_ROWS", "100"} {
		if !strings.Contains(out.String(), part) {
			t.Errorf("--help lacks %q:\n%s", part, out.String())
		}
	}
}

func TestWrongUseIsRefused(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args, environ []string
		part          string
	}{
		{[]string{"--nonsense"}, nil, "sample: flag provided but not defined: -nonsense; see sample --help\n"},
		{[]string{"start"}, nil, `unexpected argument "start"`},
		{nil, []string{"SAMPLE_PORT=x"}, "SAMPLE_PORT"},
	} {
		var out, errs bytes.Buffer
		code := Program{Name: "sample", Config: &sample{}}.Main(tt.args, tt.environ, &out, &errs)
		if code != ExitUsage || !strings.Contains(errs.String(), tt.part) {
			t.Errorf("Main(%v, %v) = %d with %q, want %d with %q", tt.args, tt.environ, code, errs.String(), ExitUsage, tt.part)
		}
	}
}
