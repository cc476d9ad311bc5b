package boot

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// JudgeURL says what is wrong with a setting that is the address of a server. The URL may hold a password:
// the error must not repeat it.
func JudgeURL(setting, value, example string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s: is not an http(s) URL%s", setting, example)
	}
	if port, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || port < 1 || port > 65535) {
		return fmt.Errorf("%s: its port is %s, want 1 to 65535", setting, u.Port())
	}
	return nil
}

// JudgeBase is JudgeURL for an address that paths are added to, and that is shown: a query may hold a key.
func JudgeBase(setting, value, example string) error {
	if err := JudgeURL(setting, value, example); err != nil {
		return err
	}
	if strings.ContainsAny(value, "?#") {
		return fmt.Errorf("%s: has a ? or #, which the address of a page may have; want that of the server%s", setting, example)
	}
	return nil
}
