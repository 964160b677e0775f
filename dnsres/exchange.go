package dnsres

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"barid/dnsres/wire"
)

// exchange is one question to one server.
//
//	UDP --- right reply ----------------------------------------> done
//	 |  \-- FORMERR, NOTIMP or BADVERS to EDNS -> again without -> done
//	 |  \-- truncated, damaged, or many strays --> TCP ---------> done
//	 |  \-- question not in our case --> TCP: where it folds there too, it is
//	 |                                   the server's way, not a forgery
//	 \----- silence, unreachable --------------------------------> failed
type exchange struct {
	r        *Resolver
	s        *server
	q        question
	useTCP   bool
	timeout  time.Duration // over TCP
	patience time.Duration // over UDP
	mixCase  bool
	edns     bool
}

const (
	// udpSize is announced as the largest message over UDP: what passes about
	// every link without fragments.
	udpSize = 1232
	// packetSize leaves room for what is larger nevertheless. What is larger
	// still is cut off here, and with that damaged.
	packetSize = 4096
	// straysMax is how many packets that are not the reply are passed over
	// before somebody is taken to be guessing. The question goes over TCP
	// then, where guessing does not help (RFC 5452 9.3).
	straysMax = 8
)

// packet is the memory of an exchange.
type packet struct {
	random [2 + wire.NameMax/8 + 1]byte                      // the id, and the cases of the letters
	buffer [2 + wire.HeaderSize + wire.NameMax + 4 + 11]byte // the query, with TCP's length before it
	size   int                                               // of the query, without the length
	reply  [packetSize]byte                                  // over UDP
}

func (p *packet) query() []byte { return p.buffer[2 : 2+p.size] }

// reply is a message that answers, with the memory it lies in. Whoever gets
// one calls release.
type reply struct {
	wire.Message
	server  netip.AddrPort
	trusted bool
	octets  []byte // the message itself
	packet  *packet
}

func (r *Resolver) release(a *reply) { r.packets.Put(a.packet) }

// What ends an attempt over UDP, but not the exchange.
var (
	errOverTCP = errors.New("to be asked over TCP")
	errFolded  = errors.New("the question came back in another case")
	errStray   = errors.New("not the reply")
)

// run asks, and gives the server's answer; an error is an *Error.
func (x *exchange) run(ctx context.Context) (*reply, *Error) {
	x.mixCase, x.edns = x.s.quirks(x.r.o.Now())
	a, err := x.once(ctx)
	if err == nil && x.edns && refusesEDNS(a.RCode) {
		x.r.release(a)
		x.edns = false
		if a, err = x.once(ctx); err == nil && !refusesEDNS(a.RCode) {
			x.s.lacksEDNS(x.r.o.Now())
		}
	}
	if err != nil {
		return nil, x.failure(err)
	}
	if failure := judge(&a.Message); failure != nil {
		x.r.release(a)
		failure.Server = x.s.addr
		return nil, failure
	}
	return a, nil
}

// refusesEDNS reports how servers react that do not know EDNS, or not its
// version (RFC 6891 7 and 6.1.3).
func refusesEDNS(r wire.RCode) bool {
	return r == wire.FormErr || r == wire.NotImp || r == wire.BadVers
}

// once asks over UDP, and over TCP where that is of no use.
func (x *exchange) once(ctx context.Context) (*reply, error) {
	if x.useTCP {
		return x.attempt(ctx, x.overTCP)
	}
	a, err := x.attempt(ctx, x.overUDP)
	switch err {
	case errOverTCP:
		return x.attempt(ctx, x.overTCP)
	case errFolded:
		a, err = x.attempt(ctx, x.overTCP)
		if err != nil || !x.asAsked(a) {
			x.s.foldsCase(x.r.o.Now())
		}
	}
	return a, err
}

// attempt asks in one way and notes how the server fared.
func (x *exchange) attempt(ctx context.Context, ask func(context.Context, *packet) (*reply, error)) (*reply, error) {
	p := x.r.packets.Get().(*packet)
	sent, start := x.r.o.Now(), time.Now()
	err := x.compose(p)
	var a *reply
	if err == nil {
		x.r.counts.questions.Add(1)
		a, err = ask(ctx, p)
	}
	if err == nil || err == errOverTCP || err == errFolded {
		x.s.replied(time.Since(start))
	} else if errors.As(err, new(net.Error)) && !over(ctx) {
		x.s.failed(sent, x.r.o.Now(), err)
	}
	if err != nil {
		x.r.packets.Put(p)
		return nil, err
	}
	return a, nil
}

// compose writes the question with a new id and a new mixture of cases.
func (x *exchange) compose(p *packet) error {
	if _, err := io.ReadFull(x.r.o.Random, p.random[:]); err != nil {
		return err
	}
	q := wire.Query{ID: binary.BigEndian.Uint16(p.random[:]), Type: x.q.Type, Authentic: x.s.trusted}
	if x.edns {
		q.UDPSize = udpSize
	}
	p.size = len(wire.AppendQuery(p.buffer[:2], x.q.name, q)) - 2
	binary.BigEndian.PutUint16(p.buffer[:], uint16(p.size))
	if x.mixCase {
		wire.MixCase(p.query()[wire.HeaderSize:], p.random[2:])
	}
	return nil
}

// overUDP sends the question from a socket of its own, which takes packets
// from this server alone, and waits for the reply.
func (x *exchange) overUDP(ctx context.Context, p *packet) (*reply, error) {
	conn, done, err := x.connect(ctx, "udp", x.patience)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := conn.Write(p.query()); err != nil {
		return nil, err
	}
	for range straysMax {
		n, err := conn.Read(p.reply[:])
		if err != nil {
			return nil, err
		}
		got := p.reply[:n]
		a, err := x.match(p, got)
		switch {
		case err == errStray:
			x.r.counts.strays.Add(1)
			continue
		case got[2]&truncated != 0 || errors.As(err, new(*damage)):
			x.r.counts.truncated.Add(1)
			return nil, errOverTCP
		case err == nil && x.mixCase && !x.asAsked(a):
			return nil, errFolded
		}
		return a, err
	}
	x.r.o.Log.Warn("many packets that are no reply: somebody may be forging answers", "server", x.s.addr, "name", x.q.text())
	return nil, errOverTCP
}

// overTCP sends the question over a connection of its own, each message with
// its length before it (RFC 1035 4.2.2).
func (x *exchange) overTCP(ctx context.Context, p *packet) (*reply, error) {
	x.r.counts.streams.Add(1)
	conn, done, err := x.connect(ctx, "tcp", x.timeout)
	if err != nil {
		return nil, err
	}
	defer done()
	if _, err := conn.Write(p.buffer[:2+p.size]); err != nil {
		return nil, err
	}
	length := p.reply[:2]
	if _, err := io.ReadFull(conn, length); err != nil {
		return nil, brokenOff(err)
	}
	got := p.reply[:0]
	if n := int(binary.BigEndian.Uint16(length)); n > len(p.reply) {
		got = make([]byte, n)
	} else {
		got = got[:n]
	}
	if _, err := io.ReadFull(conn, got); err != nil {
		return nil, brokenOff(err)
	}
	a, err := x.match(p, got)
	switch {
	case err == errStray:
		return nil, &damage{errors.New("the reply is to another question")}
	case err == nil && a.Truncated:
		return nil, &damage{errors.New("truncated, although it came over TCP")}
	}
	return a, err
}

// connect opens a connection that is given up after the time given, or when
// the asker gives up. done closes it.
func (x *exchange) connect(ctx context.Context, network string, patience time.Duration) (conn net.Conn, done func(), err error) {
	deadline := time.Now().Add(patience)
	if asker, ok := ctx.Deadline(); ok && asker.Before(deadline) {
		deadline = asker
	}
	dialing, cancel := ctx, func() {}
	if network == "tcp" { // UDP has nothing to wait for
		dialing, cancel = context.WithDeadline(ctx, deadline)
	}
	conn, err = x.r.o.Dial(dialing, network, x.s.addr)
	if cancel(); err != nil {
		return nil, nil, err
	}
	if err := conn.SetDeadline(deadline); err != nil {
		conn.Close()
		return nil, nil, err
	}
	if ctx.Done() == nil {
		return conn, func() { conn.Close() }, nil
	}
	stop := context.AfterFunc(ctx, func() { conn.SetDeadline(time.Unix(1, 0)) })
	return conn, func() { stop(); conn.Close() }, nil
}

// Bits of the third octet of a message.
const (
	kindBits  = 0xf8 // QR and the opcode
	isReply   = 0x80 // QR, and QUERY
	truncated = 0x02
)

// match reads a reply: it has our id, and asks what we asked, in whatever
// case. An error reply may come without its question, from servers that did
// not understand the message.
func (x *exchange) match(p *packet, got []byte) (*reply, error) {
	if len(got) < wire.HeaderSize || !bytes.Equal(got[:2], p.random[:2]) || got[2]&kindBits != isReply {
		return nil, errStray
	}
	m, err := wire.Parse(got)
	if err != nil {
		return nil, &damage{err}
	}
	switch {
	case m.Asked && m.Question.Name.Is(x.q.name) && m.Question.Type == x.q.Type && m.Question.Class == wire.IN:
	case !m.Asked && m.RCode != wire.NoError && m.RCode != wire.NXDomain:
	default:
		return nil, errStray
	}
	return &reply{Message: m, server: x.s.addr, trusted: x.s.trusted, octets: got, packet: p}, nil
}

// asAsked reports whether the question came back in the case it was sent in.
func (x *exchange) asAsked(a *reply) bool {
	end := wire.HeaderSize + wire.QuestionSize(x.q.name)
	return !a.Asked || bytes.Equal(a.octets[wire.HeaderSize:end], a.packet.query()[wire.HeaderSize:end])
}
