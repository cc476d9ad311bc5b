package service

import (
	"log/slog"
	"path/filepath"
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
		{[]string{"TRUSTED_PROXIES=10.0.0.0/8, ::1"}, ""},
		{[]string{"TRUSTED_PROXIES="}, ""},
		{[]string{"TRUSTED_PROXIES=10.0.0.0/8,ui"}, `"ui" is no address or network`},
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

// TestServersAreJudgedAtTheStart: what can't work is told by the name of the setting, before anything runs.
func TestServersAreJudgedAtTheStart(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "no.pem")
	write(t, none) // a file, and no certificate
	for _, setting := range []string{
		"MLFLOW_TRACKING_URI=http://localhost:220000", "MLFLOW_TRACKING_URI=http://u:hush@localhost:5000/#/experiments",
		"MLFLOW_TRACKING_URI=http://localhost:0", "MLFLOW_TRACKING_URI=http://hush@localhost:5000?a=b", "MLFLOW_TRACKING_URI=ftp://u:hush@localhost",
		"MLFLOW_TRACKING_SERVER_CERT_PATH=/nope", "MLFLOW_TRACKING_SERVER_CERT_PATH=" + none, "MLFLOW_TRACKING_CLIENT_CERT_PATH=" + none,
		"MLFLOW_EXPERIMENT_NAME= ", "MLFLOW_MODEL_NAME= ", "MLFLOW_MODEL_NAME=a/b", "MLFLOW_MODEL_NAME=it's", "MLFLOW_MODEL_NAME=..",
		"PREFECT_API_URL=http://localhost:220000/api", "PREFECT_API_URL=http://localhost:4200/#/runs", "PREFECT_API_URL=http://u:hush@localhost:4200/api",
		"PREFECT_API_SSL_CERT_FILE=/nope", "PREFECT_API_SSL_CERT_FILE=" + none, "DISCORD_WEBHOOK_URL=https://discord.com:99999/hush",
		"NOTIFY_LANGUAGE=de", "NOTIFY_COOLDOWN=169h", "TRAINING_WINDOW=100000001", "MONITORING_INTERVAL=1500ms PREFECT_API_URL=http://localhost:4200/api",
	} {
		name, _, _ := strings.Cut(setting, "=")
		var c UpConfig
		environ := []string{setting}
		if before, after, both := strings.Cut(setting, " PREFECT"); both {
			environ = []string{before, "PREFECT" + after}
		}
		err := boot.Load(&c, environ)
		if err == nil || !strings.HasPrefix(err.Error(), name+": ") || strings.Contains(err.Error(), "\n") || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: %v", setting, err)
		}
	}
	for _, setting := range []string{
		"MLFLOW_TRACKING_URI=https://u:hush@mlflow.example/base/", "MLFLOW_TRACKING_URI=off", "MLFLOW_MODEL_NAME=my model.2",
		"PREFECT_API_URL=http://[::1]:4200/api", "MONITORING_INTERVAL=1500ms", "NOTIFY_COOLDOWN=168h", "DISCORD_WEBHOOK_URL=https://discord.com/api/webhooks/1/a?thread_id=2",
	} {
		var c UpConfig
		if err := boot.Load(&c, []string{setting}); err != nil {
			t.Errorf("%s: %v", setting, err)
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
