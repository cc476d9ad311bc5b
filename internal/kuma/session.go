package kuma

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// session is a connection that has logged in, with what the server then sends of its own accord.
type session struct {
	*socket
	version version
	made    bool // the account is new

	monitors      []record
	notifications []record
	keys          []record
}

// record is a thing of the server as it is there, all fields of it.
type record map[string]any

func (r record) text(field string) string {
	s, _ := r[field].(string)
	return s
}

func (r record) id() int {
	n, _ := r["id"].(float64)
	return int(n)
}

// named is the oldest record of that name, nil if there is none.
func named(records []record, name string) record {
	var found record
	for _, r := range records {
		if r.text("name") == name && (found == nil || r.id() < found.id()) {
			found = r
		}
	}
	return found
}

// version of the server: its number, and whether it is the first preview of 2.0.0, whose monitors lack
// some fields.
type version struct {
	text    string
	preview bool
}

func parseVersion(text string) (version, error) {
	major, _, _ := strings.Cut(text, ".")
	if n, err := strconv.Atoi(major); err != nil || n != 2 {
		return version{}, fmt.Errorf("%w but %s, of which nothing was tried: use the image louislam/uptime-kuma:2", ErrVersion, text)
	}
	return version{text: text, preview: strings.HasPrefix(text, "2.0.0-dev")}, nil
}

// login makes the first account if there is none, logs in and waits for the lists.
func login(ctx context.Context, o Options) (_ *session, err error) {
	socket, err := dial(ctx, o.URL)
	if err != nil {
		return nil, err
	}
	s := &session{socket: socket}
	defer func() {
		if err != nil {
			s.close()
		}
	}()
	if _, err := s.last(ctx, "info"); err != nil { // what is sent before that is lost
		return nil, err
	}
	var empty bool
	if err := s.call(ctx, &empty, "needSetup"); err != nil {
		return nil, err
	}
	if empty {
		if err := s.call(ctx, nil, "setup", o.Username, o.Password); err != nil {
			return nil, fmt.Errorf("make the first account: %w", err)
		}
		s.made = true
	}
	if err := s.authenticate(ctx, o.Username, o.Password); err != nil {
		return nil, err
	}
	return s, s.readLists(ctx)
}

func (s *session) authenticate(ctx context.Context, username, password string) error {
	var answer struct {
		OK            bool `json:"ok"`
		TokenRequired bool `json:"tokenRequired"`
	}
	err := s.call(ctx, &answer, "login", map[string]string{"username": username, "password": password, "token": ""})
	var refused *refusal
	switch {
	case errors.As(err, &refused) && strings.Contains(refused.message, "Too frequently"):
		return fmt.Errorf("%w for now, after too many tries: wait a minute", ErrCredentials)
	case errors.As(err, &refused):
		return fmt.Errorf("%w of user %s: the name or the password is wrong", ErrCredentials, username)
	case err != nil:
		return err
	case answer.TokenRequired:
		return fmt.Errorf("%w of user %s: it asks for a second factor; turn that off for this account", ErrCredentials, username)
	case !answer.OK:
		return fmt.Errorf("%w of user %s", ErrCredentials, username)
	}
	return nil
}

// readLists waits for what comes after a login. The version is told only then.
func (s *session) readLists(ctx context.Context) error {
	var info struct {
		Version string `json:"version"`
	}
	err := s.until(ctx, "the server's version", func() bool {
		return json.Unmarshal(s.events["info"], &info) == nil && info.Version != ""
	})
	if err != nil {
		return err
	}
	if s.version, err = parseVersion(info.Version); err != nil {
		return err
	}
	events, err := s.last(ctx, "monitorList", "notificationList", "apiKeyList")
	if err != nil {
		return err
	}
	var byID map[string]record
	err = errors.Join(
		json.Unmarshal(events["monitorList"], &byID),
		json.Unmarshal(events["notificationList"], &s.notifications),
		json.Unmarshal(events["apiKeyList"], &s.keys),
	)
	if err != nil {
		return fmt.Errorf("the server's lists: %w", err)
	}
	for _, r := range byID {
		s.monitors = append(s.monitors, r)
	}
	return nil
}
