package relay

import (
	"crypto/tls"
	"crypto/x509"
	"net"
	"strings"
	"testing"
	"time"

	"barid/internal/relay/proto"
	"barid/internal/tlsconf"
)

// secured is a scene whose servers have a certificate for the names, which
// the relay trusts.
func secured(t *testing.T, zone string, names ...string) *scene {
	t.Helper()
	cert, key, err := tlsconf.SelfSigned(names...)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	s := newScene(t, zone)
	s.tls = &tls.Config{Certificates: []tls.Certificate{pair}}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(cert)
	s.o.TLS = &tls.Config{RootCAs: roots}
	return s
}

const (
	starttls = "S: 220 mx\nC: EHLO*\nS: 250-mx\nS: 250 STARTTLS\nC: STARTTLS\nS: 220 Go\n"
	helloTLS = "C: EHLO*\nS: 250-mx\nS: 250-PIPELINING\nS: 250-8BITMIME\nS: 250 AUTH PLAIN LOGIN\n"
	overTLS  = starttls + "TLS\n" + helloTLS
	mxZone   = "example.org 300 MX 10 mx.example.net\nmx.example.net 300 A 127.0.0.1\n"
)

func (s *scene) policy(p Policy) { s.o.Policy = func(string) Policy { return p } }

func TestTLSIsUsedWhereItIsOffered(t *testing.T) {
	s := secured(t, mxZone, "somebody.else")
	s.serve("127.0.0.1", overTLS+oneMore+bye)
	want(t, s.send(to("smtp:example.org", "a@example.org")), delivered)
	if s.relay.Stats().Encrypted != 1 {
		t.Error("not counted")
	}
}

func TestOpportunisticTLSGoesOnInTheClear(t *testing.T) {
	s := secured(t, mxZone, "mx.example.net")
	s.serve("127.0.0.1", starttls+"S: this is no TLS\n", greeting+oneMore+bye)
	want(t, s.send(to("smtp:example.org", "a@example.org")), delivered)
	if s.relay.Stats().Cleared != 1 {
		t.Error("not counted")
	}
}

func TestRequiredTLSTakesTheCertificatesThatItShould(t *testing.T) {
	for _, c := range []struct {
		names  []string
		policy Policy
		result string
	}{
		{[]string{"mx.example.net"}, Policy{TLS: Required}, delivered},
		{[]string{"*.example.net"}, Policy{TLS: Required}, delivered},
		{[]string{"example.org"}, Policy{TLS: Required}, delivered},
		{[]string{"evil.example", "*.com"}, Policy{TLS: Required}, "a@example.org deferred 4.7.5: mx.example.net[127.0.0.1]: the certificate is for evil.example, *.com, not for mx.example.net or example.org"},
		{[]string{"mx.example.net"}, Policy{TLS: Required, Names: []string{"mx.example.org"}}, "a@example.org deferred 4.7.5: *not for mx.example.org"},
		{[]string{"mx.provider.example"}, Policy{TLS: Required, Names: []string{"mx.example.org", ".provider.example"}}, delivered},
		{[]string{"xprovider.example"}, Policy{TLS: Required, Names: []string{".provider.example"}}, "a@example.org deferred 4.7.5: *"},
		{[]string{"evil.example"}, Policy{TLS: RequiredAny}, delivered},
	} {
		s := secured(t, mxZone, c.names...)
		s.policy(c.policy)
		script := overTLS + oneMore + bye
		if c.result != delivered {
			script = starttls + "BADTLS\n"
		}
		s.serve("127.0.0.1", script)
		want(t, s.send(to("smtp:example.org", "a@example.org")), c.result)
	}
}

func TestRequiredTLSTrustsNobodyUnknown(t *testing.T) {
	s := secured(t, mxZone, "mx.example.net")
	s.o.TLS = &tls.Config{RootCAs: x509.NewCertPool()}
	s.policy(Policy{TLS: Required})
	s.serve("127.0.0.1", starttls+"BADTLS\n")
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org deferred 4.7.5: mx.example.net[127.0.0.1]: the certificate is not trusted: *")
}

func TestStrippedSTARTTLSGetsNoMailWhereTLSIsRequired(t *testing.T) {
	for _, level := range []Level{Required, RequiredAny} {
		s := secured(t, mxZone, "mx.example.net")
		s.policy(Policy{TLS: level})
		s.serve("127.0.0.1", greeting+bye)
		want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org deferred 4.7.4: mx.example.net[127.0.0.1]: TLS is required, and the server does not offer it")
	}
}

func TestRequiredTLSTriesTheNextHost(t *testing.T) {
	s := secured(t, twoHosts, "two.example.org")
	s.policy(Policy{TLS: Required, Names: []string{"two.example.org"}})
	s.serve("127.0.0.1", greeting+bye)
	s.serve("127.0.0.2", overTLS+oneMore+bye)
	want(t, s.send(to("smtp:example.org", "a@example.org")), delivered)
}

func TestNeverMeansNoTLS(t *testing.T) {
	s := secured(t, mxZone, "mx.example.net")
	s.policy(Policy{TLS: Never})
	s.serve("127.0.0.1", "S: 220 mx\nC: EHLO*\nS: 250-mx\nS: 250-PIPELINING\nS: 250 STARTTLS\n"+oneMore+bye)
	want(t, s.send(to("smtp:example.org", "a@example.org")), delivered)
}

func TestTLSVersionBelowThePolicyIsRefused(t *testing.T) {
	s := secured(t, mxZone, "mx.example.net")
	s.tls.MaxVersion = tls.VersionTLS12
	s.policy(Policy{TLS: RequiredAny, MinVersion: tls.VersionTLS13})
	s.serve("127.0.0.1", starttls+"BADTLS\n")
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org deferred 4.7.5: mx.example.net[127.0.0.1]: the TLS handshake failed: *")
}

func TestTLSFromTheFirstOctetOnItsPort(t *testing.T) {
	s := secured(t, mxZone, "mx.example.net")
	s.serve("127.0.0.1", "TLS\nS: 220 mx\n"+helloTLS+oneMore+bye)
	s.start()
	s.relay.implicitPort = s.port
	want(t, s.send(to("smtp:example.org", "a@example.org")), delivered)
}

func TestPasswordGoesToAVerifiedServerOnly(t *testing.T) {
	login := func(hop string, _ []byte) (proto.Login, bool) {
		return proto.Login{User: "user", Password: "secret"}, hop == "example.org"
	}
	s := secured(t, mxZone, "mx.example.net")
	s.o.Login = login
	s.serve("127.0.0.1", overTLS+"C: AUTH PLAIN AHVzZXIAc2VjcmV0\nS: 235 Ok\n"+oneMore+bye)
	want(t, s.send(to("smtp:example.org", "a@example.org")), delivered)

	s = secured(t, mxZone, "evil.example")
	s.o.Login = login
	s.serve("127.0.0.1", starttls+"BADTLS\n")
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org deferred 4.7.5: *")

	s = secured(t, mxZone, "mx.example.net")
	s.o.Login = login
	s.serve("127.0.0.1", "S: 220 mx\nC: EHLO*\nS: 250 AUTH PLAIN\n"+bye)
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org deferred 4.7.4: *TLS is required*")
}

func TestAWrongPasswordReturnsNoMailAndIsTriedOnce(t *testing.T) {
	s := secured(t, twoHosts, "one.example.org")
	s.o.Login = func(string, []byte) (proto.Login, bool) { return proto.Login{User: "user", Password: "old"}, true }
	s.serve("127.0.0.1", overTLS+"C: AUTH PLAIN*\nS: 535 5.7.8 Wrong\n"+bye)
	l := s.listen("127.0.0.2")
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org deferred 4.7.8: host one.example.org[127.0.0.1] said: 535 5.7.8 Wrong (in reply to AUTH)")
	nobodyCame(t, l)
}

func TestServerThatSays421UnderTLSMeanwhileDelaysNothing(t *testing.T) {
	s := secured(t, mxZone, "mx.example.net")
	s.o.Idle = time.Hour
	s.signal = make(chan struct{})
	s.serve("127.0.0.1", overTLS+oneMore+"S: 421 4.4.2 Idle\nSIGNAL\nHANG\n", overTLS+oneMore+bye)
	want(t, s.send(to("smtp:example.org", "a@example.org")), delivered)
	<-s.signal
	want(t, s.send(to("smtp:example.org", "a@example.org")), delivered)
	s.relay.Close()
}

// TestTicketsOfTLSAreNotTakenForWords holds that what TLS itself sends after
// the handshake does not make a connection useless.
func TestTicketsOfTLSAreNotTakenForWords(t *testing.T) {
	s := secured(t, "", "mx.example.net")
	l := s.listen("127.0.0.1")
	said := make(chan *tls.Conn)
	s.wg.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			t.Error(err)
			return
		}
		server := tls.Server(conn, s.tls)
		if err := server.Handshake(); err != nil {
			t.Error(err)
		}
		said <- server
	})
	plain, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	sock, err := newSocket(plain)
	if err != nil {
		t.Fatal(err)
	}
	client := tls.Client(sock, &tls.Config{InsecureSkipVerify: true, ClientSessionCache: tls.NewLRUClientSessionCache(1)})
	defer client.Close()
	if err := client.Handshake(); err != nil {
		t.Fatal(err)
	}
	server := <-said
	defer server.Close()
	c := &conn{relay: New(s.o), socket: sock, wire: client, tls: "TLS", made: time.Now()}
	if !c.fit() {
		t.Error("a ticket has made the connection useless")
	}
	if _, err := server.Write([]byte("421 Bye\r\n")); err != nil {
		t.Fatal(err)
	}
	for !sock.pending() {
		continue
	}
	if c.fit() {
		t.Error("421 was not noticed")
	}
}

func TestTLSSessionsAreResumed(t *testing.T) {
	s := secured(t, mxZone, "mx.example.net")
	s.policy(Policy{TLS: Required})
	s.serve("127.0.0.1", overTLS+oneMore+"RESUMED no\n"+bye, overTLS+oneMore+"RESUMED yes\n"+bye)
	for range 2 {
		want(t, s.send(to("smtp:example.org", "a@example.org")), delivered)
	}
}

func TestLevelsAreReadAsTheyAreWritten(t *testing.T) {
	for l := Opportunistic; l <= Never; l++ {
		if got, ok := ParseLevel(l.String()); !ok || got != l {
			t.Errorf("%v is read as %v", l, got)
		}
	}
	if _, ok := ParseLevel(strings.ToUpper("required")); ok {
		t.Error("any case is taken")
	}
}
