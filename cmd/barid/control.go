package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// The control socket is how barid queue reaches a running server: one request
// per connection, as one line of JSON, and an answer of lines of JSON, of which
// the last one says done. Only root and the user that the server runs as are
// heard.

// request is what an operator asks of the queue.
type request struct {
	Verb string `json:"verb"` // see verbs
	// The messages: by id, or else all that what follows applies to.
	IDs          []string `json:"ids,omitempty"`
	State        string   `json:"state,omitempty"`
	From         string   `json:"from,omitempty"`    // part of the sender's address
	To           string   `json:"to,omitempty"`      // part of a recipient's
	Address      string   `json:"address,omitempty"` // part of either
	Dest         string   `json:"dest,omitempty"`
	Reason       string   `json:"reason,omitempty"` // part of the newest attempt's outcome
	OlderSeconds int64    `json:"older,omitempty"`  // since the arrival, at least
	NewerSeconds int64    `json:"newer,omitempty"`  // and at most
	By           string   `json:"by,omitempty"`     // of summary: what is counted, see ageKeys
}

// answer is one line of the answer.
type answer struct {
	Message     *queued      `json:"message,omitempty"`
	Destination *destination `json:"destination,omitempty"`
	Ages        *ageRow      `json:"ages,omitempty"`
	Body        []byte       `json:"body,omitempty"`     // a piece of a message's text
	Failed      string       `json:"failed,omitempty"`   // why one message is not what was asked for; the others go on
	Progress    int          `json:"progress,omitempty"` // messages done so far
	Done        bool         `json:"done,omitempty"`
	Count       int          `json:"count,omitempty"` // messages concerned
	Error       string       `json:"error,omitempty"`
}

// requestMax bounds a request, in bytes: all ids that fit on a command line.
const requestMax = 8 << 20

// control serves the control socket.
type control struct {
	socket   net.Listener
	operator *operator
	logger   *slog.Logger

	wait   sync.WaitGroup
	ctx    context.Context // ends when answers are cut short
	cancel context.CancelFunc
}

func serveControl(socket net.Listener, o *operator, logger *slog.Logger) *control {
	c := &control{socket: socket, operator: o, logger: logger}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	c.wait.Go(c.accept)
	return c
}

// acceptPause is how long to wait when a connection cannot be accepted, for
// want of descriptors.
const acceptPause = time.Second

func (c *control) accept() {
	for {
		conn, err := c.socket.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil:
			c.logger.Error("control socket", "error", err)
			select {
			case <-c.ctx.Done():
				return
			case <-time.After(acceptPause):
			}
		default:
			c.wait.Go(func() { c.serve(conn.(*net.UnixConn)) })
		}
	}
}

// answerPatience is how long answers under way may take when the server ends.
const answerPatience = 2 * time.Second

// close ends the service.
func (c *control) close() {
	c.socket.Close()
	late := time.AfterFunc(answerPatience, c.cancel)
	defer late.Stop()
	c.wait.Wait()
	c.cancel()
}

// controlPatience is how long a request may take to arrive, and each piece of
// an answer to leave.
const controlPatience = 30 * time.Second

func (c *control) serve(conn *net.UnixConn) {
	defer conn.Close()
	stop := context.AfterFunc(c.ctx, func() { conn.Close() })
	defer stop()
	out := bufio.NewWriterSize(&patientWriter{conn}, 32<<10)
	put := json.NewEncoder(out)
	last := c.answer(conn, func(a *answer) error {
		if err := put.Encode(a); err != nil || a.Progress == 0 {
			return err
		}
		return out.Flush()
	})
	_ = put.Encode(last) // whoever is gone needs no answer
	_ = out.Flush()
}

// answer does what the client asks for, and returns the last line.
func (c *control) answer(conn *net.UnixConn, put func(*answer) error) *answer {
	peer, err := peerOf(conn)
	if err != nil {
		return &answer{Done: true, Error: err.Error()}
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return &answer{Done: true, Error: "only root and the user that barid runs as may see the queue"}
	}
	var r request
	conn.SetReadDeadline(time.Now().Add(controlPatience))
	if err := json.NewDecoder(io.LimitReader(conn, requestMax)).Decode(&r); err != nil {
		return &answer{Done: true, Error: "request not understood: " + err.Error()}
	}
	last := c.operator.operate(&r, put)
	if v := findVerb(r.Verb); v != nil && v.changes {
		c.logger.Info("queue", "verb", r.Verb, "messages", last.Count, "uid", peer.Uid, "error", last.Error)
	}
	return last
}

// peerOf asks the kernel who is at the other end.
func peerOf(conn *net.UnixConn) (peer *unix.Ucred, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return nil, err
	}
	if controlErr := raw.Control(func(fd uintptr) {
		peer, err = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); controlErr != nil {
		return nil, controlErr
	}
	return peer, err
}

// patientWriter gives each write its own deadline.
type patientWriter struct{ conn *net.UnixConn }

// Write implements io.Writer.
func (w *patientWriter) Write(p []byte) (int, error) {
	w.conn.SetWriteDeadline(time.Now().Add(controlPatience))
	return w.conn.Write(p)
}
