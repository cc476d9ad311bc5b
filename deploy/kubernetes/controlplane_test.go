//go:build integration

package kubernetes

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

var binaries = flag.String("control-plane", "", "folder of etcd, kube-apiserver and kube-controller-manager")

// patience bounds each wait for something that must happen.
const patience = 90 * time.Second

// cluster is a control plane with a node on paper: it takes objects and makes pods, which nobody runs. The test says of
// them what a node would.
type cluster struct {
	dir, url string
	http     *http.Client
}

// startCluster runs a control plane until the end of the test.
func startCluster(t *testing.T) *cluster {
	t.Helper()
	if *binaries == "" {
		t.Fatal("-control-plane is missing: see deploy/kubernetes/controlplane")
	}
	c := &cluster{dir: t.TempDir(), http: &http.Client{
		Timeout:   30 * time.Second,
		Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}, // its certificate is made at its start, on this machine
	}}
	clients, peers, secure := freePort(t), freePort(t), freePort(t)
	c.url = "https://127.0.0.1:" + secure
	c.start(t, "etcd", "--data-dir", filepath.Join(c.dir, "etcd"), "--log-level=error",
		"--listen-client-urls=http://127.0.0.1:"+clients, "--advertise-client-urls=http://127.0.0.1:"+clients,
		"--listen-peer-urls=http://127.0.0.1:"+peers, "--initial-advertise-peer-urls=http://127.0.0.1:"+peers,
		"--initial-cluster=default=http://127.0.0.1:"+peers)
	key := c.write(t, "service-accounts.pem", signingKey(t))
	c.start(t, "kube-apiserver", "--etcd-servers=http://127.0.0.1:"+clients,
		"--bind-address=127.0.0.1", "--secure-port="+secure, "--cert-dir="+c.dir, "--service-cluster-ip-range=10.0.0.0/24",
		"--token-auth-file="+c.write(t, "tokens.csv", []byte("test,admin,admin,system:masters\n")),
		"--authorization-mode=RBAC", "--service-account-issuer=https://kubernetes.default.svc",
		"--service-account-key-file="+key, "--service-account-signing-key-file="+key)
	c.eventually(t, "the API server is ready", func() bool {
		status, _ := c.ask(t, http.MethodGet, "/readyz", nil)
		return status == http.StatusOK
	})
	access := c.write(t, "kubeconfig", fmt.Appendf(nil, `{"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}], "users": [{"name": "test", "user": {"token": "test"}}],
		"clusters": [{"name": "test", "cluster": {"server": %q, "insecure-skip-tls-verify": true}}]}`, c.url))
	c.start(t, "kube-controller-manager", "--kubeconfig="+access, "--leader-elect=false", "--bind-address=127.0.0.1", "--secure-port="+freePort(t),
		"--cert-dir="+c.dir, "--service-account-private-key-file="+key, "--controllers=*,-node-lifecycle-controller") // which misses the node's heartbeat
	c.must(t, http.MethodPost, "/api/v1/nodes", `{"apiVersion": "v1", "kind": "Node", "metadata": {"name": "paper"}}`, "application/json")
	return c
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	return port
}

func signingKey(t *testing.T) []byte {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)})
}

func (c *cluster) write(t *testing.T, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(c.dir, name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// start runs a server until the end of the test, and shows its log if that fails.
func (c *cluster) start(t *testing.T, name string, args ...string) {
	t.Helper()
	log, err := os.Create(filepath.Join(c.dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	server := exec.Command(filepath.Join(*binaries, name), args...)
	server.Dir, server.Stdout, server.Stderr = c.dir, log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill() // it may have ended
		_ = server.Wait()
		if text, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("log of %s, its end:\n%s", name, text[max(0, len(text)-4000):])
		}
		_ = log.Close()
	})
}

func (c *cluster) eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	timeout := time.After(patience)
	for !yes() {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatalf("not within %s: %s", patience, what)
		}
	}
}

// ask sends a request, whose body is a patch as the API server applies one.
func (c *cluster) ask(t *testing.T, method, path string, body []byte, kind ...string) (status int, answer []byte) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, c.url+path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer test")
	for _, k := range kind {
		req.Header.Set("Content-Type", k)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return 0, nil // it does not listen yet
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, answer
}

// must sends what the server has to take.
func (c *cluster) must(t *testing.T, method, path, body, kind string) {
	t.Helper()
	if status, answer := c.ask(t, method, path, []byte(body), kind); status != http.StatusOK && status != http.StatusCreated {
		t.Fatalf("%s %s: %d %s", method, path, status, answer)
	}
}

// get reads an object into out.
func (c *cluster) get(t *testing.T, path string, out any) (found bool) {
	t.Helper()
	status, answer := c.ask(t, http.MethodGet, path, nil)
	if status == http.StatusNotFound {
		return false
	}
	if status != http.StatusOK {
		t.Fatalf("GET %s: %d %s", path, status, answer)
	}
	if err := json.Unmarshal(answer, out); err != nil {
		t.Fatal(err)
	}
	return true
}

// folders are where the API has the objects of a kind.
var folders = map[string]string{
	"ConfigMap": "/api/v1/namespaces/%s/configmaps/", "Service": "/api/v1/namespaces/%s/services/",
	"ServiceAccount": "/api/v1/namespaces/%s/serviceaccounts/", "StatefulSet": "/apis/apps/v1/namespaces/%s/statefulsets/",
	"NetworkPolicy": "/apis/networking.k8s.io/v1/namespaces/%s/networkpolicies/",
}

// apply has the server take an object as kubectl apply --server-side does; query may make it a trial.
func (c *cluster) apply(t *testing.T, r Rendered, query string) {
	t.Helper()
	path := "/api/v1/namespaces/" + r.Name
	if r.Kind != "Namespace" {
		path = fmt.Sprintf(folders[r.Kind], r.Namespace) + r.Name
	}
	status, answer := c.ask(t, http.MethodPatch, path+"?fieldManager=test&fieldValidation=Strict"+query, r.YAML, "application/apply-patch+yaml")
	if status != http.StatusOK && status != http.StatusCreated {
		t.Errorf("%s %s: %d %s", r.Kind, r.Name, status, answer)
	}
}
