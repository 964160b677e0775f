package loop

import (
	"net/netip"
	"os"

	"barid/internal/proxy"
)

// begin decides what comes first on a new connection.
func (c *Conn) begin() verdict {
	o := &c.ln.opts
	if o.Proxy != nil && o.Proxy(c.remote.Addr()) {
		c.phase = phaseProxy
		c.readable = true
		return c.readProxy()
	}
	return c.welcome()
}

// readProxy reads the PROXY header. Without a good one the connection is
// closed without a word, as the specification says (2.1, 2.2).
func (c *Conn) readProxy() verdict {
	for {
		h, n, err := proxy.Parse(c.in.bytes())
		if err != nil {
			return c.rejectProxy(err)
		}
		if n > 0 {
			c.in.consume(n)
			c.take(h)
			return c.welcome()
		}
		more, err := c.fill()
		switch {
		case err != nil:
			return c.rejectProxy(err)
		case more:
		case c.overdue():
			return c.rejectProxy(os.ErrDeadlineExceeded)
		default:
			return c.park()
		}
	}
}

// take believes a header. One without addresses leaves those of the socket.
func (c *Conn) take(h proxy.Header) {
	if !h.Known() {
		return
	}
	c.remote = h.Source
	c.rare = &rare{local: h.Dest}
}

// rejectProxy closes a connection that had no good header.
func (c *Conn) rejectProxy(err error) verdict {
	c.ln.refused.Add(1)
	c.ln.loop.log.Warn("no PROXY header", "listener", c.ln.opts.Name, "remote", c.remote, "err", err)
	return c.finish(err)
}

// welcome counts the client and lets it in, or not.
func (c *Conn) welcome() verdict {
	if !c.ln.count(c) {
		return c.turnAway()
	}
	c.patience = c.ln.loop.deadline(c.ln.opts.HandshakeTimeout)
	if c.ln.opts.Implicit {
		return c.startTLS()
	}
	return c.open()
}

// turnAway says why and closes.
func (c *Conn) turnAway() verdict {
	c.ln.refused.Add(1)
	if !c.ln.opts.Implicit && len(c.ln.opts.TooMany) > 0 {
		c.SetOut(append(c.Out(), c.ln.opts.TooMany...))
	}
	return c.endSession(nil)
}

// addrKey is what counts as one client: an IPv4 address, or an IPv6 /64.
func addrKey(a netip.Addr) netip.Addr {
	if a.Is6() {
		p, err := a.WithZone("").Prefix(64)
		if err == nil {
			return p.Addr()
		}
	}
	return a
}
