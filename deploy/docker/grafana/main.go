// Command grafana stands in for Grafana where its image can't be had. It reads what is mounted for Grafana as Grafana
// does at its start, ends with a sentence if Grafana could not, and answers its health, its datasources and the list of
// its dashboards to admin with the password that it was given. It shows nothing.
package main

import (
	"crypto/subtle"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

const provisioning = "/etc/grafana/provisioning"

type datasource struct {
	Name string `json:"name"`
	UID  string `json:"uid"`
	Type string `json:"type"`
	URL  string `json:"url"`
}

type dashboard struct {
	UID    string            `json:"uid"`
	Title  string            `json:"title"`
	Panels []json.RawMessage `json:"panels,omitempty"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "grafana:", err)
		os.Exit(1)
	}
}

func run() error {
	password, err := os.ReadFile(os.Getenv("GF_SECURITY_ADMIN_PASSWORD__FILE"))
	if err != nil {
		return fmt.Errorf("GF_SECURITY_ADMIN_PASSWORD__FILE: %w", err)
	}
	sources, err := datasources()
	if err != nil {
		return err
	}
	boards, err := dashboards()
	if err != nil {
		return err
	}
	if home := os.Getenv("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"); home != "" {
		if _, err := os.Stat(home); err != nil {
			return fmt.Errorf("GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH: %w", err)
		}
	}
	mux := http.NewServeMux()
	mux.Handle("/api/health", answer(map[string]string{"database": "ok"}))
	mux.Handle("/api/datasources", admin(strings.TrimSpace(string(password)), answer(sources)))
	mux.Handle("/api/search", admin(strings.TrimSpace(string(password)), answer(boards)))
	server := &http.Server{Addr: ":3000", Handler: mux, ReadHeaderTimeout: 5 * time.Second}
	return server.ListenAndServe()
}

// each reads every file that a pattern names; there has to be one.
func each(pattern string, read func(path string, content []byte) error) error {
	paths, err := filepath.Glob(pattern)
	if err != nil {
		return err
	}
	if len(paths) == 0 {
		return errors.New("there is no " + pattern)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err == nil {
			err = read(path, content)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

func datasources() (all []datasource, err error) {
	err = each(provisioning+"/datasources/*.y*ml", func(_ string, content []byte) error {
		var file struct{ Datasources []datasource }
		if err := yaml.Unmarshal(content, &file); err != nil {
			return err
		}
		for _, d := range file.Datasources {
			if d.Name == "" || d.UID == "" || d.Type == "" || d.URL == "" {
				return fmt.Errorf("the datasource %+v is not whole", d)
			}
		}
		all = append(all, file.Datasources...)
		return nil
	})
	return all, err
}

func dashboards() (all []dashboard, err error) {
	taken := map[string]string{} // path by UID
	err = each(provisioning+"/dashboards/*.y*ml", func(_ string, content []byte) error {
		var file struct {
			Providers []struct {
				Type    string
				Options struct{ Path string }
			}
		}
		if err := yaml.Unmarshal(content, &file); err != nil {
			return err
		}
		for _, p := range file.Providers {
			err := each(filepath.Join(p.Options.Path, "*.json"), func(path string, content []byte) error {
				var d dashboard
				if err := json.Unmarshal(content, &d); err != nil {
					return err
				}
				if d.UID == "" || d.Title == "" || len(d.Panels) == 0 || taken[d.UID] != "" {
					return fmt.Errorf("UID %q (taken by %q), title %q, %d panels", d.UID, taken[d.UID], d.Title, len(d.Panels))
				}
				taken[d.UID] = path
				d.Panels = nil
				all = append(all, d)
				return nil
			})
			if err != nil {
				return err
			}
		}
		return nil
	})
	return all, err
}

func answer(value any) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value) // who asked has gone
	})
}

func admin(password string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		user, given, _ := r.BasicAuth()
		if user != "admin" || subtle.ConstantTimeCompare([]byte(given), []byte(password)) != 1 {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		next.ServeHTTP(w, r)
	})
}
