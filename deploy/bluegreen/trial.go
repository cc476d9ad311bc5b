package main

import (
	"context"
	"errors"
	"fmt"

	"iacontinu/internal/api"
)

// trial is of a colour under traffic, from what it was before.
type trial struct {
	colour, proxy    *api.Client // the colour itself, and where clients ask
	process          string
	answered, failed float64
}

// trial begins: what happens from here on counts.
func (o options) trial(ctx context.Context, colour *api.Client) (*trial, error) {
	proxy, err := clientOf(o.proxy)
	if err != nil {
		return nil, err
	}
	f, err := figuresOf(ctx, colour)
	if err != nil {
		return nil, err
	}
	t := &trial{colour: colour, proxy: proxy, process: f.process()}
	t.answered, t.failed = f.answers()
	return t, nil
}

// elsewhere checks that clients are led to the colour that has the traffic. Else it would prove nothing that they are
// led to the other one after the switch.
func (o options) elsewhere(ctx context.Context, t *trial, from string) error {
	client, err := clientOf(o.colours[from])
	if err != nil {
		return err
	}
	f, err := figuresOf(ctx, client)
	if err != nil { // the proxy leads to who is left, by whatever file
		o.say("%s does not answer, so it can't be seen whether the proxy heeds %s: %v", from, o.dir, err)
		return nil
	}
	if f.process() == t.process {
		return fmt.Errorf("-%s and -%s lead to one process (or to two that started in one moment: start %s anew)", from, o.to, o.to)
	}
	switch serving, err := figuresOf(ctx, t.proxy); {
	case err != nil:
		return fmt.Errorf("ask through the proxy, %s: %w", o.proxy, err)
	case serving.process() != f.process():
		return fmt.Errorf("the proxy, %s, does not lead to it: are -proxy, -switch, -blue and -green of one platform?", o.proxy)
	}
	return nil
}

// serves is whether clients are led to the colour.
func (t *trial) serves(ctx context.Context) error {
	f, err := figuresOf(ctx, t.proxy)
	if err != nil {
		return fmt.Errorf("ask through the proxy: %w", err)
	}
	if f.process() != t.process {
		return errors.New("the proxy leads to another process: is -switch the folder that it has as SWITCH?")
	}
	return nil
}

// look is at how the colour is with the traffic. One error is let pass, and of many answers one in a hundred.
func (t *trial) look(ctx context.Context) error {
	if _, err := isReady(ctx, t.colour); err != nil {
		return err
	}
	f, err := figuresOf(ctx, t.colour)
	if err != nil {
		return err
	}
	if f.process() != t.process {
		return errors.New("it has started anew")
	}
	answered, failed := f.answers()
	answered, failed = answered-t.answered, failed-t.failed
	if failed > max(1, answered/100) {
		return fmt.Errorf("of %.0f requests it answered %.0f with an error of its own (5xx)", answered, failed)
	}
	return t.serves(ctx)
}

// watched looks after the colour while it has the traffic. One look that fails may be a busy moment, two are not.
func (o options) watched(ctx context.Context, t *trial, version string) error {
	watch, cancel := context.WithTimeout(ctx, o.watch)
	defer cancel()
	for failed, said := false, false; ; {
		err := t.look(ctx)
		if err != nil && failed {
			return err
		}
		if failed = err != nil; !failed && !said {
			o.say("%s serves: version %s", o.to, version)
			said = true
		}
		goesOn := sleep(watch)
		switch {
		case ctx.Err() != nil:
			return errors.New("interrupted")
		case !goesOn && !failed: // a look that failed last is not left at that
			return nil
		}
	}
}
