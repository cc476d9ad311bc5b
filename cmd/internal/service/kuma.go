package service

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/kuma"
	"iacontinu/internal/ml"
	"iacontinu/internal/monitor"
)

// KumaConfig is the configuration of `iacontinu kuma provision`.
type KumaConfig struct {
	URL       string    `env:"KUMA_URL" envDefault:"http://localhost:3001" help:"where Uptime Kuma 2 is"`
	Username  string    `env:"KUMA_USERNAME" envDefault:"admin" help:"its account, made if it has none yet"`
	Password  string    `env:"KUMA_PASSWORD" secret:"true" help:"and the password; required"`
	PushToken string    `env:"KUMA_PUSH_TOKEN" secret:"true" help:"token of the push monitor that the checks feed, 8 to 32 letters and digits, as in KUMA_PUSH_URL; empty: no such monitor"`
	KeyPath   string    `env:"KUMA_API_KEY_PATH" help:"file to keep the API key in that Prometheus scrapes Uptime Kuma with, made once; empty: none is made"`
	Watch     Watched   `env:"KUMA_WATCH" help:"what to watch beside the API, as GROUP/NAME=URL with commas between: http:// and https:// are fetched, tcp://HOST:PORT is opened"`
	Interval  Duration  `env:"KUMA_INTERVAL" envDefault:"30" help:"time between two looks, 20 or more"`
	Retries   int       `env:"KUMA_RETRIES" envDefault:"1" help:"how many more looks it takes, 20 s apart, until a thing counts as down"`
	Discord   string    `env:"DISCORD_WEBHOOK_URL" secret:"true" help:"Discord webhook for alerts; empty: they are logged only"`
	APIURL    string    `env:"API_URL" help:"where the API is; left out: http://localhost:API_PORT"`
	Port      boot.Port `env:"API_PORT" envDefault:"8000" help:"port of the API on this machine"`
	Checks    Duration  `env:"MONITORING_INTERVAL" envDefault:"30" help:"time between two checks, in seconds or as 1m30s"`
}

// Validate implements the check of boot.Load.
func (c KumaConfig) Validate() error {
	var errs []error
	if err := boot.JudgeBase("KUMA_URL", c.URL, " without a user, such as http://localhost:3001"); err != nil {
		errs = append(errs, err)
	} else if strings.Contains(c.URL, "@") {
		errs = append(errs, errors.New("KUMA_URL: holds a user; want a URL without one, such as http://localhost:3001"))
	}
	if c.Password == "" {
		errs = append(errs, errors.New("KUMA_PASSWORD: required: that of Uptime Kuma's account, or one to make it with"))
	}
	if c.Discord != "" {
		errs = append(errs, boot.JudgeURL("DISCORD_WEBHOOK_URL", c.Discord, ""))
	}
	if c.APIURL != "" {
		errs = append(errs, boot.JudgeBase("API_URL", c.APIURL, " such as http://localhost:8000"))
	}
	if i := time.Duration(c.Interval); i < kuma.MinInterval || i > kuma.MaxInterval {
		errs = append(errs, fmt.Errorf("KUMA_INTERVAL: %s is not from %s to %s", c.Interval, kuma.MinInterval, kuma.MaxInterval))
	}
	if c.Retries < 0 {
		errs = append(errs, fmt.Errorf("KUMA_RETRIES: %d is less than 0", c.Retries))
	}
	if c.PushToken != "" && !kuma.ValidToken(c.PushToken) {
		errs = append(errs, errors.New("KUMA_PUSH_TOKEN: is not of 8 to 32 letters, digits, - and _; make one with: openssl rand -hex 16"))
	}
	return errors.Join(errs...)
}

// Watched are the things of KUMA_WATCH.
type Watched []kuma.Monitor

// UnmarshalText implements encoding.TextUnmarshaler.
func (w *Watched) UnmarshalText(text []byte) error {
	names := map[string]bool{apiMonitor: true, checkMonitor: true}
	for item := range strings.SplitSeq(string(text), ",") {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		title, address, _ := strings.Cut(item, "=")
		group, name, _ := strings.Cut(title, "/")
		m := kuma.Monitor{Group: strings.TrimSpace(group), Name: strings.TrimSpace(name), URL: strings.TrimSpace(address)}
		if m.Group == "" || m.Name == "" || !kuma.ValidAddress(m.URL) {
			return fmt.Errorf("%q is not GROUP/NAME=URL, such as Platform/Worker=http://localhost:8003/healthz or Services/Database=tcp://localhost:5432", item)
		}
		if names[m.Name] {
			return fmt.Errorf("the name %q is taken twice", m.Name)
		}
		names[m.Name] = true
		*w = append(*w, m)
	}
	return nil
}

// What is watched by itself, and where it stands on the status page.
const (
	platformGroup = "Platform"
	apiMonitor    = "API"
	checkMonitor  = monitor.FlowName
)

// ProvisionKuma sets Uptime Kuma up to watch the platform.
func ProvisionKuma(ctx context.Context, c KumaConfig) (kuma.Report, error) {
	report, err := kuma.Provision(ctx, kuma.Options{
		URL: c.URL, Username: c.Username, Password: c.Password,
		Monitors: c.monitors(), DiscordURL: c.Discord, KeyFile: c.KeyPath,
	})
	switch {
	case errors.Is(err, kuma.ErrCredentials):
		err = fmt.Errorf("KUMA_USERNAME, KUMA_PASSWORD: %w", err)
	case errors.Is(err, kuma.ErrUnreachable):
		err = fmt.Errorf("KUMA_URL: %w", err)
	case errors.Is(err, kuma.ErrKeyFile):
		err = fmt.Errorf("KUMA_API_KEY_PATH: %w", err)
	}
	return report, err
}

func (c KumaConfig) monitors() []kuma.Monitor {
	api := ClientConfig{APIURL: c.APIURL, Port: c.Port}.url()
	all := append([]kuma.Monitor{{
		Group: platformGroup, Name: apiMonitor, URL: strings.TrimRight(api, "/") + "/health", JSONPath: "status", Expected: stateOK,
	}}, c.Watch...)
	for i := range all {
		all[i].Interval, all[i].Retries = time.Duration(c.Interval), c.Retries
	}
	if c.PushToken == "" {
		return all
	}
	// A check may wait for a retraining, and one may be missed. Uptime Kuma's first look comes before the
	// first push: without a retry it would raise an alarm at once.
	return append(all, kuma.Monitor{
		Group: platformGroup, Name: checkMonitor, PushToken: c.PushToken,
		Interval: bounded(time.Duration(c.Checks) + monitor.DefaultRetrainTimeout),
		Retries:  1, RetryInterval: bounded(2 * time.Duration(c.Checks)),
	})
}

// bounded is a time as Uptime Kuma takes it.
func bounded(d time.Duration) time.Duration { return min(max(d, kuma.MinInterval), kuma.MaxInterval) }

// heartbeat is what Uptime Kuma is told of a check.
func heartbeat(r ml.DriftReport) string {
	text := "no drift"
	switch {
	case r.Action != ml.ActionNone:
		text = strings.ReplaceAll(string(r.Action), "_", " ")
	case r.Drift:
		text = "drift"
	}
	if r.ModelVersion != "" {
		text += ", model " + r.ModelVersion
	}
	return text
}
