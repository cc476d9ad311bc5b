package apiserver

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/go-chi/httprate"
)

// limitWindow is the time over which logins are counted.
const limitWindow = time.Minute

// everywhere is how many times as often one name may be tried from all addresses together as from one.
// It is above what one address may try at all, so that nobody alone can keep somebody else out.
const everywhere = 10

// limits bounds how often passwords can be tried: for one name from one address, for one name from
// anywhere, and from one address for any name.
type limits struct {
	byPair, byUser, byAddress *httprate.RateLimiter
}

func newLimits(user, address int) *limits {
	// No headers: how many tries are left is nobody's business.
	quiet := httprate.WithResponseHeaders(httprate.ResponseHeaders{})
	return &limits{
		byPair:    httprate.NewRateLimiter(user, limitWindow, quiet),
		byUser:    httprate.NewRateLimiter(user*everywhere, limitWindow, quiet),
		byAddress: httprate.NewRateLimiter(address, limitWindow, quiet),
	}
}

// password counts a try of a password and refuses it if there were too many.
func (l *limits) password(ctx context.Context, username string) error {
	x := exchangeOf(ctx)
	r := (&http.Request{}).WithContext(ctx)
	address := httprate.CanonicalizeIP(hostOf(x.remote)) // of IPv6, the /64
	name := strings.ToLower(strings.TrimSpace(username))
	if l.byAddress.OnLimit(x, r, address) || l.byPair.OnLimit(x, r, address+" "+name) || l.byUser.OnLimit(x, r, name) {
		f := newFailure(http.StatusTooManyRequests, "", "too many logins: try again in a minute").says("error.tries", nil)
		f.header.Set("Retry-After", fmt.Sprint(int(limitWindow.Seconds())))
		return f
	}
	return nil
}
