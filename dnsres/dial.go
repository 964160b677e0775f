package dnsres

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"syscall"
)

// portMin is the lowest port that questions are sent from: below are the
// ports of services. There are 49,152 ports from it on.
const portMin = 1 << 14

// portTries is how many ports are tried; when all are in use the system picks
// one.
const portTries = 8

// dial connects to a server. For UDP the socket is new and its port is drawn
// from our own random source, because an old system's choice can be foreseen
// (RFC 5452 9.2), and it is connected, so that the system drops packets from
// anywhere else (RFC 5452 9.1).
func (r *Resolver) dial(ctx context.Context, network string, server netip.AddrPort) (net.Conn, error) {
	if network != "udp" {
		var d net.Dialer
		return d.DialContext(ctx, network, server.String())
	}
	remote := net.UDPAddrFromAddrPort(server)
	for range portTries {
		port, err := r.drawPort()
		if err != nil {
			return nil, err
		}
		conn, err := net.DialUDP(network, &net.UDPAddr{Port: port}, remote)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return conn, err
		}
	}
	return net.DialUDP(network, nil, remote)
}

// drawPort gives a random port from portMin on, each as likely as any other.
func (r *Resolver) drawPort() (int, error) {
	for {
		var b [2]byte
		if _, err := io.ReadFull(r.o.Random, b[:]); err != nil {
			return 0, err
		}
		if port := int(binary.BigEndian.Uint16(b[:])); port >= portMin {
			return port, nil
		}
	}
}
