package service

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"
)

// judgeURL says what is wrong with a setting that is the address of a server. The URL may hold a password:
// the error must not repeat it.
func judgeURL(setting, value, example string) error {
	u, err := url.Parse(value)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return fmt.Errorf("%s: is not an http(s) URL%s", setting, example)
	}
	if port, err := strconv.Atoi(u.Port()); u.Port() != "" && (err != nil || port < 1 || port > 65535) {
		return fmt.Errorf("%s: its port is %s, want 1 to 65535", setting, u.Port())
	}
	return nil
}

// judgeBase is judgeURL for an address that paths are added to, and that is shown: a query may hold a key.
func judgeBase(setting, value, example string) error {
	if err := judgeURL(setting, value, example); err != nil {
		return err
	}
	if strings.ContainsAny(value, "?#") {
		return fmt.Errorf("%s: has a ? or #, which the address of a page may have; want that of the server%s", setting, example)
	}
	return nil
}

// judgeLink says what is wrong with the address of a server that people are led to; none is right.
func judgeLink(setting, value string) error {
	if value == "" {
		return nil
	}
	return judgeBase(setting, value, " such as http://localhost:3000")
}

// judgeCertificates says what is wrong with a file of certificates; none is right.
func judgeCertificates(setting, file string) error {
	if file == "" {
		return nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(text) {
		return fmt.Errorf("%s: %s has no certificate in PEM", setting, file)
	}
	return nil
}

// judgeKeyPair says what is wrong with a file of a certificate and its key; none is right.
func judgeKeyPair(setting, file string) error {
	if file == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(file, file); err != nil {
		return fmt.Errorf("%s: %w", setting, err)
	}
	return nil
}

// judgeModelName says what MLflow takes for a name and finds again.
func judgeModelName(setting, name string) error {
	if strings.ContainsAny(name, `/:'"`) || path.Clean(name) != name || name == "." || name == ".." {
		return fmt.Errorf(`%s: %q has one of / : ' " or is no name of a file`, setting, name)
	}
	return judgeName(setting, name)
}

func judgeName(setting, name string) error {
	if name == "" || strings.TrimSpace(name) != name {
		return errors.New(setting + ": is blank, or has blanks around it")
	}
	return nil
}
