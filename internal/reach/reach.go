// Package reach asks other services whether they answer, and how fast.
package reach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

// Patience bounds one question.
const Patience = 2 * time.Second

// Target is a service that can be asked.
type Target struct {
	Name string
	// URL is what is fetched; an answer below 500 but 404 says that the service works.
	URL string
}

// State is what came of a question.
type State struct {
	Target
	At      time.Time
	Latency time.Duration
	// Problem is a code of package wording, empty if it answered well; Answer is the status that says that it
	// does not work, if that is it.
	Problem string
	Answer  int
}

// Ask asks all targets at once and returns within two seconds, in their order.
func Ask(ctx context.Context, client *http.Client, targets []Target) []State {
	ctx, cancel := context.WithTimeout(ctx, Patience)
	defer cancel()
	out := make([]State, len(targets))
	var all sync.WaitGroup
	for i, t := range targets {
		all.Go(func() {
			began := time.Now()
			err := fetch(ctx, client, t.URL)
			out[i] = State{Target: t, At: began, Latency: time.Since(began)}
			out[i].Problem, out[i].Answer = problem(err)
		})
	}
	all.Wait()
	return out
}

// statusError is an answer that says that the service does not work.
type statusError int

func (e statusError) Error() string { return fmt.Sprintf("it answers %d", int(e)) }

func fetch(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode >= 500 || res.StatusCode == http.StatusNotFound {
		return statusError(res.StatusCode)
	}
	const most = 64 << 10
	_, err = io.Copy(io.Discard, io.LimitReader(res.Body, most))
	return err
}

// problem says why there was no answer without the address, which may hold a password.
func problem(err error) (code string, answer int) {
	var status statusError
	var dns *net.DNSError
	switch {
	case err == nil:
		return "", 0
	case errors.As(err, &status):
		return "part.answers", int(status)
	case errors.Is(err, context.DeadlineExceeded):
		return "part.silent", 0
	case errors.As(err, &dns):
		return "part.unknown_name", 0
	}
	return "part.unreachable", 0
}
