package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/service"
)

// up runs the whole platform in this process.
func up(args, environ []string, out, stderr io.Writer) int {
	var cfg service.UpConfig
	return boot.Program{
		Name:    "iacontinu",
		Command: "iacontinu up",
		Summary: "the whole platform in one process: web pages, API, jobs and periodic check, on a SQLite file",
		Config:  &cfg,
		Log:     func() boot.LogConfig { return cfg.LogConfig },
		Run: func(ctx context.Context, log *slog.Logger) error {
			return service.RunUp(ctx, cfg, log, func(api, ui string) {
				fmt.Fprintf(out, "iacontinu is up: %s (API: %s, documentation: %s/docs)\n", ui, api, api)
			})
		},
		Healthcheck: func(ctx context.Context) error { return service.CheckUp(ctx, cfg) },
	}.Main(args, environ, out, stderr)
}
