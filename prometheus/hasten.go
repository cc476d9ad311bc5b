package prometheus

import (
	"fmt"
	"regexp"
	"strconv"
	"time"
)

// waits are the settings that say how long to wait before something is told: in rules, and in the routes of
// Alertmanager. The windows of expressions are no waits.
var waits = regexp.MustCompile(`(?m)^(\s*(?:- )?(?:for|interval|keep_firing_for|group_wait|group_interval): *)(\d+)(ms|s|m|h|d)( *(?:#.*)?)$`)

var units = map[string]time.Duration{"ms": time.Millisecond, "s": time.Second, "m": time.Minute, "h": time.Hour, "d": 24 * time.Hour}

// Hasten divides every wait of a file of rules or routes, so that a test of minutes takes seconds of the same rules.
func Hasten(text []byte, by int) ([]byte, error) {
	if by < 1 {
		return nil, fmt.Errorf("prometheus: hasten by %d: it has to be 1 or more", by)
	}
	return waits.ReplaceAllFunc(text, func(line []byte) []byte {
		m := waits.FindSubmatch(line)
		n, err := strconv.Atoi(string(m[2]))
		if err != nil {
			return line
		}
		wait := max(time.Duration(n)*units[string(m[3])]/time.Duration(by), time.Millisecond).Round(time.Millisecond)
		if n == 0 {
			wait = 0
		}
		return []byte(fmt.Sprintf("%s%dms%s", m[1], wait.Milliseconds(), m[4]))
	}), nil
}
