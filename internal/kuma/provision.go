package kuma

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
)

// What the things are called that Provision makes beside the monitors.
const (
	NotificationName = "IA Continu"
	PageSlug         = "ia-continu"
	PageTitle        = "IA Continu"
	KeyName          = "prometheus"
)

// Report is what Provision did.
type Report struct {
	// Changes are what was made or changed, in words, without any secret; empty if all was there.
	Changes []string
	// Version is the server's.
	Version string
	// PageURL is the status page.
	PageURL string
}

// Provision brings about what the options say and leaves alone what is there already.
func Provision(ctx context.Context, o Options) (Report, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return Report{}, err
	}
	if err := o.keyFolder(); err != nil {
		return Report{}, fmt.Errorf("kuma: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, o.Timeout)
	defer cancel()
	report, err := provision(ctx, o)
	var refused *refusal
	if errors.As(err, &refused) && refused.taken() { // by another run: what it made is there the next time
		var again Report
		again, err = provision(ctx, o)
		again.Changes = append(report.Changes, again.Changes...)
		report = again
	}
	if err != nil {
		return report, fmt.Errorf("kuma: %s: %w", o.URL, err)
	}
	return report, nil
}

// provision is one connection.
func provision(ctx context.Context, o Options) (Report, error) {
	s, err := login(ctx, o)
	if err != nil {
		return Report{}, err
	}
	defer s.close()
	p := &provisioning{session: s, o: o}
	p.report.Version, p.report.PageURL = s.version.text, o.URL+"/status/"+PageSlug
	if s.made {
		p.did("made the account %s", o.Username)
	}
	for _, step := range []func(context.Context) error{p.notification, p.allMonitors, p.page, p.key} {
		if err := step(ctx); err != nil {
			return p.report, err
		}
	}
	return p.report, nil
}

// provisioning is one run.
type provisioning struct {
	*session
	o      Options
	report Report

	discord int            // id of the notification, 0 if there is none
	ids     map[string]int // of the monitors
}

func (p *provisioning) did(format string, args ...any) {
	p.report.Changes = append(p.report.Changes, fmt.Sprintf(format, args...))
}

// notification has the webhook told. Without one, what is there stays.
func (p *provisioning) notification(ctx context.Context) error {
	if p.o.DiscordURL == "" {
		return nil
	}
	want := record{
		"name": NotificationName, "type": "discord", "isDefault": true, "applyExisting": false,
		"discordWebhookUrl": p.o.DiscordURL, "discordUsername": PageTitle,
	}
	there := named(p.notifications, NotificationName)
	var id any // nil makes a new one
	if there != nil {
		p.discord, id = there.id(), there.id()
		var config record
		if err := json.Unmarshal([]byte(there.text("config")), &config); err != nil {
			return fmt.Errorf("notification %s: its configuration: %w", NotificationName, err)
		}
		merged, changed := merge(config, want)
		if len(changed) == 0 {
			return nil
		}
		want = merged
	}
	var answer struct {
		ID int `json:"id"`
	}
	if err := p.call(ctx, &answer, "addNotification", want, id); err != nil {
		return fmt.Errorf("notification %s: %w", NotificationName, err)
	}
	p.discord = answer.ID
	if there == nil {
		p.did("made the notification %s, by Discord", NotificationName)
	} else {
		p.did("changed the notification %s", NotificationName)
	}
	return nil
}

func (p *provisioning) allMonitors(ctx context.Context) error {
	p.ids = map[string]int{}
	for _, m := range p.o.Monitors {
		if err := p.monitor(ctx, m); err != nil {
			return fmt.Errorf("monitor %s: %w", m.Name, err)
		}
	}
	return nil
}

func (p *provisioning) monitor(ctx context.Context, m Monitor) error {
	want := p.fields(m)
	there := named(p.monitors, m.Name)
	if there == nil {
		var answer struct {
			ID int `json:"monitorID"`
		}
		if err := p.call(ctx, &answer, "add", p.complete(want)); err != nil {
			return err
		}
		p.ids[m.Name] = answer.ID
		p.did("made the monitor %s", m.Name)
		return nil
	}
	p.ids[m.Name] = there.id()
	merged, changed := merge(there, want)
	if len(changed) == 0 {
		return nil
	}
	if err := p.call(ctx, nil, "editMonitor", merged); err != nil {
		return err
	}
	p.did("changed the monitor %s: %s", m.Name, strings.Join(changed, ", "))
	return nil
}

// fields are those of a monitor that matter here, as JSON has them.
func (p *provisioning) fields(m Monitor) record {
	f := record{
		"name": m.Name, "interval": seconds(m.Interval), "retryInterval": seconds(cmp.Or(m.RetryInterval, MinInterval)),
		"maxretries": float64(m.Retries), "notificationIDList": map[string]any{},
	}
	if p.discord != 0 {
		f["notificationIDList"] = map[string]any{strconv.Itoa(p.discord): true}
	}
	u, _ := url.Parse(m.URL) // was validated
	switch {
	case m.PushToken != "":
		f["type"], f["pushToken"] = "push", m.PushToken
		return f
	case u.Scheme == "tcp":
		port, _ := strconv.ParseFloat(u.Port(), 64) // a URL's port is of digits
		f["type"], f["hostname"], f["port"] = "port", u.Hostname(), port
		return f
	case m.JSONPath == "":
		f["type"] = "http"
	default:
		f["type"], f["jsonPath"], f["expectedValue"] = "json-query", m.JSONPath, m.Expected
		if !p.version.preview {
			f["jsonPathOperator"] = "=="
		}
	}
	f["url"], f["method"], f["timeout"] = m.URL, "GET", float64(10)
	return f
}

func seconds(d time.Duration) float64 { return d.Round(time.Second).Seconds() }

// complete adds to a new monitor what the server will not do without.
func (p *provisioning) complete(f record) record {
	all := record{
		"accepted_statuscodes": []any{"200-299"}, "maxredirects": 10, "resendInterval": 0, "timeout": 10,
		"kafkaProducerBrokers": []any{}, "kafkaProducerSaslOptions": map[string]any{"mechanism": "None"},
	}
	if !p.version.preview {
		all["conditions"], all["rabbitmqNodes"] = []any{}, []any{}
	}
	maps.Copy(all, f)
	return all
}

// merge lays what is wanted over what is there, and names what that changes. Of a set, more may be there.
func merge(there, want record) (merged record, changed []string) {
	merged = maps.Clone(there)
	for _, field := range slices.Sorted(maps.Keys(want)) {
		value := want[field]
		if set, ok := value.(map[string]any); ok {
			old, _ := there[field].(map[string]any)
			all := maps.Clone(set)
			maps.Copy(all, old)
			if value = all; len(all) == len(old) {
				continue
			}
		}
		if !reflect.DeepEqual(there[field], value) {
			merged[field] = value
			changed = append(changed, field)
		}
	}
	return merged, changed
}
