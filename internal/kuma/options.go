package kuma

import (
	"cmp"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"
)

// What Uptime Kuma takes as the time between two looks, and as the token of a push monitor.
const (
	MinInterval = 20 * time.Second
	MaxInterval = 24 * time.Hour
)

var tokenForm = regexp.MustCompile(`^[A-Za-z0-9_-]{8,32}$`)

// What can go wrong that a person has to mend.
var (
	ErrUnreachable = errors.New("Uptime Kuma can't be reached")  //nolint:staticcheck // a name
	ErrCredentials = errors.New("Uptime Kuma refuses the login") //nolint:staticcheck // a name
	ErrVersion     = errors.New("this is not Uptime Kuma 2")
	ErrKeyFile     = errors.New("the API key can't be kept")
)

// Options are what Provision brings about.
type Options struct {
	// URL is where Uptime Kuma is, such as http://localhost:3001.
	URL string
	// Username and Password are those of its account, which is made if there is none yet.
	Username, Password string
	// Monitors are listed on the status page in their order.
	Monitors []Monitor
	// DiscordURL is the webhook that is told of every monitor's down and up; empty: none.
	DiscordURL string
	// KeyFile is where the API key is kept that Prometheus scrapes with; empty: none is made.
	KeyFile string
	// Timeout ends the whole, 1 m if zero.
	Timeout time.Duration
}

// Monitor is one thing to watch.
type Monitor struct {
	// Group is the heading on the status page that it stands under.
	Group string
	// Name is what it is known by.
	Name string
	// URL is what Uptime Kuma asks: http and https are fetched, of tcp://HOST:PORT the port is opened.
	URL string
	// JSONPath and Expected, if set, are where in the answer that text must stand.
	JSONPath, Expected string
	// PushToken, in place of a URL, makes it a monitor that is told, by a Pusher.
	PushToken string
	// Interval is the time between two looks, or the longest time without a push.
	Interval time.Duration
	// Retries is how many more looks it takes until a thing counts as down, and RetryInterval the time
	// between them, 20 s if zero.
	Retries       int
	RetryInterval time.Duration
}

// ValidToken reports whether a push monitor may have that token.
func ValidToken(token string) bool { return tokenForm.MatchString(token) }

// ValidAddress reports whether a monitor can look at that URL.
func ValidAddress(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Hostname() == "" {
		return false
	}
	return u.Scheme == "http" || u.Scheme == "https" || u.Scheme == "tcp" && u.Port() != "" && u.Path == ""
}

func (o Options) withDefaults() Options {
	o.URL = strings.TrimRight(o.URL, "/")
	o.Timeout = cmp.Or(o.Timeout, time.Minute)
	return o
}

// validate quotes no address: one may hold a secret.
func (o Options) validate() error {
	var errs []error
	if u, err := url.Parse(o.URL); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" {
		errs = append(errs, errors.New("kuma: Options.URL is not an http(s) URL such as http://localhost:3001"))
	}
	if o.Username == "" || o.Password == "" {
		errs = append(errs, errors.New("kuma: Options.Username and Options.Password are required"))
	}
	names := map[string]bool{}
	for _, m := range o.Monitors {
		if names[m.Name] {
			errs = append(errs, fmt.Errorf("kuma: there are two monitors %q: a name is what one is known by", m.Name))
		}
		names[m.Name] = true
		errs = append(errs, m.validate())
	}
	return errors.Join(errs...)
}

func (m Monitor) validate() error {
	wrong := func(format string, args ...any) error {
		return fmt.Errorf("kuma: monitor %q: "+format, append([]any{m.Name}, args...)...)
	}
	switch {
	case m.Name == "" || m.Group == "":
		return wrong("a name and a group are required")
	case m.Interval < MinInterval || m.Interval > MaxInterval:
		return wrong("the interval %s is not from %s to %s", m.Interval, MinInterval, MaxInterval)
	case m.Retries < 0 || m.RetryInterval != 0 && (m.RetryInterval < MinInterval || m.RetryInterval > MaxInterval):
		return wrong("%d retries, %s apart", m.Retries, m.RetryInterval)
	case m.PushToken == "" && !ValidAddress(m.URL):
		return wrong("the address is none of http://..., https://... and tcp://HOST:PORT")
	case m.PushToken != "" && !ValidToken(m.PushToken):
		return wrong("the token is not of 8 to 32 letters, digits, - and _")
	}
	return nil
}
