package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"iacontinu/internal/api"
	"iacontinu/internal/discord"
	"iacontinu/internal/ml"
)

// receiverTopic is where it is kept, beside what people were told, what became of telling them: the API may
// be another process than the worker, and a restart mends no webhook.
const receiverTopic ml.EventTopic = "discord"

// keepTimeout bounds the keeping, which goes on when the worker stops.
const keepTimeout = 5 * time.Second

// receiver is what the worker last saw of Discord.
type receiver struct {
	// Webhook tells one from another and nothing of it; empty if none is set.
	Webhook string `json:"webhook,omitempty"`
	// Failure is why the last message was not sent, in words that anybody may read.
	Failure string `json:"failure,omitempty"`
}

// fingerprint of a webhook's URL, which is a secret.
func fingerprint(url string) string {
	if url == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(url))
	return hex.EncodeToString(sum[:4])
}

// watched is Discord, of which is kept whether it took the last message.
type watched struct {
	*discord.Client
	platform *Platform
	webhook  string
}

// Send implements the notifier's sender.
func (w watched) Send(ctx context.Context, e ml.Event) error {
	err := w.Client.Send(ctx, e)
	var refused *discord.Error
	if ctx.Err() != nil || errors.As(err, &refused) && refused.RetryAfter() > 0 {
		return err // the worker stops, or Discord is well and asks to wait
	}
	w.platform.keepReceiver(ctx, func(s *ml.NotificationState, r *receiver) {
		s.LatestAt = time.Now()
		if err == nil {
			s.SentAt = s.LatestAt
		}
		*r = receiver{Webhook: w.webhook, Failure: failureWords(err)}
	})
	return err
}

// failureWords say why a message was not sent, without what an answer or an address may tell.
func failureWords(err error) string {
	var refused *discord.Error
	switch {
	case err == nil:
		return ""
	case !errors.As(err, &refused) || refused.Status == 0:
		return "Discord can't be reached, the worker's log says why"
	case refused.Status == http.StatusUnauthorized || refused.Status == http.StatusForbidden || refused.Status == http.StatusNotFound:
		return fmt.Sprintf("Discord answered %d: the webhook is gone or its token is wrong; make a new one and set DISCORD_WEBHOOK_URL", refused.Status)
	}
	return fmt.Sprintf("Discord answered %d, the worker's log says more", refused.Status)
}

// startReceiver keeps which webhook is set. What was seen of another one is forgotten.
func (p *Platform) startReceiver(ctx context.Context, webhook string) {
	p.keepReceiver(ctx, func(s *ml.NotificationState, r *receiver) {
		if r.Webhook != webhook {
			s.SentAt, s.LatestAt = time.Time{}, time.Time{}
			*r = receiver{Webhook: webhook}
		}
	})
}

// keepReceiver changes what is kept. If another worker has done so meanwhile, that stays: it is as new.
func (p *Platform) keepReceiver(ctx context.Context, change func(*ml.NotificationState, *receiver)) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
	defer cancel()
	state, seen, err := p.receiver(ctx)
	if err == nil {
		change(&state, &seen)
		var text []byte
		if text, err = json.Marshal(seen); err == nil {
			state.State = string(text)
			err = p.Store.SetNotificationState(ctx, state)
		}
	}
	if err != nil && ml.CodeOf(err) != ml.CodeConflict {
		p.Log.WarnContext(ctx, "it can't be kept what became of a message, for /health", "error", err)
	}
}

// receiver reads what is kept; its revision is 0 if no worker has run yet.
func (p *Platform) receiver(ctx context.Context) (state ml.NotificationState, seen receiver, err error) {
	state, err = p.Store.NotificationState(ctx, receiverTopic)
	if err == nil && state.Revision > 0 {
		err = json.Unmarshal([]byte(state.State), &seen)
	}
	return state, seen, err
}

// discordCheck tells whether the last message was sent.
func (p *Platform) discordCheck(ctx context.Context) api.Check {
	state, seen, err := p.receiver(ctx)
	ago := func(at time.Time) string { return time.Since(at).Round(time.Second).String() }
	switch {
	case err != nil:
		return api.Check{Status: stateWarning, Detail: "unknown: what became of the last message can't be read"}
	case state.Revision == 0:
		return api.Check{Status: stateOff, Detail: "no worker has run yet"}
	case seen.Webhook == "":
		return api.Check{Status: stateOff, Detail: "no webhook is set: messages are logged only"}
	case state.LatestAt.IsZero():
		return api.Check{Status: stateOK, Detail: "nothing was to be told yet"}
	}
	check := api.Check{Status: stateOK, Detail: "the last message was sent " + ago(state.LatestAt) + " ago"}
	if seen.Failure != "" {
		check = api.Check{Status: stateWarning, Detail: "the last message was not sent, " + ago(state.LatestAt) + " ago: " + seen.Failure}
	}
	if !state.SentAt.IsZero() {
		check.At = &state.SentAt
	}
	return check
}
