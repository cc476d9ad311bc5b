// Command bluegreen leads the traffic of the API from one colour to the other, behind the proxy of the Caddyfile beside
// it, once the other is well, and back again if it turns out not to be.
//
//	go run ./deploy/bluegreen -switch DIR -proxy http://HOST:PORT -blue http://HOST:PORT -green http://HOST:PORT \
//	  -user NAME -password-file FILE blue|green
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"iacontinu/internal/api"
)

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	flags := flag.NewFlagSet("bluegreen", flag.ContinueOnError)
	flags.SetOutput(stderr)
	o := options{colours: map[string]string{}, say: func(format string, args ...any) { fmt.Printf(format+"\n", args...) }}
	flags.Func("blue", "where blue's API is", func(url string) error { o.colours["blue"] = url; return nil })
	flags.Func("green", "where green's API is", func(url string) error { o.colours["green"] = url; return nil })
	flags.StringVar(&o.dir, "switch", "/run/switch", "the folder that the proxy has as SWITCH")
	flags.StringVar(&o.proxy, "proxy", "http://127.0.0.1:8000", "where clients ask, to see who serves them")
	flags.StringVar(&o.user, "user", "", "account that tries the new colour out")
	flags.StringVar(&o.passwordFile, "password-file", "", "file with its password")
	flags.BoolVar(&o.anonymous, "anonymous", false, "try it out without an account: nothing is predicted")
	flags.DurationVar(&o.wait, "wait", time.Minute, "how long the new colour may take until it is ready")
	flags.DurationVar(&o.watch, "watch", 15*time.Second, "how long it is watched under traffic; if it fails, the traffic goes back")
	flags.DurationVar(&o.drain, "drain", 30*time.Second, "how long the requests of the old colour may take to end")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	o.to = flags.Arg(0)
	if err := o.validate(flags.NArg()); err != nil {
		fmt.Fprintf(stderr, "bluegreen: %v\n", err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := o.run(ctx); err != nil {
		fmt.Fprintf(stderr, "bluegreen: %v\n", err)
		return 1
	}
	return 0
}

type options struct {
	colours                     map[string]string // where each is
	proxy                       string
	dir, to, user, passwordFile string
	anonymous                   bool
	wait, watch, drain          time.Duration
	say                         func(format string, args ...any)
}

func (o options) validate(args int) error {
	if args != 1 || o.to != "blue" && o.to != "green" {
		return errors.New("say which colour is to serve: blue or green; see --help")
	}
	taken := map[string]string{}
	for _, at := range []struct{ flag, url string }{{"blue", o.colours["blue"]}, {"green", o.colours["green"]}, {"proxy", o.proxy}} {
		if _, err := api.New(at.url, api.Options{}); err != nil {
			return fmt.Errorf("-%s: %w", at.flag, err)
		}
		url := strings.TrimRight(at.url, "/")
		if other, is := taken[url]; is {
			return fmt.Errorf("-%s and -%s are one address, %s", other, at.flag, url)
		}
		taken[url] = at.flag
	}
	if (o.user == "") != (o.passwordFile == "") {
		return errors.New("-user and -password-file belong together")
	}
	if (o.user == "") != o.anonymous {
		return errors.New("say with -user who tries the colour out, or -anonymous to go without a prediction")
	}
	if info, err := os.Stat(o.dir); err != nil || !info.IsDir() {
		return fmt.Errorf("-switch: %s is no folder that is there", o.dir)
	}
	return nil
}

// clientOf asks at an address.
func clientOf(url string) (*api.Client, error) {
	return api.New(url, api.Options{UserAgent: "iacontinu-bluegreen"})
}

// run switches to the colour. When it returns an error, the traffic is where it was.
func (o options) run(ctx context.Context) error {
	at := selector{o.dir}
	from, err := at.colour()
	if err != nil {
		return err
	}
	client, err := clientOf(o.colours[o.to])
	if err != nil {
		return err
	}
	version, err := o.ready(ctx, client)
	if err != nil {
		return fmt.Errorf("%s is not ready, the traffic stays on %s: %w", o.to, from, err)
	}
	if err := o.smoke(ctx, client); err != nil {
		return fmt.Errorf("%s does not work, the traffic stays on %s: %w", o.to, from, err)
	}
	t, err := o.trial(ctx, client)
	if err != nil {
		return fmt.Errorf("%s tells nothing of itself, the traffic stays on %s: %w", o.to, from, err)
	}
	if from == o.to {
		if err := t.serves(ctx); err != nil {
			return fmt.Errorf("%s should serve already, as %s says: %w", o.to, at.file(), err)
		}
		o.say("%s serves already, and is well: version %s", o.to, version)
		return nil
	}
	if err := o.elsewhere(ctx, t, from); err != nil {
		return fmt.Errorf("the traffic stays on %s: %w", from, err)
	}
	if err := at.point(o.to); err != nil {
		return err
	}
	if err := o.watched(ctx, t, version); err != nil {
		if back := at.point(from); back != nil {
			return fmt.Errorf("%s failed, and the traffic could not be led back to %s: %w", o.to, from, errors.Join(err, back))
		}
		return fmt.Errorf("%s failed under traffic, %s serves again: %w", o.to, from, err)
	}
	switch left, err := o.drained(ctx, from); {
	case err != nil: // the switch itself is done
		o.say("whether requests still run on %s is not known: %v", from, err)
	case left > 0:
		o.say("%d requests still run on %s; streams do until their client goes, and come back by themselves", left, from)
	default:
		o.say("nothing runs on %s any more: it may be stopped", from)
	}
	return nil
}
