package kuma

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

const defaultPushTimeout = 5 * time.Second

// PusherOptions configure a Pusher.
type PusherOptions struct {
	// URL is the address of the push monitor, which ends in /api/push/TOKEN and is a secret so.
	URL string
	// Timeout ends one push, 5 s if zero.
	Timeout time.Duration
	Logger  *slog.Logger
	// Registerer may be nil: then there are no metrics.
	Registerer prometheus.Registerer
}

// Pusher tells a push monitor that somebody lives. Whoever calls Push never waits for Uptime Kuma: of
// what could not be sent yet only the latest is kept.
type Pusher struct {
	address *url.URL
	timeout time.Duration
	client  *http.Client
	log     *slog.Logger
	pushes  *prometheus.CounterVec
	latest  chan beat
}

type beat struct {
	message string
	took    time.Duration
}

// The outcomes of a push.
const (
	outcomeOK     = "ok"
	outcomeFailed = "failed"
)

// NewPusher returns a Pusher that sends once it runs.
func NewPusher(o PusherOptions) (*Pusher, error) {
	u, err := url.Parse(o.URL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("kuma: the push address is not an http(s) URL such as http://localhost:3001/api/push/TOKEN")
	}
	p := &Pusher{
		address: u, timeout: cmp.Or(o.Timeout, defaultPushTimeout), client: &http.Client{}, log: o.Logger,
		pushes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "iacontinu_kuma_pushes_total", Help: "Heartbeats sent to Uptime Kuma after a check, by outcome.",
		}, []string{"outcome"}),
		latest: make(chan beat, 1),
	}
	if p.log == nil {
		p.log = slog.New(slog.DiscardHandler)
	}
	p.pushes.WithLabelValues(outcomeOK) // a rate needs the zero before the one
	p.pushes.WithLabelValues(outcomeFailed)
	if o.Registerer != nil {
		if err := o.Registerer.Register(p.pushes); err != nil {
			return nil, fmt.Errorf("kuma: register metrics: %w", err)
		}
	}
	return p, nil
}

// Push has a heartbeat sent, with what happened and how long it took. Calls come one after the other.
func (p *Pusher) Push(message string, took time.Duration) {
	select {
	case <-p.latest: // it is late, and says less than the new one
	default:
	}
	p.latest <- beat{message, took}
}

// Run sends heartbeats until ctx ends. The first of several failures is logged, and their end.
func (p *Pusher) Run(ctx context.Context) error {
	failing := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case b := <-p.latest:
			err := p.send(ctx, b)
			if ctx.Err() != nil {
				return nil
			}
			failing = p.note(ctx, err, failing)
		}
	}
}

func (p *Pusher) note(ctx context.Context, err error, failing bool) bool {
	if err != nil {
		p.pushes.WithLabelValues(outcomeFailed).Inc()
		if !failing {
			p.log.WarnContext(ctx, "Uptime Kuma is not told of the checks; further failures are only counted", "error", err)
		}
		return true
	}
	p.pushes.WithLabelValues(outcomeOK).Inc()
	if failing {
		p.log.InfoContext(ctx, "Uptime Kuma is told of the checks again")
	}
	return false
}

// send makes one push. Its errors don't tell the address, which holds the token.
func (p *Pusher) send(ctx context.Context, b beat) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	u := *p.address
	query := u.Query()
	query.Set("status", "up")
	query.Set("msg", b.message)
	query.Set("ping", strconv.FormatInt(max(1, b.took.Milliseconds()), 10)) // 0 counts as none
	u.RawQuery = query.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return cause(err)
	}
	res, err := p.client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnreachable, cause(err))
	}
	defer res.Body.Close()
	var answer struct {
		OK  bool   `json:"ok"`
		Msg string `json:"msg"`
	}
	const most = 64 << 10
	if err := json.NewDecoder(http.MaxBytesReader(nil, res.Body, most)).Decode(&answer); err != nil || !answer.OK {
		return fmt.Errorf("Uptime Kuma answers %s %s", res.Status, answer.Msg) //nolint:staticcheck // a name
	}
	return nil
}
