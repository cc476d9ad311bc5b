// Command fakediscord is a Discord webhook for trying the platform out: it takes and refuses what
// Discord does and prints each accepted payload as one line of JSON.
//
//	go run ./deploy/fakediscord -addr 127.0.0.1:13900
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"iacontinu/internal/discord/discordtest"
)

func main() { os.Exit(run()) }

func run() int {
	addr := flag.String("addr", "127.0.0.1:13900", "address to listen on; port 0 takes any free one")
	burst := flag.Int("burst", 5, "messages answered in each window before 429; 0 for no limit")
	window := flag.Duration("window", 2*time.Second, "length of the window")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	handler := discordtest.NewHandler(discordtest.Options{
		Burst: *burst, Window: *window,
		OnAccept: func(p discordtest.Payload) { fmt.Println(string(p.Body)) },
	})
	if err := serve(ctx, *addr, handler); err != nil {
		fmt.Fprintln(os.Stderr, "fakediscord:", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, addr string, handler *discordtest.Handler) error {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return err
	}
	server := &http.Server{Handler: handler, ReadHeaderTimeout: 5 * time.Second}
	fmt.Fprintf(os.Stderr, "DISCORD_WEBHOOK_URL=http://%s%s\n", listener.Addr(), handler.Path())
	stopped := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stopped()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
