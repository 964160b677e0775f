package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"strconv"
	"time"
)

const nullAbout = `An SMTP and LMTP server that says yes to everything and keeps nothing. What a
generator reaches against it is the generator's own limit. It prints the line
"listen smtp ADDRESS" when it is ready.`

const nullExamples = `  perf null -listen 127.0.0.1:2599`

func runNull(ctx context.Context, args []string, out io.Writer) error {
	f := newFlags("null", nullAbout, nullExamples)
	listen := f.String("listen", "127.0.0.1:0", "`address` to listen on")
	if err := parseFlags(f, args); err != nil {
		return err
	}
	s, err := startNull(*listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listen smtp %s\n", s.listener.Addr())
	<-ctx.Done()
	return s.listener.Close()
}

// nullServer is the server of "perf null": one goroutine for each connection.
type nullServer struct {
	listener net.Listener
	tls      *tls.Config
}

// startNull listens on address and serves until the listener is closed.
func startNull(address string) (*nullServer, error) {
	config, err := throwawayTLS()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return nil, err
	}
	s := &nullServer{listener: l, tls: config}
	go s.accept()
	return s, nil
}

func (s *nullServer) accept() {
	for {
		c, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			session := &nullSession{server: s, conn: c, buffer: make([]byte, 64<<10)}
			go session.serve()
		}
	}
}

// nullSession reads commands and bodies out of in, which holds what has
// arrived and was not yet looked at, and gathers replies in out.
type nullSession struct {
	server *nullServer
	conn   net.Conn
	buffer []byte
	in     []byte // the part of buffer that holds unread octets
	out    []byte
	body   nullBody
	left   int // octets of a BDAT chunk that are still to come
	rcpts  int
	lmtp   bool
	done   bool
}

type nullBody int

const (
	bodyNone nullBody = iota
	bodyDots          // DATA, until CRLF.CRLF
	bodyChunk
	bodyLastChunk
)

func (s *nullSession) serve() {
	defer func() { s.conn.Close() }()
	s.out = append(s.out, "220 null.test ESMTP\r\n"...)
	for {
		for s.step() {
		}
		if len(s.out) > 0 {
			if _, err := s.conn.Write(s.out); err != nil {
				return
			}
			s.out = s.out[:0]
		}
		if s.done || s.fill() != nil {
			return
		}
	}
}

// fill reads more; what is unread moves to the front of the buffer first. A
// line that fills the whole buffer is an error.
func (s *nullSession) fill() error {
	held := copy(s.buffer, s.in)
	if held == len(s.buffer) {
		return bufio.ErrBufferFull
	}
	n, err := s.conn.Read(s.buffer[held:])
	s.in = s.buffer[:held+n]
	return err
}

// step consumes one command or a piece of a body; false when more must arrive.
func (s *nullSession) step() bool {
	switch s.body {
	case bodyDots:
		return s.stepDots()
	case bodyChunk, bodyLastChunk:
		return s.stepChunk()
	}
	end := bytes.IndexByte(s.in, '\n')
	if end < 0 || s.done {
		return false
	}
	line := s.in[:end]
	s.in = s.in[end+1:]
	s.command(line)
	return true
}

// stepDots drops the body; the last four octets stay in the buffer because the
// end may have been cut in two.
func (s *nullSession) stepDots() bool {
	end := bytes.Index(s.in, []byte("\r\n.\r\n"))
	if end < 0 {
		s.in = s.in[max(0, len(s.in)-4):]
		return false
	}
	s.in = s.in[end+5:]
	s.body = bodyNone
	s.accepted()
	return true
}

func (s *nullSession) stepChunk() bool {
	n := min(s.left, len(s.in))
	s.in, s.left = s.in[n:], s.left-n
	if s.left > 0 {
		return false
	}
	if s.body == bodyLastChunk {
		s.accepted()
	} else {
		s.out = append(s.out, "250 2.0.0 Ok\r\n"...)
	}
	s.body = bodyNone
	return true
}

// accepted answers the end of a message: once, or in LMTP per recipient.
func (s *nullSession) accepted() {
	times := 1
	if s.lmtp {
		times = s.rcpts
	}
	for range times {
		s.out = append(s.out, "250 2.0.0 Ok: discarded\r\n"...)
	}
	s.rcpts = 0
}

// command answers one line; the verb is told by its first letters.
func (s *nullSession) command(line []byte) {
	if len(line) < 4 {
		s.out = append(s.out, "500 5.5.2 What?\r\n"...)
		return
	}
	switch verb := [4]byte(bytes.ToUpper(line[:4])); string(verb[:]) {
	case "EHLO", "LHLO":
		s.lmtp = verb[0] == 'L'
		s.out = append(s.out, "250-null.test\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-8BITMIME\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n"...)
	case "RCPT":
		s.rcpts++
		s.out = append(s.out, "250 2.1.5 Ok\r\n"...)
	case "DATA":
		s.body = bodyDots
		s.out = append(s.out, "354 Go on\r\n"...)
	case "BDAT":
		s.beginChunk(line)
	case "AUTH":
		s.out = append(s.out, "235 2.7.0 Ok\r\n"...)
	case "STAR":
		s.startTLS()
	case "QUIT":
		s.out = append(s.out, "221 2.0.0 Bye\r\n"...)
		s.done = true
	default:
		s.out = append(s.out, "250 2.0.0 Ok\r\n"...)
	}
}

// beginChunk reads "BDAT <size> [LAST]" (RFC 3030 2).
func (s *nullSession) beginChunk(line []byte) {
	words := bytes.Fields(line)
	if len(words) < 2 {
		s.out = append(s.out, "501 5.5.4 Size?\r\n"...)
		return
	}
	size, err := strconv.Atoi(string(words[1]))
	if err != nil || size < 0 {
		s.out = append(s.out, "501 5.5.4 Size?\r\n"...)
		return
	}
	s.left, s.body = size, bodyChunk
	if len(words) > 2 {
		s.body = bodyLastChunk
	}
}

func (s *nullSession) startTLS() {
	if _, err := s.conn.Write([]byte("220 2.0.0 Go on\r\n")); err != nil {
		s.done = true
		return
	}
	s.conn = tls.Server(s.conn, s.server.tls)
	s.in = s.in[:0]
}

// throwawayTLS is a configuration with a certificate made for this run.
func throwawayTLS() (*tls.Config, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1),
		NotAfter:     time.Now().Add(24 * time.Hour),
		DNSNames:     []string{"null.test"},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, nil
}
