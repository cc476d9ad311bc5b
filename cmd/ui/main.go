// Command ui serves the web pages, which talk to the API.
package main

import (
	"context"
	"log/slog"
	"os"
	_ "time/tzdata" // pages are in their viewers' time zones, which the machine may not know

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/pages"
)

func main() {
	var cfg pages.Config
	os.Exit(boot.Program{
		Name:    "ui",
		Summary: "the web pages: see how the model is, use it, understand a drift",
		Config:  &cfg,
		Log:     func() boot.LogConfig { return cfg.LogConfig },
		Run: func(ctx context.Context, log *slog.Logger) error {
			return pages.Run(ctx, cfg, log)
		},
		Healthcheck: func(ctx context.Context) error { return pages.Check(ctx, cfg) },
	}.Main(os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
}
