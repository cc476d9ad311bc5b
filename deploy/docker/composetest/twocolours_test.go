//go:build integration

package composetest

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"iacontinu/internal/api"
)

// TestTwoColoursBehindCertificates switches by deploy/bluegreen as its README says, under load by Caddy. A platform
// with one colour becomes one with two, and blue is replaced while green serves.
func TestTwoColoursBehindCertificates(t *testing.T) {
	everything(t)
	compose(t, "stop", "--timeout", "5") // it publishes the same ports
	green := filepath.Join("../../bluegreen/switch", "green")
	if _, err := os.Stat(green); err == nil {
		t.Fatalf("%s is there: who serves is said there to a platform that this tree has started", green)
	}
	t.Cleanup(func() { _ = os.Remove(green) }) // not there if the last switch went well
	t.Setenv("IACONTINU_GREEN", "iacontinu/app:"+setting(t, "IACONTINU_VERSION"))
	t.Setenv("EDGE_NETWORK", "10.230.80") // the other one's network stays
	const project = "iacontinu-test-colours"
	startSecond(t, project, *envFile, withFiles(), "app", "worker", "ui")
	two := startSecond(t, project, *envFile, withFiles("compose/tls.yml", "bluegreen/compose.yml", "bluegreen/tls.yml"), "app", "worker", "ui", "proxy", "caddy")
	two.compose(t, "up", "--wait", "--no-build", "app-green") // two of one release that start in one moment look the same

	by := browser(t, two)
	clients, err := signedIn(t, "https://api.localhost", secret(t, "admin_password"), by)
	if err != nil {
		t.Fatal(err)
	}
	crowd := startCrowd(t, clients)
	command := filepath.Join(t.TempDir(), "bluegreen")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", command, "../../bluegreen").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	turn := func(colour, service string) {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), command, "-switch", filepath.Dir(green), "-proxy", "http://127.0.0.1:8000",
			"-blue", "http://127.0.0.1:8010", "-green", "http://127.0.0.1:8011", "-user", "admin",
			"-password-file", filepath.Join(secretsFolder(t), "admin_password"), "-watch", "3s", colour).CombinedOutput()
		if err != nil {
			t.Fatalf("to %s: %v\n%s", colour, err, out)
		}
		crowd.goesOn(t)
		knowsWhoAsks(t, two, by, service)
	}
	crowd.goesOn(t)
	turn("green", "app-green")
	two.compose(t, "up", "--wait", "--no-build", "--no-deps", "--force-recreate", "app")
	turn("blue", "app")
	pagesByHTTPS(t, by)
	t.Logf("figure: %d predictions through two switches", crowd.answered.Load())
}

// browser trusts the authority of Caddy's own, and finds every name on this machine.
func browser(t *testing.T, two second) *http.Client {
	t.Helper()
	file := filepath.Join(t.TempDir(), "root.crt")
	two.compose(t, "cp", "caddy:/data/caddy/pki/authorities/local/root.crt", file)
	authority, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(authority)
	jar, _ := cookiejar.New(nil) // it never fails
	transport := &http.Transport{
		MaxIdleConnsPerHost: 4,
		TLSClientConfig:     &tls.Config{RootCAs: roots},
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			_, port, err := net.SplitHostPort(address)
			if err != nil {
				return nil, err
			}
			return new(net.Dialer).DialContext(ctx, network, "127.0.0.1:"+port)
		},
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Jar: jar}
}

// crowd predicts without a pause, until a request fails or the test ends.
type crowd struct {
	answered atomic.Int64
	failed   chan error
}

func startCrowd(t *testing.T, client *api.Client) *crowd {
	t.Helper()
	const clients = 4
	c := &crowd{failed: make(chan error, clients)}
	var stop atomic.Bool
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for !stop.Load() {
				if _, err := client.Predict(t.Context(), []float64{1, 1}); err != nil {
					c.failed <- err
					return
				}
				c.answered.Add(1)
			}
		})
	}
	t.Cleanup(all.Wait)
	t.Cleanup(func() { stop.Store(true) })
	return c
}

// goesOn waits for more answers; none may have failed.
func (c *crowd) goesOn(t *testing.T) {
	t.Helper()
	have := c.answered.Load()
	eventually(t, "the crowd is answered", func() error {
		select {
		case err := <-c.failed:
			t.Fatalf("after %d answers a request has failed: %v", c.answered.Load(), err)
		default:
		}
		if c.answered.Load() < have+100 {
			return errors.New("it is not")
		}
		return nil
	})
}

// knowsWhoAsks: through two proxies the API is asked by the colour that serves, and knows from where.
func knowsWhoAsks(t *testing.T, two second, by *http.Client, service string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.localhost/who-asks", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-Forwarded-For", "192.0.2.9") // anybody can say so
	res, err := by.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	ui := strings.TrimSpace(two.compose(t, "ps", "--quiet", "ui"))
	machine := strings.TrimSpace(docker(t, "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.Gateway}}{{end}}", ui))
	eventually(t, service+" has written of it", func() error {
		for line := range strings.Lines(two.compose(t, "logs", "--no-log-prefix", "--tail", "2000", service)) {
			if !strings.Contains(line, `"path":"/who-asks"`) {
				continue
			}
			if !strings.Contains(line, `"remote":"`+machine+`"`) {
				t.Fatalf("this machine is %s, and it writes %s", machine, line)
			}
			return nil
		}
		return errors.New("it has not")
	})
}

// pagesByHTTPS: they are nowhere else, their cookie is for nothing else, and what they stream comes as it is made.
func pagesByHTTPS(t *testing.T, by *http.Client) {
	t.Helper()
	if res, err := http.Get("http://localhost:8501"); err == nil {
		res.Body.Close()
		t.Error("the pages are reached beside Caddy")
	}
	res, err := by.PostForm("http://localhost/login", nil)
	if err != nil || res.Request.URL.Scheme != "https" {
		t.Fatalf("http leads to %v, %v", res, err)
	}
	res.Body.Close()
	login := *by
	login.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	res, err = login.PostForm("https://localhost/login", url.Values{"username": {"admin"}, "password": {secret(t, "admin_password")}})
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	if list := res.Cookies(); len(list) != 1 || !list[0].Secure || !list[0].HttpOnly || res.Header.Get("Location") != "/" {
		t.Errorf("the login is answered by %s with %d cookies, or one that is not for TLS alone", res.Status, len(list))
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://localhost/live/drift", nil)
	if err != nil {
		t.Fatal(err)
	}
	if res, err = by.Do(req); err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if line, err := bufio.NewReader(res.Body).ReadString('\n'); err != nil || line != "event: part\n" {
		t.Errorf("the stream begins with %q, %v", line, err)
	}
}
