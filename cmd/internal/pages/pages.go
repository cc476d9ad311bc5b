// Package pages wires the process of the web pages: cmd/ui and `iacontinu up` run this code. It is apart from package
// service, so that a program with the pages alone has nothing of what the data folder takes: no database, no training.
package pages

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/api"
	"iacontinu/internal/ml"
	"iacontinu/internal/tracing"
	"iacontinu/internal/webui"
)

// Settings are the settings of the web pages.
type Settings struct {
	Host         string    `env:"UI_HOST" envDefault:"0.0.0.0" help:"address the web pages listen on"`
	Port         boot.Port `env:"UI_PORT" envDefault:"8501" help:"port of the web pages; 0 picks a free one"`
	SecureCookie string    `env:"UI_SECURE_COOKIE" envDefault:"auto" help:"auto: the session's cookie is for TLS alone if the page came by TLS, as X-Forwarded-Proto says of a proxy; true: always"`
}

// Validate implements the check of boot.Load.
func (u Settings) Validate() error {
	if u.SecureCookie != "auto" && u.SecureCookie != "true" {
		return fmt.Errorf("UI_SECURE_COOKIE: %q is not one of auto, true", u.SecureCookie)
	}
	return nil
}

// Config is the configuration of cmd/ui. It reads no data folder: what it shows it asks the API for.
type Config struct {
	Settings
	APIURL    string    `env:"API_URL" envDefault:"http://localhost:8000" help:"where the API is"`
	AdminPort boot.Port `env:"UI_ADMIN_PORT" envDefault:"8004" help:"port of the admin listener; 0 picks a free one"`
	Admin     boot.AdminHost
	Traces    boot.TraceConfig
	boot.LogConfig
}

// Validate implements the check of boot.Load.
func (c Config) Validate() error {
	return errors.Join(c.Settings.Validate(), c.Traces.Validate(), boot.JudgeBase("API_URL", c.APIURL, " such as http://localhost:8000"))
}

// New opens the web pages of the API at apiURL and binds their port.
func New(c Settings, apiURL string, log *slog.Logger, tracer trace.Tracer, reg prometheus.Registerer) (*webui.Server, error) {
	ui, err := webui.New(webui.Options{
		Addr: boot.HostPort(c.Host, c.Port), APIURL: apiURL, SecureCookie: c.SecureCookie == "true", Logger: log, Tracer: tracer, Registerer: reg,
	})
	if err != nil {
		return nil, fmt.Errorf("UI_HOST, UI_PORT: %w", err)
	}
	return ui, nil
}

// Run is the process of cmd/ui.
func Run(ctx context.Context, c Config, log *slog.Logger) error {
	traces, err := boot.OpenTraces(ctx, c.Traces, "ui", log)
	if err != nil {
		return err
	}
	return errors.Join(run(ctx, c, log, traces.Tracer(tracing.Scope), prometheus.NewRegistry()), traces.Close())
}

func run(ctx context.Context, c Config, log *slog.Logger, tracer trace.Tracer, reg boot.Registry) error {
	if err := boot.RegisterBasics(reg, "ui", "", ""); err != nil {
		return fmt.Errorf("make the metrics registry: %w", err)
	}
	ui, err := New(c.Settings, c.APIURL, log, tracer, reg)
	if err != nil {
		return err
	}
	admin, err := boot.NewAdmin(ctx, boot.AdminOptions{
		Setting: "UI_ADMIN_PORT", Addr: boot.HostPort(c.Admin.Host, c.AdminPort), Gatherer: reg,
		Health:        func(context.Context) error { return nil }, // what the API is like is told by the API
		Administrator: administratorOf(c.APIURL),
	})
	if err != nil {
		return errors.Join(err, ui.Close())
	}
	log.InfoContext(ctx, "ready", "url", ui.URL(), "api", c.APIURL, "admin", "http://"+admin.Addr().String())
	return boot.RunAll(ctx, ui, admin)
}

// administratorOf asks the API whose token it is: these pages have no key to check it by.
func administratorOf(apiURL string) func(ctx context.Context, token string) error {
	return func(ctx context.Context, token string) error {
		client, err := api.New(apiURL, api.Options{Token: func(context.Context) (string, error) { return token, nil }})
		if err != nil {
			return err
		}
		who, err := client.Me(ctx)
		switch {
		case api.AsProblem(err) != nil:
			return errors.New("the API does not know the token")
		case err != nil:
			return errors.New("the API, which knows whose token it is, does not answer")
		case who.Role != string(ml.RoleAdmin):
			return boot.ErrNotAdministrator
		}
		return nil
	}
}

// Check asks the running web pages whether they are served.
func Check(ctx context.Context, c Config) error {
	return boot.Ask(ctx, c.Host, c.Port, "/healthz")
}
