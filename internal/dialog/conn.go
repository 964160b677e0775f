package dialog

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"
)

// Memory is a Conn for an engine that runs in the test's own process. What
// is sent is processed at once, so a line that is not there when Line asks
// for it will never come, and Line says so instead of waiting.
type Memory struct {
	// Feed gives bytes to the session and returns what it answers and
	// whether it is still open. A nil p means that the client has closed its
	// sending half.
	Feed func(p []byte) (replies []byte, open bool)
	// TLS tells the session that the handshake is done; an error when it did
	// not ask for one. Nil: the session has no TLS.
	TLS func() error

	replies []byte
	closed  bool
}

// Greet adds what the server says before the client has sent anything.
func (m *Memory) Greet(replies []byte) { m.replies = append(m.replies, replies...) }

// Send feeds the session. After the server has closed, bytes go nowhere, as
// on a network.
func (m *Memory) Send(p []byte) error {
	if !m.closed {
		m.feed(append(make([]byte, 0, len(p)), p...))
	}
	return nil
}

func (m *Memory) feed(p []byte) {
	replies, open := m.Feed(p)
	m.replies = append(m.replies, replies...)
	m.closed = !open
}

// Line returns the next line of the server.
func (m *Memory) Line() ([]byte, error) {
	i := bytes.IndexByte(m.replies, '\n')
	switch {
	case i < 0 && len(m.replies) > 0:
		return nil, fmt.Errorf("half a line: %q", m.replies)
	case i < 0 && m.closed:
		return nil, io.EOF
	case i < 0:
		return nil, errors.New("nothing: the other side waits")
	}
	line := m.replies[:i+1]
	m.replies = m.replies[i+1:]
	return trimCRLF(line)
}

// StartTLS switches to TLS. Lines that are still unread would spoil the
// handshake on a network, so they are an error.
func (m *Memory) StartTLS() error {
	if m.closed || m.TLS == nil {
		return errors.New("the server does not go along")
	}
	if len(m.replies) > 0 {
		return fmt.Errorf("unread before the handshake: %q", m.replies)
	}
	return m.TLS()
}

// CloseWrite tells the session that no more will come.
func (m *Memory) CloseWrite() error {
	if !m.closed {
		m.feed(nil)
	}
	return nil
}

// Close reports lines that the script did not ask for.
func (m *Memory) Close() error {
	if len(m.replies) > 0 {
		return fmt.Errorf("unread: %q", m.replies)
	}
	return nil
}

// Net is a Conn over a network connection.
type Net struct {
	conn     net.Conn
	in       *bufio.Reader
	config   *tls.Config
	patience time.Duration
}

// NewNet makes a Conn of a connection. config is used by StartTLS and may be
// nil; patience bounds every wait.
func NewNet(conn net.Conn, config *tls.Config, patience time.Duration) *Net {
	return &Net{conn: conn, in: bufio.NewReader(conn), config: config, patience: patience}
}

// Send writes to the server. That the server has gone is not an error here:
// the script says with END whether it expects that.
func (n *Net) Send(p []byte) error {
	err := n.conn.SetWriteDeadline(time.Now().Add(n.patience))
	if err == nil {
		_, err = n.conn.Write(p)
	}
	if gone(err) {
		return nil
	}
	return err
}

// Line waits for a line of the server.
func (n *Net) Line() ([]byte, error) {
	if err := n.conn.SetReadDeadline(time.Now().Add(n.patience)); err != nil && !gone(err) {
		return nil, err // but what a server said before it closed is still to be read
	}
	line, err := n.in.ReadSlice('\n')
	if gone(err) && len(line) == 0 {
		return nil, io.EOF
	}
	if err != nil {
		return nil, fmt.Errorf("%w after %q", err, line)
	}
	return trimCRLF(line)
}

// gone reports whether the error says that the other side has closed, in any
// of the ways in which TCP and TLS say it.
func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// StartTLS does the handshake.
func (n *Net) StartTLS() error {
	if n.in.Buffered() > 0 {
		return errors.New("the server sent plain text behind its last line")
	}
	if n.config == nil {
		return errors.New("no TLS configuration")
	}
	conn := tls.Client(n.conn, n.config)
	if err := conn.SetDeadline(time.Now().Add(n.patience)); err != nil {
		return err
	}
	if err := conn.Handshake(); err != nil {
		return err
	}
	n.conn, n.in = conn, bufio.NewReader(conn)
	return nil
}

// CloseWrite closes the sending half.
func (n *Net) CloseWrite() error {
	half, ok := n.conn.(interface{ CloseWrite() error })
	if !ok {
		return errors.New("this connection has no halves")
	}
	return half.CloseWrite()
}

// Close closes the connection.
func (n *Net) Close() error {
	err := n.conn.Close()
	if gone(err) {
		return nil
	}
	return err
}

func trimCRLF(line []byte) ([]byte, error) {
	text, ok := bytes.CutSuffix(line, []byte("\r\n"))
	if !ok || bytes.IndexByte(text, '\r') >= 0 {
		return nil, fmt.Errorf("the line %q does not end in CRLF alone", line)
	}
	return text, nil
}
