package boot

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
)

// Port is a TCP port; 0 lets the system choose.
type Port int

// UnmarshalText implements encoding.TextUnmarshaler.
func (p *Port) UnmarshalText(text []byte) error {
	n, err := strconv.ParseUint(string(text), 10, 16)
	if err != nil {
		return fmt.Errorf("%q is not a port from 0 to 65535", text)
	}
	*p = Port(n)
	return nil
}

// AdminHost is where admin listeners listen.
type AdminHost struct {
	Host string `env:"ADMIN_HOST" envDefault:"127.0.0.1" help:"address of the admin listener (/metrics, /healthz, /debug/pprof/)"`
}

// HostPort is the address host:port.
func HostPort(host string, port Port) string { return net.JoinHostPort(host, strconv.Itoa(int(port))) }

// Ask fails unless the listener on host and port, of this machine, answers a GET of the path with 200.
func Ask(ctx context.Context, host string, port Port, path string) error {
	url := "http://" + HostPort(reachable(host), port) + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	if err := res.Body.Close(); err != nil {
		return err
	}
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return nil
}

// reachable is the address at which a listener on host is reached from the same machine.
func reachable(host string) string {
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		return "127.0.0.1"
	}
	return host
}
