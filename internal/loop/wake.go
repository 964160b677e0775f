package loop

// Waker wakes a Session that waits for input: its Step is called though none
// has come. It is for what happens elsewhere and matters to the client at once,
// such as new mail in a mailbox that it watches. The zero Waker wakes nobody.
type Waker struct {
	loop *Loop
	id   uint64
	fd   int32
}

// Waker gives the Waker of c, which may be used by any goroutine and longer
// than c lives.
func (c *Conn) Waker() Waker { return Waker{loop: c.ln.loop, id: c.id, fd: c.fd} }

// Wake has Step called soon, once for all calls until then. A Session that runs
// meanwhile runs once more, so that what it did not see any more it sees then;
// one that waits for something else than input is called when that has
// happened. Wake does not block and may be called with locks held that
// Sessions take; after the end of the connection it does nothing.
func (w Waker) Wake() {
	if w.loop == nil {
		return
	}
	l := w.loop
	l.mu.Lock()
	defer l.mu.Unlock()
	if int(w.fd) >= len(l.table) {
		return
	}
	// The descriptor may belong to another connection by now.
	if c := l.table[w.fd]; c != nil && c.id == w.id && l.mark(c, evWake) {
		l.callWorker()
	}
}
