// Command generate writes a folder that Prometheus and Alertmanager can be started from: the scrape configuration of
// a variant, the rules, and the routes with their templates. With -hasten the rules are the same and wait shorter.
//
//	go run ./prometheus/generate -variant native -target app=127.0.0.1:8000 -o build/monitoring-config
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"iacontinu/prometheus"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

func run() error {
	options := prometheus.Options{Targets: map[string][]string{}}
	variant := flag.String("variant", string(prometheus.Native), "compose, native or kubernetes")
	flag.DurationVar(&options.Interval, "interval", 15*time.Second, "between two scrapes, and between two evaluations")
	flag.BoolVar(&options.Only, "only", false, "scrape the jobs that -target names and no others")
	hasten := flag.Int("hasten", 1, "divide every wait of rules and routes by this")
	from := flag.String("from", ".", "the repository")
	to := flag.String("o", "", "folder to write to")
	flag.Func("target", "JOB=HOST:PORT instead of where the job is expected; may be repeated", func(s string) error {
		name, address, ok := strings.Cut(s, "=")
		if !ok {
			return fmt.Errorf("%q is not JOB=HOST:PORT", s)
		}
		options.Targets[name] = append(options.Targets[name], address)
		return nil
	})
	flag.Parse()
	if *to == "" {
		return fmt.Errorf("-o FOLDER is missing")
	}
	config, err := prometheus.Config(prometheus.Variant(*variant), options)
	if err != nil {
		return err
	}
	if err := write(filepath.Join(*to, "prometheus.yml"), config, 0o644); err != nil {
		return err
	}
	for from, to := range map[string]string{
		filepath.Join(*from, "prometheus/rules/*.yml"): filepath.Join(*to, "rules"),
		filepath.Join(*from, "alertmanager/*"):         filepath.Join(*to, "alertmanager"),
	} {
		if err := copyFiles(from, to, *hasten); err != nil {
			return err
		}
	}
	return nil
}

func copyFiles(pattern, to string, hasten int) error {
	files, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	if len(files) == 0 {
		return fmt.Errorf("no files %s", pattern)
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if filepath.Ext(file) == ".yml" {
			if text, err = prometheus.Hasten(text, hasten); err != nil {
				return err
			}
		}
		if err := write(filepath.Join(to, filepath.Base(file)), text, info.Mode().Perm()); err != nil {
			return err
		}
	}
	return nil
}

func write(file string, text []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, text, mode)
}
