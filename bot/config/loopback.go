package config

import "net/netip"

// Loopback reports whether a host is this machine: stand-ins run there, and may be asked without TLS.
func Loopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback() || host == "localhost"
}
