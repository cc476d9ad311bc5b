package main

import (
	"errors"
	"flag"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"iacontinu/cmd/internal/boot"
	"iacontinu/cmd/internal/service"
	"iacontinu/internal/api"
)

// client returns a client of the running platform that acts as a service, with a token signed by
// the folder's key.
func (c *call) client() (*api.Client, error) {
	var cfg service.ClientConfig
	if err := boot.Load(&cfg, c.environ); err != nil {
		return nil, err
	}
	return service.NewClient(cfg, "cli")
}

// predict asks for one prediction, with the values by position or as NAME=VALUE.
func predict(c *call, args []string) error {
	if slices.ContainsFunc(args, isHelp) {
		return flag.ErrHelp
	}
	if len(args) > 0 && args[0] == "--" { // as other commands want it before a negative number
		args = args[1:]
	}
	if len(args) == 0 {
		return fmt.Errorf("no values given: %w", errUsage)
	}
	positions, names, err := values(args)
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	var answer api.PredictResponse
	if names != nil {
		answer, err = client.PredictByName(c.ctx, names)
	} else {
		answer, err = client.Predict(c.ctx, positions)
	}
	if err != nil {
		return reachable(err)
	}
	fmt.Fprintf(c.out, "%d (%s) with confidence %.4f by %s\n", answer.Prediction, answer.Class, answer.Confidence, answer.ModelVersion)
	return nil
}

// values reads VALUE... or NAME=VALUE..., not a mixture.
func values(args []string) (positions []float64, names map[string]float64, err error) {
	for _, a := range args {
		name, text, named := strings.Cut(a, "=")
		if !named {
			text = a
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, nil, fmt.Errorf("%q is not a finite number: %w", a, errUsage)
		}
		if named {
			if names == nil {
				names = map[string]float64{}
			}
			names[name] = v
		} else {
			positions = append(positions, v)
		}
	}
	if names != nil && positions != nil {
		return nil, nil, fmt.Errorf("give all values by name or all by position: %w", errUsage)
	}
	return positions, names, nil
}

// reachable adds to a failed connection what to do about it.
func reachable(err error) error {
	if api.AsProblem(err) != nil {
		return err
	}
	return errors.Join(err, errors.New("is the platform running? start it with `iacontinu up`, or say where it is by API_PORT or API_URL"))
}
