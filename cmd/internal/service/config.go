package service

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/pages"
	"iacontinu/internal/auth"
	"iacontinu/internal/ml"
	"iacontinu/internal/notify"
	"iacontinu/internal/wording"
)

// Folder are the settings of every process that works on the shared folder.
type Folder struct {
	Database    DatabaseURL `env:"DATABASE_URL" envDefault:"sqlite:data/ia_continu_solution.db" help:"sqlite:PATH; its folder is the data folder, where datasets and keys lie too"`
	Synchronous string      `env:"DATABASE_SYNCHRONOUS" envDefault:"normal" help:"normal: what was answered survives kill -9; full: power loss too, at a price"`
	ModelsDir   string      `env:"MODELS_DIR" envDefault:"models" help:"folder of the model versions' artifacts"`
	Environment string      `env:"ENVIRONMENT" envDefault:"development" help:"development, staging or production; the last two refuse to start without JWT_SECRET_KEY"`
	JWTSecret   string      `env:"JWT_SECRET_KEY" secret:"true" help:"key that signs tokens, 32 bytes or more; in development one is made on first start"`
	boot.LogConfig
}

// Process are the settings of every process that runs until it is stopped.
type Process struct {
	Folder
	Traces boot.TraceConfig
}

// Validate implements the check of boot.Load.
func (p Process) Validate() error { return errors.Join(p.Folder.Validate(), p.Traces.Validate()) }

// DataDir is the folder of the database.
func (f Folder) DataDir() string { return filepath.Dir(string(f.Database)) }

// secretFile is where the signing key lies if no setting gives it.
func (f Folder) secretFile() string { return filepath.Join(f.DataDir(), "jwt-secret") }

// DatasetsDir is where datasets lie as Parquet.
func (f Folder) DatasetsDir() string { return filepath.Join(f.DataDir(), "datasets") }

// Production reports whether the rules of production hold; staging obeys them too.
func (f Folder) Production() bool { return f.Environment != "development" }

// Validate implements the check of boot.Load.
func (f Folder) Validate() error {
	var errs []error
	switch f.Environment {
	case "development", "staging", "production":
	default:
		errs = append(errs, fmt.Errorf("ENVIRONMENT: %q is not one of development, staging, production", f.Environment))
	}
	switch f.Synchronous {
	case "normal", "full":
	default:
		errs = append(errs, fmt.Errorf("DATABASE_SYNCHRONOUS: %q is not one of normal, full", f.Synchronous))
	}
	switch n := len(f.JWTSecret); {
	case n == 0 && f.Production():
		errs = append(errs, fmt.Errorf("JWT_SECRET_KEY: required in %s; make one with: openssl rand -base64 48", f.Environment))
	case n > 0 && n < auth.MinSecret:
		errs = append(errs, fmt.Errorf("JWT_SECRET_KEY: has %d bytes, needs %d or more", n, auth.MinSecret))
	}
	return errors.Join(errs...)
}

// APISettings are the settings of the REST API.
type APISettings struct {
	Host          string    `env:"API_HOST" envDefault:"0.0.0.0" help:"address the API listens on"`
	Port          boot.Port `env:"API_PORT" envDefault:"8000" help:"port of the API; 0 picks a free one"`
	Proxies       Networks  `env:"TRUSTED_PROXIES" envDefault:"127.0.0.1,::1" help:"addresses or networks of servers, such as the web pages or a proxy, whose X-Forwarded-For names the client: its tries of passwords are counted, and it is logged; empty: none"`
	DemoUsers     bool      `env:"IACONTINU_DEMO_USERS" envDefault:"false" help:"make admin/admin123 and testuser/test123 on an empty folder; development only"`
	AdminPassword string    `env:"IACONTINU_ADMIN_PASSWORD" secret:"true" help:"password of the first administrator, admin, who is made when there is none; empty: a random one, in the file admin-password of the data folder"`
}

// WorkerSettings are the settings of the jobs.
type WorkerSettings struct {
	Bootstrap      bool     `env:"BOOTSTRAP" envDefault:"true" help:"train a first version if there is none, of feature1 and feature2: on such rows if there are enough, else on generated ones; other data are trained on by retrain --dataset"`
	TrainingWindow int      `env:"TRAINING_WINDOW" envDefault:"100000" help:"most rows that a retraining uses, the newest first; 100 to 100000000"`
	KeepVersions   int      `env:"KEEP_VERSIONS" envDefault:"50" help:"model versions kept; the active one always is"`
	KeepDatasets   int      `env:"KEEP_DATASETS" envDefault:"100" help:"generated datasets kept; imported ones and those of the active version always are"`
	DiscordURL     string   `env:"DISCORD_WEBHOOK_URL" secret:"true" help:"Discord webhook for alerts; empty: they are logged only"`
	NotifyCooldown Duration `env:"NOTIFY_COOLDOWN" envDefault:"5m" help:"least time between two messages on one topic, at most 168h; the latest state is sent at its end"`
	NotifyLanguage string   `env:"NOTIFY_LANGUAGE" envDefault:"en" help:"language of the messages to people: en or fr; those of Alertmanager are English"`
}

// Validate implements the check of boot.Load.
func (w WorkerSettings) Validate() error {
	var errs []error
	for _, s := range []struct {
		name             string
		value, low, high int
	}{
		{"TRAINING_WINDOW", w.TrainingWindow, 100, ml.MaxWindow},
		{"KEEP_VERSIONS", w.KeepVersions, 2, math.MaxInt},
		{"KEEP_DATASETS", w.KeepDatasets, 1, math.MaxInt},
	} {
		switch {
		case s.value < s.low:
			errs = append(errs, fmt.Errorf("%s: %d is less than %d", s.name, s.value, s.low))
		case s.value > s.high:
			errs = append(errs, fmt.Errorf("%s: %d is more than %d", s.name, s.value, s.high))
		}
	}
	if most := Duration(notify.MaxCooldown); w.NotifyCooldown > most {
		errs = append(errs, fmt.Errorf("NOTIFY_COOLDOWN: %s is more than %s", w.NotifyCooldown, most))
	}
	if !slices.Contains(wording.Codes(), w.NotifyLanguage) {
		errs = append(errs, fmt.Errorf("NOTIFY_LANGUAGE: %q is not one of %s", w.NotifyLanguage, strings.Join(wording.Codes(), ", ")))
	}
	if w.DiscordURL != "" {
		errs = append(errs, boot.JudgeURL("DISCORD_WEBHOOK_URL", w.DiscordURL, ""))
	}
	return errors.Join(errs...)
}

// MLflowSettings are how the tracking server is spoken to. Their names are those of MLflow's own client.
type MLflowSettings struct {
	Username   string `env:"MLFLOW_TRACKING_USERNAME" help:"user of an MLflow server that asks for one"`
	Password   string `env:"MLFLOW_TRACKING_PASSWORD" secret:"true" help:"and the password"`
	Token      string `env:"MLFLOW_TRACKING_TOKEN" secret:"true" help:"bearer token of an MLflow server that asks for one, instead of user and password"`
	CAFile     string `env:"MLFLOW_TRACKING_SERVER_CERT_PATH" help:"file of certificates (PEM) to trust beside the system's"`
	ClientCert string `env:"MLFLOW_TRACKING_CLIENT_CERT_PATH" help:"file with our certificate and its key (PEM)"`
	Insecure   bool   `env:"MLFLOW_TRACKING_INSECURE_TLS" envDefault:"false" help:"trust any certificate of the MLflow server"`
	Experiment string `env:"MLFLOW_EXPERIMENT_NAME" envDefault:"ia_continu_solution" help:"experiment that holds the runs"`
	Model      string `env:"MLFLOW_MODEL_NAME" envDefault:"ia_continu_logistic_regression" help:"registered model that holds the versions; each data folder needs its own"`
	Sync       string `env:"MLFLOW_SYNC" envDefault:"push" help:"push: what MLflow lacks of the versions and aliases here is sent, at start and every hour; off: it is only told"`
}

// trackingOff is the URL that stands for no tracking server.
const trackingOff = "off"

func (m MLflowSettings) check(uri string) error {
	errs := []error{
		judgeCertificates("MLFLOW_TRACKING_SERVER_CERT_PATH", m.CAFile),
		judgeKeyPair("MLFLOW_TRACKING_CLIENT_CERT_PATH", m.ClientCert),
		judgeName("MLFLOW_EXPERIMENT_NAME", m.Experiment),
		judgeModelName("MLFLOW_MODEL_NAME", m.Model),
	}
	if uri != "" && uri != trackingOff {
		errs = append(errs, boot.JudgeBase("MLFLOW_TRACKING_URI", uri, " such as http://localhost:5000, or off"))
	}
	if m.Sync != syncPush && m.Sync != syncOff {
		errs = append(errs, fmt.Errorf("MLFLOW_SYNC: %q is not one of push, off", m.Sync))
	}
	if m.Token != "" && m.Username != "" {
		errs = append(errs, errors.New("MLFLOW_TRACKING_TOKEN: set it or MLFLOW_TRACKING_USERNAME, not both"))
	}
	return errors.Join(errs...)
}

// The values of MLFLOW_SYNC.
const (
	syncPush = "push"
	syncOff  = "off"
)

// PrefectSettings are how the Prefect server is spoken to. Their names are those of Prefect's own client.
type PrefectSettings struct {
	PrefectURL      string `env:"PREFECT_API_URL" help:"API of the Prefect server that schedules and shows the checks, such as http://localhost:4200/api; empty: the check ticks by itself"`
	PrefectAuth     string `env:"PREFECT_API_AUTH_STRING" secret:"true" help:"user:password of a Prefect server that asks for them"`
	PrefectKey      string `env:"PREFECT_API_KEY" secret:"true" help:"API key of a Prefect server that asks for one"`
	PrefectCAFile   string `env:"PREFECT_API_SSL_CERT_FILE" help:"file of certificates (PEM) to trust beside the system's"`
	PrefectInsecure bool   `env:"PREFECT_API_TLS_INSECURE_SKIP_VERIFY" envDefault:"false" help:"trust any certificate of the Prefect server"`
}

// Validate implements the check of boot.Load.
func (p PrefectSettings) Validate() error {
	errs := []error{judgeCertificates("PREFECT_API_SSL_CERT_FILE", p.PrefectCAFile)}
	if p.PrefectURL != "" {
		errs = append(errs, boot.JudgeBase("PREFECT_API_URL", p.PrefectURL, " such as http://localhost:4200/api"))
	}
	if u, err := url.Parse(p.PrefectURL); err == nil && u.User != nil {
		errs = append(errs, errors.New("PREFECT_API_URL: holds a user; set PREFECT_API_AUTH_STRING instead"))
	}
	if p.PrefectAuth != "" && p.PrefectKey != "" {
		errs = append(errs, errors.New("PREFECT_API_KEY: set it or PREFECT_API_AUTH_STRING, not both"))
	}
	if p.PrefectAuth != "" && !strings.Contains(p.PrefectAuth, ":") {
		errs = append(errs, errors.New("PREFECT_API_AUTH_STRING: is not user:password"))
	}
	return errors.Join(errs...)
}

// FlowSettings are the settings of the periodic check.
type FlowSettings struct {
	Interval Duration `env:"MONITORING_INTERVAL" envDefault:"30" help:"time between two checks, in seconds or as 1m30s; with Prefect whole seconds"`
	Detector string   `env:"DRIFT_DETECTOR" envDefault:"random" help:"random: a draw below 0.5 is drift, as documented; statistical: measured on the latest predictions"`
	Cooldown Duration `env:"RETRAIN_COOLDOWN" envDefault:"10m" help:"statistical only: least time between two retrainings for drift"`
	PushURL  string   `env:"KUMA_PUSH_URL" secret:"true" help:"address of Uptime Kuma's push monitor that is told of each check, such as http://localhost:3001/api/push/TOKEN; empty: none"`
}

func (f FlowSettings) check(p PrefectSettings) error {
	var errs []error
	if f.Detector != "random" && f.Detector != "statistical" {
		errs = append(errs, fmt.Errorf("DRIFT_DETECTOR: %q is not one of random, statistical", f.Detector))
	}
	if f.Interval < Duration(time.Second) {
		errs = append(errs, fmt.Errorf("MONITORING_INTERVAL: %s is less than 1s", f.Interval))
	}
	if p.PrefectURL != "" && time.Duration(f.Interval)%time.Second != 0 {
		errs = append(errs, fmt.Errorf("MONITORING_INTERVAL: %s is not in whole seconds, as Prefect's schedules are", f.Interval))
	}
	if f.PushURL != "" {
		errs = append(errs, boot.JudgeURL("KUMA_PUSH_URL", f.PushURL, " such as http://localhost:3001/api/push/TOKEN"))
	}
	return errors.Join(errs...)
}

// OptionalAdmin is the admin listener of a process that has an API.
type OptionalAdmin struct {
	Port *boot.Port `env:"ADMIN_PORT" help:"port of an admin listener beside the API, for profiles; 0 picks a free one, empty: none"`
	boot.AdminHost
}

// Networks are addresses and networks, written as 10.0.0.0/8,127.0.0.1.
type Networks []netip.Prefix

// UnmarshalText implements encoding.TextUnmarshaler.
func (n *Networks) UnmarshalText(text []byte) error {
	*n = nil
	for part := range strings.SplitSeq(string(text), ",") {
		part = strings.TrimSpace(part)
		if part == "" {
			continue
		}
		network, err := netip.ParsePrefix(part)
		if err != nil {
			address, err := netip.ParseAddr(part)
			if err != nil {
				return fmt.Errorf("%q is no address or network such as 10.0.0.0/8", part)
			}
			network = netip.PrefixFrom(address, address.BitLen())
		}
		*n = append(*n, network.Masked())
	}
	return nil
}

// String implements fmt.Stringer.
func (n Networks) String() string {
	parts := make([]string, len(n))
	for i, network := range n {
		parts[i] = network.String()
	}
	return strings.Join(parts, ",")
}

// APIConfig is the configuration of cmd/api.
type APIConfig struct {
	APISettings
	TrackingURI string `env:"MLFLOW_TRACKING_URI" help:"MLflow server that the worker tells, to show how it is; empty or off: none"`
	PrefectURL  string `env:"PREFECT_API_URL" help:"API of the Prefect server that schedules the checks, to show how it is; empty: none"`
	WatchedSettings
	Admin OptionalAdmin
	Process
}

// Validate implements the check of boot.Load.
func (c APIConfig) Validate() error {
	return errors.Join(c.Process.Validate(), c.APISettings.check(c.Folder), c.WatchedSettings.Validate())
}

func (a APISettings) check(f Folder) error {
	if a.DemoUsers && f.Production() {
		return fmt.Errorf("IACONTINU_DEMO_USERS: not in %s, the passwords are public", f.Environment)
	}
	if n := utf8.RuneCountInString(a.AdminPassword); n > 0 && (n < auth.MinPassword || n > auth.MaxPassword) {
		return fmt.Errorf("IACONTINU_ADMIN_PASSWORD: has %d characters, needs %d to %d", n, auth.MinPassword, auth.MaxPassword)
	}
	return nil
}

// WorkerConfig is the configuration of cmd/worker.
type WorkerConfig struct {
	WorkerSettings
	TrackingURI string `env:"MLFLOW_TRACKING_URI" envDefault:"http://localhost:5000" help:"MLflow server that is told of each retraining; off: none. In up it is off unless set"`
	MLflowSettings
	MLflowPublic string `env:"MLFLOW_PUBLIC_URL" help:"where people open MLflow; empty: MLFLOW_TRACKING_URI"`
	PrefectSettings
	Port  boot.Port `env:"WORKER_PORT" envDefault:"8003" help:"port of the admin listener; 0 picks a free one"`
	Admin boot.AdminHost
	Process
}

// Validate implements the check of boot.Load.
func (c WorkerConfig) Validate() error {
	return errors.Join(c.Process.Validate(), c.WorkerSettings.Validate(), c.MLflowSettings.check(c.TrackingURI), c.PrefectSettings.Validate(),
		judgeLink("MLFLOW_PUBLIC_URL", c.MLflowPublic))
}

// FlowConfig is the configuration of cmd/flow.
type FlowConfig struct {
	FlowSettings
	PrefectSettings
	APIURL string    `env:"API_URL" envDefault:"http://localhost:8000" help:"where the API is"`
	Port   boot.Port `env:"FLOW_PORT" envDefault:"8002" help:"port of the admin listener; 0 picks a free one"`
	Admin  boot.AdminHost
	Process
}

// Validate implements the check of boot.Load.
func (c FlowConfig) Validate() error {
	return errors.Join(c.Process.Validate(), c.FlowSettings.check(c.PrefectSettings), c.PrefectSettings.Validate(),
		boot.JudgeBase("API_URL", c.APIURL, " such as http://localhost:8000"))
}

// UpConfig is the configuration of `iacontinu up`: all processes in one.
type UpConfig struct {
	APISettings
	WatchedSettings
	WorkerSettings
	FlowSettings
	TrackingURI string `env:"MLFLOW_TRACKING_URI" help:"MLflow server that is told of each retraining; empty: none"`
	MLflowSettings
	PrefectSettings
	UI    pages.Settings
	Admin OptionalAdmin
	Process
}

// Validate implements the check of boot.Load.
func (c UpConfig) Validate() error {
	return errors.Join(c.Process.Validate(), c.APISettings.check(c.Folder), c.WorkerSettings.Validate(), c.FlowSettings.check(c.PrefectSettings),
		c.UI.Validate(), c.MLflowSettings.check(c.TrackingURI), c.PrefectSettings.Validate(), c.WatchedSettings.Validate())
}

// DatabaseURL is the path of the SQLite file, written as sqlite:PATH. The forms of SQLAlchemy,
// sqlite:///relative and sqlite:////absolute, mean the same files as there.
type DatabaseURL string

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *DatabaseURL) UnmarshalText(text []byte) error {
	path, ok := strings.CutPrefix(string(text), "sqlite:")
	if !ok {
		return errors.New("only sqlite:PATH is supported")
	}
	path = strings.TrimPrefix(path, "///")
	if path == "" || strings.HasSuffix(path, "/") || strings.ContainsAny(path, "?#") {
		return errors.New("sqlite: needs the path of a file, such as sqlite:data/ia_continu_solution.db")
	}
	*d = DatabaseURL(path)
	return nil
}

// Duration is written in seconds, as the earlier system did, or with units: 30, 30s, 10m.
type Duration time.Duration

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if _, err := strconv.ParseFloat(s, 64); err == nil {
		s += "s"
	}
	v, err := time.ParseDuration(s)
	if err != nil || v < 0 {
		return fmt.Errorf("%q is not a time such as 30 (seconds), 30s or 10m", text)
	}
	*d = Duration(v)
	return nil
}

func (d Duration) String() string { return time.Duration(d).String() }
