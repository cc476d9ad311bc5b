package kuma

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

const pageText = "What answers, what does not, and since when."

// group is a heading of the status page and the monitors under it. These are kept as they came: they
// have more fields in each version.
type group struct {
	ID       int      `json:"id,omitempty"` // 0: it is new
	Name     string   `json:"name"`
	Monitors []record `json:"monitorList"`
}

// page makes the status page, or adds to it what it lacks. Where on it people have put a monitor is theirs.
func (p *provisioning) page(ctx context.Context) error {
	var there struct {
		Config record `json:"config"`
	}
	err := p.call(ctx, &there, "getStatusPage", PageSlug)
	var none *refusal
	isNew := errors.As(err, &none)
	if isNew {
		if err := p.call(ctx, nil, "addStatusPage", PageTitle, PageSlug); err != nil {
			return fmt.Errorf("status page: %w", err)
		}
		err = p.call(ctx, &there, "getStatusPage", PageSlug)
	}
	if err != nil {
		return fmt.Errorf("status page: %w", err)
	}
	groups, err := p.groups(ctx)
	if err != nil {
		return err
	}
	groups, added := p.arrange(groups)
	config, changed := merge(there.Config, record{"title": PageTitle, "description": pageText})
	if !added && len(changed) == 0 {
		return nil
	}
	if _, ok := config["analyticsType"]; !ok {
		config["analyticsType"] = nil
	}
	icon := config.text("icon") // where a version takes it from differs
	config["logo"] = icon
	if err := p.call(ctx, nil, "saveStatusPage", PageSlug, config, icon, groups); err != nil {
		return fmt.Errorf("status page: %w", err)
	}
	if isNew {
		p.did("made the status page %s", PageSlug)
	} else {
		p.did("changed the status page %s", PageSlug)
	}
	return nil
}

// groups are those of the page, which only its public side tells.
func (p *provisioning) groups(ctx context.Context) ([]group, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, p.o.URL+"/api/status-page/"+PageSlug, nil)
	if err != nil {
		return nil, err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, fmt.Errorf("%w: status page: %w", ErrUnreachable, cause(err))
	}
	defer res.Body.Close()
	var page struct {
		Groups []group `json:"publicGroupList"`
	}
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status page: Uptime Kuma answers %s", res.Status)
	}
	if err := json.NewDecoder(http.MaxBytesReader(nil, res.Body, maxFrame)).Decode(&page); err != nil {
		return nil, fmt.Errorf("status page: %w", err)
	}
	return page.Groups, nil
}

// arrange puts the monitors that are nowhere on the page under their headings.
func (p *provisioning) arrange(groups []group) (_ []group, added bool) {
	shown := map[int]bool{}
	place := map[string]int{}
	for i, g := range groups {
		place[g.Name] = i
		for _, m := range g.Monitors {
			shown[m.id()] = true
		}
	}
	for _, m := range p.o.Monitors {
		id := p.ids[m.Name]
		if shown[id] {
			continue
		}
		at, ok := place[m.Group]
		if !ok {
			at = len(groups)
			place[m.Group] = at
			groups = append(groups, group{Name: m.Group})
		}
		groups[at].Monitors = append(groups[at].Monitors, record{"id": float64(id)})
		added = true
	}
	return groups, added
}
