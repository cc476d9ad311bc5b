package prefect

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"

	"iacontinu/internal/redact"
)

const defaultTimeout = 10 * time.Second

// Options configure a Client.
type Options struct {
	// URL is the address of the server's API, which ends in /api. Required.
	URL string
	// AuthString is "user:password" for a server that asks for basic authentication.
	AuthString string
	// APIKey is the bearer token for a server, or a proxy before it, that asks for one. At most one of
	// AuthString and APIKey may be set.
	APIKey string
	// Installation tells our runs from those of others that speak to the same server, and from those of a
	// database that was here before. Empty for a server that has no other runs.
	Installation string
	// CAFile names a file of PEM certificates that are trusted beside the system's.
	CAFile string
	// Insecure takes any certificate of the server.
	Insecure bool
	// Transport sends the requests; nil means one made of the settings above and of the environment's
	// proxies.
	Transport http.RoundTripper
	// Timeout ends one request, 10 s if zero.
	Timeout    time.Duration
	Logger     *slog.Logger
	Registerer prometheus.Registerer // nil registers nothing
	// Clock tells the time, time.Now if nil.
	Clock func() time.Time
	// NewID makes ids that are never made again, random UUIDs if nil.
	NewID func() string
}

func (o Options) withDefaults() Options {
	o.URL = strings.TrimRight(o.URL, "/")
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	if o.NewID == nil {
		o.NewID = uuid.NewString
	}
	return o
}

// validate quotes no value: an address may hold a password.
func (o Options) validate() error {
	u, err := url.Parse(o.URL)
	switch {
	case err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "":
		return errors.New("Options.URL is not an http or https URL")
	case u.User != nil:
		return errors.New("Options.URL holds a user: set Options.AuthString instead")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("Options.URL has a query or a fragment; it is the address of the API, such as http://prefect:4200/api")
	case o.AuthString != "" && o.APIKey != "":
		return errors.New("Options.AuthString and Options.APIKey are both set; the server asks for one of them")
	case o.AuthString != "" && !strings.Contains(o.AuthString, ":"):
		return errors.New(`Options.AuthString is not "user:password"`)
	case o.Timeout < 0:
		return fmt.Errorf("Options.Timeout is %s, must be positive", o.Timeout)
	}
	return nil
}

// Client speaks to one server. It may be used by several goroutines.
type Client struct {
	o       Options
	http    *http.Client
	csrf    csrf
	redact  *strings.Replacer
	metrics *metrics

	mu    sync.Mutex
	flows map[string]string // ids of flows by their names
}

// New returns a client of one server. It sends nothing by itself.
func New(o Options) (*Client, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, fmt.Errorf("prefect: %w", err)
	}
	transport, err := o.transport()
	if err != nil {
		return nil, fmt.Errorf("prefect: %w", err)
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("prefect: register metrics: %w", err)
	}
	_, password, _ := strings.Cut(o.AuthString, ":")
	return &Client{
		o: o, metrics: m, redact: redact.Secrets(o.AuthString, password, o.APIKey), flows: map[string]string{},
		csrf: csrf{client: o.NewID()},
		http: &http.Client{
			Transport: transport, Timeout: o.Timeout,
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}, nil
}

func (o Options) transport() (http.RoundTripper, error) {
	if o.Transport != nil {
		return o.Transport, nil
	}
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.TLSClientConfig = &tls.Config{InsecureSkipVerify: o.Insecure, MinVersion: tls.VersionTLS12}
	if o.CAFile == "" {
		return t, nil
	}
	pem, err := os.ReadFile(o.CAFile)
	if err != nil {
		return nil, fmt.Errorf("read Options.CAFile: %w", err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("Options.CAFile %s holds no PEM certificate", o.CAFile)
	}
	t.TLSClientConfig.RootCAs = pool
	return t, nil
}
