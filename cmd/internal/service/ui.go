package service

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"iacontinu/cmd/internal/boot"
	"iacontinu/internal/webui"
)

// UISettings are the settings of the web pages.
type UISettings struct {
	Host         string `env:"UI_HOST" envDefault:"0.0.0.0" help:"address the web pages listen on"`
	Port         Port   `env:"UI_PORT" envDefault:"8501" help:"port of the web pages; 0 picks a free one"`
	SecureCookie string `env:"UI_SECURE_COOKIE" envDefault:"auto" help:"auto: the session's cookie is for TLS alone if the page came by TLS, as X-Forwarded-Proto says of a proxy; true: always"`
}

// Validate implements the check of boot.Load.
func (u UISettings) Validate() error {
	if u.SecureCookie != "auto" && u.SecureCookie != "true" {
		return fmt.Errorf("UI_SECURE_COOKIE: %q is not one of auto, true", u.SecureCookie)
	}
	return nil
}

// UIConfig is the configuration of cmd/ui. It reads no data folder: what it shows it asks the API for.
type UIConfig struct {
	UISettings
	APIURL string `env:"API_URL" envDefault:"http://localhost:8000" help:"where the API is"`
	boot.LogConfig
}

// Validate implements the check of boot.Load.
func (c UIConfig) Validate() error {
	return errors.Join(c.UISettings.Validate(), judgeBase("API_URL", c.APIURL, " such as http://localhost:8000"))
}

// NewUI opens the web pages of the API at apiURL and binds their port.
func NewUI(c UISettings, apiURL string, log *slog.Logger) (*webui.Server, error) {
	ui, err := webui.New(webui.Options{
		Addr: hostPort(c.Host, c.Port), APIURL: apiURL, SecureCookie: c.SecureCookie == "true", Logger: log,
	})
	if err != nil {
		return nil, fmt.Errorf("UI_HOST, UI_PORT: %w", err)
	}
	return ui, nil
}

// RunUI is the process of cmd/ui.
func RunUI(ctx context.Context, c UIConfig, log *slog.Logger) error {
	ui, err := NewUI(c.UISettings, c.APIURL, log)
	if err != nil {
		return err
	}
	log.InfoContext(ctx, "ready", "url", ui.URL(), "api", c.APIURL)
	return ui.Run(ctx)
}

// CheckUI asks the running web pages whether they are served.
func CheckUI(ctx context.Context, c UIConfig) error {
	return ask(ctx, "http://"+hostPort(reachable(c.Host), c.Port)+"/healthz")
}
