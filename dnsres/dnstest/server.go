// Package dnstest runs DNS servers inside tests: on loopback, over UDP and
// TCP, with answers from a few lines of text, or with whatever a test wants to
// go wrong. Nothing but tests may use it.
package dnstest

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"barid/dnsres/wire"
)

// Query is a question that reached the server.
type Query struct {
	wire.Message
	Octets []byte         // the message as it came
	Name   string         // of the question, canonical
	Type   wire.Type      // of the question
	From   netip.AddrPort // who asks
	Stream net.Conn       // over TCP: for doing other things than Send; nil over UDP
	socket *net.UDPConn
}

// TCP tells that the question came over TCP.
func (q *Query) TCP() bool { return q.Stream != nil }

// Send sends a message to the one who asked.
func (q *Query) Send(msg []byte) {
	if q.Stream != nil {
		q.Stream.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...))
	} else {
		q.socket.WriteToUDPAddrPort(msg, q.From)
	}
}

// Handler answers a query, with Send, or not at all. It runs on a goroutine of
// its own.
type Handler func(q *Query)

// Server is a running server.
type Server struct {
	Addr     netip.AddrPort
	t        testing.TB
	socket   *net.UDPConn
	listener *net.TCPListener
	running  sync.WaitGroup

	mu      sync.Mutex
	handler Handler
	asked   []Query
	streams map[net.Conn]bool
}

// Start runs a server on 127.0.0.1 and a free port until the test ends.
func Start(t testing.TB, h Handler) *Server {
	t.Helper()
	for range 100 {
		socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		addr := socket.LocalAddr().(*net.UDPAddr).AddrPort()
		listener, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(addr))
		if err != nil { // somebody has that port for TCP
			socket.Close()
			continue
		}
		s := &Server{Addr: addr, t: t, socket: socket, listener: listener, handler: h, streams: map[net.Conn]bool{}}
		s.running.Go(s.serveUDP)
		s.running.Go(s.serveTCP)
		t.Cleanup(s.stop)
		return s
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil
}

func (s *Server) stop() {
	s.socket.Close()
	s.listener.Close()
	s.mu.Lock()
	for stream := range s.streams {
		stream.Close()
	}
	s.streams = nil
	s.mu.Unlock()
	s.running.Wait()
}

// Handle replaces the handler.
func (s *Server) Handle(h Handler) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.handler = h
}

// Asked lists the queries so far.
func (s *Server) Asked() []Query {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Query(nil), s.asked...)
}

func (s *Server) serveUDP() {
	for {
		var buffer [4096]byte
		n, from, err := s.socket.ReadFromUDPAddrPort(buffer[:])
		if err != nil {
			return
		}
		s.handle(&Query{Octets: buffer[:n:n], From: from, socket: s.socket})
	}
}

func (s *Server) serveTCP() {
	for {
		conn, err := s.listener.AcceptTCP()
		if err != nil {
			return
		}
		s.running.Go(func() { s.serveStream(conn) })
	}
}

func (s *Server) serveStream(conn *net.TCPConn) {
	defer conn.Close()
	s.mu.Lock()
	if s.streams == nil {
		s.mu.Unlock()
		return
	}
	s.streams[conn] = true
	s.mu.Unlock()
	for {
		var length [2]byte
		if _, err := io.ReadFull(conn, length[:]); err != nil {
			return
		}
		msg := make([]byte, binary.BigEndian.Uint16(length[:]))
		if _, err := io.ReadFull(conn, msg); err != nil {
			return
		}
		s.handle(&Query{Octets: msg, From: conn.RemoteAddr().(*net.TCPAddr).AddrPort(), Stream: conn})
	}
}

func (s *Server) handle(q *Query) {
	m, err := wire.Parse(q.Octets)
	if err != nil || !m.Asked {
		s.t.Errorf("a query that is none: %q, %v", q.Octets, err)
		return
	}
	q.Message, q.Name, q.Type = m, m.Question.Name.String(), m.Question.Type
	s.mu.Lock()
	s.asked = append(s.asked, *q)
	h := s.handler
	s.mu.Unlock()
	s.running.Go(func() { h(q) })
}
