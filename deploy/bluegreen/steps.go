package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"iacontinu/internal/api"
)

// selector is the folder in which the file "green" says who serves.
type selector struct{ dir string }

func (s selector) file() string { return filepath.Join(s.dir, "green") }

// colour is the one that serves.
func (s selector) colour() (string, error) {
	switch _, err := os.Stat(s.file()); {
	case err == nil:
		return "green", nil
	case errors.Is(err, fs.ErrNotExist):
		return "blue", nil
	default:
		return "", err
	}
}

// point has the next request led to a colour.
func (s selector) point(colour string) error {
	if colour == "green" {
		return os.WriteFile(s.file(), nil, 0o644) // the proxy, which is another user, has to see it
	}
	if err := os.Remove(s.file()); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Times between two looks, and what one may take.
const (
	pause    = 200 * time.Millisecond
	patience = 3 * time.Second
)

// sleep waits for the next look; false when there is none.
func sleep(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

func isReady(ctx context.Context, client *api.Client) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	health, err := client.Ready(ctx)
	if err == nil && health.Status != "ok" {
		err = fmt.Errorf("its health is %s", health.Status)
	}
	return health.Version, err
}

// ready waits until the colour is, and returns its version.
func (o options) ready(ctx context.Context, client *api.Client) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.wait)
	defer cancel()
	for {
		if version, err = isReady(ctx, client); err == nil {
			return version, nil
		}
		if !sleep(ctx) {
			return "", fmt.Errorf("in %s: %w", o.wait, err)
		}
	}
}

// smoke does what a client does: it asks which model serves, logs in and has it predict once.
func (o options) smoke(ctx context.Context, client *api.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 10*patience)
	defer cancel()
	model, err := client.ModelInfo(ctx)
	if err != nil {
		return fmt.Errorf("which model serves: %w", err)
	}
	if !model.ModelLoaded || len(model.Features) == 0 {
		return errors.New("no model serves")
	}
	if o.anonymous {
		return refuses(ctx, client, len(model.Features))
	}
	password, err := os.ReadFile(o.passwordFile)
	if err != nil {
		return err
	}
	login, err := client.Login(ctx, o.user, strings.TrimRight(string(password), "\r\n"))
	if err != nil {
		return fmt.Errorf("log in as %s: %w", o.user, err)
	}
	user, err := api.New(o.colours[o.to], api.Options{
		UserAgent: "iacontinu-bluegreen",
		Token:     func(context.Context) (string, error) { return login.AccessToken, nil },
	})
	if err != nil {
		return err
	}
	answer, err := user.Predict(ctx, make([]float64, len(model.Features)))
	if err != nil {
		return fmt.Errorf("predict: %w", err)
	}
	o.say("%s is ready and predicts with %s", o.to, answer.ModelVersion)
	return nil
}

// refuses has it turn down who has no account, which is all that a stranger can see of how it predicts.
func refuses(ctx context.Context, client *api.Client, features int) error {
	_, err := client.Predict(ctx, make([]float64, features))
	var problem *api.Problem
	switch {
	case err == nil:
		return errors.New("it predicts without an account")
	case errors.As(err, &problem) && problem.Status == http.StatusUnauthorized:
		return nil
	}
	return fmt.Errorf("predict without an account: %w", err)
}

// drained waits until a colour answers no request any more, and returns how many are left in the end.
func (o options) drained(ctx context.Context, colour string) (left int, err error) {
	ctx, cancel := context.WithTimeout(ctx, o.drain)
	defer cancel()
	client, err := clientOf(o.colours[colour])
	if err != nil {
		return 0, err
	}
	known := false
	for {
		n, failed := running(ctx, client)
		if failed == nil {
			known, left, err = true, n, nil
		} else if !known {
			err = failed
		}
		if known && left == 0 || !sleep(ctx) {
			return left, err
		}
	}
}

func running(ctx context.Context, client *api.Client) (int, error) {
	f, err := figuresOf(ctx, client)
	if err != nil {
		return 0, err
	}
	return f.running()
}
