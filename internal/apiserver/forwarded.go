package apiserver

import (
	"net/http"
	"net/netip"
	"slices"
	"strings"
)

// clientOf is the address of who asks: the peer or, if that is a proxy that is trusted, the client that it names in
// X-Forwarded-For. Each proxy adds its own peer at the end, so the last one that is no trusted proxy is the client;
// what stands before may be made up.
func (s *Server) clientOf(r *http.Request) string {
	if len(s.opt.TrustedProxies) == 0 || len(r.Header["X-Forwarded-For"]) == 0 {
		return r.RemoteAddr
	}
	client := r.RemoteAddr
	hops := strings.Split(strings.Join(r.Header["X-Forwarded-For"], ","), ",")
	for _, hop := range slices.Backward(hops) {
		if !s.trusts(client) {
			break
		}
		if _, err := netip.ParseAddr(strings.TrimSpace(hop)); err != nil {
			break
		}
		client = strings.TrimSpace(hop)
	}
	return client
}

func (s *Server) trusts(address string) bool {
	a, err := netip.ParseAddr(hostOf(address))
	return err == nil && slices.ContainsFunc(s.opt.TrustedProxies, func(p netip.Prefix) bool { return p.Contains(a.Unmap()) })
}
