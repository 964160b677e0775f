package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"barid/spool"
)

// The control socket is how barid queue reaches a running server: one
// request per connection, as one line of JSON, and an answer of lines of
// JSON, of which the last one says done. Only root and the user that the
// server runs as are heard.

// request is what an operator asks of the queue.
type request struct {
	Verb  string   `json:"verb"` // list show cat hold release delete flush
	IDs   []string `json:"ids,omitempty"`
	State string   `json:"state,omitempty"`
	Match string   `json:"match,omitempty"` // part of an address
	Dest  string   `json:"dest,omitempty"`
	// OlderSeconds chooses messages that arrived at least so long ago.
	OlderSeconds int64 `json:"older,omitempty"`
}

// answer is one line of the answer.
type answer struct {
	Message *queued `json:"message,omitempty"`
	Body    []byte  `json:"body,omitempty"` // a piece of the message's text
	Done    bool    `json:"done,omitempty"`
	Count   int     `json:"count,omitempty"` // messages concerned
	Error   string  `json:"error,omitempty"`
}

// queued is a message in the queue.
type queued struct {
	ID         string      `json:"id"`
	Arrived    time.Time   `json:"arrived"`
	Size       int64       `json:"size"`
	From       string      `json:"from"`
	Account    string      `json:"account,omitempty"`
	Client     string      `json:"client,omitempty"`
	Error      string      `json:"error,omitempty"` // why the rest is not known
	Recipients []recipient `json:"recipients"`
}

// recipient is one of its recipients.
type recipient struct {
	To       string     `json:"to"`
	Original string     `json:"original,omitempty"`
	Dest     string     `json:"dest"`
	State    string     `json:"state"`
	Attempts int        `json:"attempts,omitempty"`
	Due      *time.Time `json:"due,omitempty"`
	Reason   string     `json:"reason,omitempty"`
	History  []attempt  `json:"history,omitempty"`
}

// attempt is one try to deliver.
type attempt struct {
	Time   time.Time `json:"time"`
	Kind   string    `json:"kind"`
	Status string    `json:"status,omitempty"`
	Text   string    `json:"text,omitempty"`
}

// control serves the control socket.
type control struct {
	socket net.Listener
	server *server
	wait   sync.WaitGroup
}

func serveControl(socket net.Listener, s *server) *control {
	c := &control{socket: socket, server: s}
	c.wait.Go(func() {
		for {
			conn, err := socket.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				s.logger.Error("control socket", "error", err)
				return
			}
			c.wait.Go(func() { c.serve(conn.(*net.UnixConn)) })
		}
	})
	return c
}

// close ends the service; requests under way are answered.
func (c *control) close() {
	c.socket.Close()
	c.wait.Wait()
}

// controlPatience is how long a request may take to arrive, and each piece of
// an answer to leave.
const controlPatience = 30 * time.Second

func (c *control) serve(conn *net.UnixConn) {
	defer conn.Close()
	out := json.NewEncoder(&patientWriter{conn})
	conn.SetReadDeadline(time.Now().Add(controlPatience))
	if err := allowed(conn); err != nil {
		_ = out.Encode(answer{Done: true, Error: err.Error()}) // whoever is gone needs no answer, here and below
		return
	}
	var r request
	if err := json.NewDecoder(io.LimitReader(conn, 1<<20)).Decode(&r); err != nil {
		_ = out.Encode(answer{Done: true, Error: "request not understood: " + err.Error()})
		return
	}
	count, err := operate(c.server.spool, &r, out.Encode)
	last := answer{Done: true, Count: count}
	if err != nil {
		last.Error = err.Error()
	}
	if r.Verb != "list" && r.Verb != "show" && r.Verb != "cat" {
		c.server.logger.Info("queue", "verb", r.Verb, "messages", count, "ids", len(r.IDs), "error", last.Error)
	}
	_ = out.Encode(last)
}

// patientWriter gives each write its own deadline.
type patientWriter struct{ conn *net.UnixConn }

// Write implements io.Writer.
func (w *patientWriter) Write(p []byte) (int, error) {
	w.conn.SetWriteDeadline(time.Now().Add(controlPatience))
	return w.conn.Write(p)
}

// allowed asks the kernel who is at the other end.
func allowed(conn *net.UnixConn) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var peer *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) {
		peer, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	}); err != nil {
		return err
	}
	if credErr != nil {
		return credErr
	}
	if peer.Uid != 0 && int(peer.Uid) != os.Geteuid() {
		return errors.New("only root and the user that barid runs as may look at the queue")
	}
	return nil
}

// operate does what a request asks of the queue, and gives the messages that
// it finds to put.
func operate(q *spool.Spool, r *request, put func(any) error) (count int, err error) {
	switch r.Verb {
	case "list":
		return listQueue(q, r, put)
	case "flush":
		f, err := r.filter()
		if err != nil {
			return 0, err
		}
		return q.Flush(f)
	case "show", "cat", "hold", "release", "delete":
		return eachID(q, r, put)
	}
	return 0, fmt.Errorf("there is no queue command %q", r.Verb)
}

// eachID does a verb to each message that is named, or, when none is, to
// all that the filter chooses. Errors do not stop it.
func eachID(q *spool.Spool, r *request, put func(any) error) (count int, err error) {
	ids, err := r.ids(q)
	if err != nil {
		return 0, err
	}
	var errs []error
	for _, id := range ids {
		if err := oneID(q, r.Verb, id, put); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", id, err))
			continue
		}
		count++
	}
	return count, errors.Join(errs...)
}

func oneID(q *spool.Spool, verb string, id spool.ID, put func(any) error) error {
	switch verb {
	case "show":
		sum, err := q.Show(id)
		if err != nil {
			return err
		}
		return put(answer{Message: describe(sum, nil)})
	case "cat":
		return catMessage(q, id, put)
	case "hold":
		return q.Hold(id)
	case "release":
		return q.Release(id)
	}
	return q.Delete(id)
}

// ids are the messages that a request is about.
func (r *request) ids(q *spool.Spool) (ids []spool.ID, err error) {
	for _, text := range r.IDs {
		id, err := spool.ParseID(text)
		if err != nil {
			return nil, fmt.Errorf("%s is not a queue id: 'barid queue list' shows them", text)
		}
		ids = append(ids, id)
	}
	if len(r.IDs) > 0 {
		return ids, nil
	}
	f, err := r.filter()
	if err != nil {
		return nil, err
	}
	for sum, err := range q.List(f) {
		if err == nil {
			ids = append(ids, sum.ID)
		}
	}
	return ids, nil
}

func (r *request) filter() (f spool.Filter, err error) {
	if r.State != "" {
		if f.State, err = parseState(r.State); err != nil {
			return f, err
		}
	}
	f.Address, f.Dest = []byte(r.Match), []byte(r.Dest)
	if r.OlderSeconds > 0 {
		f.Before = time.Now().Add(-time.Duration(r.OlderSeconds) * time.Second)
	}
	return f, nil
}

func listQueue(q *spool.Spool, r *request, put func(any) error) (count int, err error) {
	f, err := r.filter()
	if err != nil {
		return 0, err
	}
	for sum, err := range q.List(f) {
		count++
		if err := put(answer{Message: describe(sum, err)}); err != nil {
			return count, err
		}
	}
	return count, nil
}

func catMessage(q *spool.Spool, id spool.ID, put func(any) error) error {
	body, err := q.OpenBody(id)
	if err != nil {
		return err
	}
	defer body.Close()
	piece := make([]byte, 48<<10)
	for {
		n, err := body.Read(piece)
		if n > 0 {
			if err := put(answer{Body: piece[:n]}); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
