package service

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/auth"
)

func TestDatabaseURL(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"sqlite:data/a.db":          "data/a.db",
		"sqlite:/var/lib/a.db":      "/var/lib/a.db",
		"sqlite:///data/a.db":       "data/a.db", // SQLAlchemy's relative form
		"sqlite:////var/lib/a.db":   "/var/lib/a.db",
		"postgres://localhost/a":    "",
		"sqlite:":                   "",
		"sqlite:data/":              "",
		"sqlite:data/a.db?mode=rwc": "",
	} {
		var got DatabaseURL
		err := got.UnmarshalText([]byte(text))
		if string(got) != want || (err == nil) != (want != "") {
			t.Errorf("%s: %q, %v; want %q", text, got, err, want)
		}
	}
}

func TestDurationTakesSecondsAndUnits(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{"30": 30 * time.Second, "0.5": 500 * time.Millisecond, "10m": 10 * time.Minute} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err != nil || time.Duration(d) != want {
			t.Errorf("%q is %v, %v; want %v", text, d, err, want)
		}
	}
	for _, text := range []string{"-1", "soon", "1x"} {
		var d Duration
		if err := d.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %v", text, d)
		}
	}
}

func TestProductionNeedsItsKey(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("k", auth.MinSecret)
	for _, tt := range []struct {
		environ []string
		says    string // empty: it loads
	}{
		{[]string{"ENVIRONMENT=production"}, "JWT_SECRET_KEY: required"},
		{[]string{"ENVIRONMENT=staging"}, "JWT_SECRET_KEY: required"},
		{[]string{"ENVIRONMENT=production", "JWT_SECRET_KEY=" + long[1:]}, "has 31 bytes"},
		{[]string{"ENVIRONMENT=production", "JWT_SECRET_KEY=" + long}, ""},
		{[]string{"ENVIRONMENT=production", "JWT_SECRET_KEY=" + long, "IACONTINU_DEMO_USERS=true"}, "IACONTINU_DEMO_USERS"},
		{[]string{"ENVIRONMENT=prod"}, "ENVIRONMENT"},
		{nil, ""},
	} {
		var c UpConfig
		err := boot.Load(&c, tt.environ)
		if tt.says == "" && err != nil || tt.says != "" && (err == nil || !strings.Contains(err.Error(), tt.says)) {
			t.Errorf("%v: error %v, want %q", tt.environ, err, tt.says)
		}
		if err != nil && strings.Contains(err.Error(), "kkkk") {
			t.Errorf("the error shows the key: %v", err)
		}
	}
}

// What a setting promises is told by the connection itself.
func TestSynchronousReachesTheConnection(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]int{"": 1, "normal": 1, "full": 2} { // SQLite's numbers
		var c APIConfig
		dir := t.TempDir()
		environ := []string{"DATABASE_URL=sqlite:" + dir + "/a.db", "MODELS_DIR=" + dir + "/models"}
		if setting != "" {
			environ = append(environ, "DATABASE_SYNCHRONOUS="+setting)
		}
		if err := boot.Load(&c, environ); err != nil {
			t.Fatal(err)
		}
		p, err := Open(t.Context(), c.Folder, "api", slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		var got int
		if err := p.Store.Writer().QueryRowContext(t.Context(), "PRAGMA synchronous").Scan(&got); err != nil || got != want {
			t.Errorf("DATABASE_SYNCHRONOUS=%s: the writer has %d, %v; want %d", setting, got, err, want)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
