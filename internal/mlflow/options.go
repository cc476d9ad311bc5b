package mlflow

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
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	defaultTimeout = 30 * time.Second
	// parallel bounds the requests of one delivery that are under way at once.
	parallel = 4
)

// Options configure a Client.
type Options struct {
	// URL of the tracking server, http or https. A user and password in it count as Username and
	// Password. Required.
	URL string
	// Username and Password are for basic authentication, Token for a bearer token. Not both.
	Username, Password string
	Token              string
	// CAFile holds the certificates (PEM) to trust beside the system's, ClientCertFile a certificate and
	// its key to show. Insecure trusts every certificate.
	CAFile, ClientCertFile string
	Insecure               bool
	// Timeout bounds one request. 0 means 30 s.
	Timeout time.Duration
	// Transport sends instead of one with the settings above and the environment's proxies.
	Transport  http.RoundTripper
	Registerer prometheus.Registerer // nil registers nothing
	Logger     *slog.Logger
	Clock      func() time.Time // nil means time.Now
}

func (o Options) withDefaults() Options {
	o.Timeout = cmp.Or(o.Timeout, defaultTimeout)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Clock == nil {
		o.Clock = time.Now
	}
	return o
}

func (o Options) validate() error {
	switch {
	case o.Token != "" && o.Username != "":
		return errors.New("Options.Token and Options.Username are both set; a server wants one of them")
	case o.Password != "" && o.Username == "":
		return errors.New("Options.Password is set and Options.Username is not")
	case o.Timeout < 0:
		return fmt.Errorf("Options.Timeout is %v, want more than 0", o.Timeout)
	}
	return nil
}

// address splits the URL into the part that may be shown and the credentials.
func (o *Options) address() (*url.URL, error) {
	u, err := url.Parse(o.URL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		// The parser's error quotes the URL, which may hold a password.
		return nil, errors.New("Options.URL is not an http or https URL")
	}
	if u.User != nil {
		if o.Username == "" && o.Token == "" {
			o.Username = u.User.Username()
			o.Password, _ = u.User.Password()
		}
		u.User = nil
	}
	u.RawQuery, u.Fragment = "", ""
	u.Path = strings.TrimRight(u.Path, "/")
	return u, nil
}

func (o Options) transport() (http.RoundTripper, error) {
	if o.Transport != nil {
		return o.Transport, nil
	}
	config := &tls.Config{InsecureSkipVerify: o.Insecure} //nolint:gosec // the operator's word
	if o.CAFile != "" {
		text, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("Options.CAFile: %w", err)
		}
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("Options.CAFile: %s has no certificate in PEM", o.CAFile)
		}
	}
	if o.ClientCertFile != "" {
		pair, err := tls.LoadX509KeyPair(o.ClientCertFile, o.ClientCertFile)
		if err != nil {
			return nil, fmt.Errorf("Options.ClientCertFile: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return &http.Transport{
		Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: parallel, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 10 * time.Second,
	}, nil
}
