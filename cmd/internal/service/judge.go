package service

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"iacontinu/cmd/internal/boot"
)

// judgeLink says what is wrong with the address of a server that people are led to; none is right.
func judgeLink(setting, value string) error {
	if value == "" {
		return nil
	}
	return boot.JudgeBase(setting, value, " such as http://localhost:3000")
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
