package relay

import (
	"crypto/tls"
	"crypto/x509"
	"net/netip"
	"strings"
)

// sessionsMax is how many servers' TLS sessions are remembered.
const sessionsMax = 1000

// A certificateError is a certificate that the policy does not take.
type certificateError struct{ text string }

func (e *certificateError) Error() string { return e.text }

// startTLS does the handshake after STARTTLS.
func (w *work) startTLS(c *conn) error {
	if err := w.send(c); err != nil {
		return err
	}
	return c.handshake(w)
}

// handshake makes the connection one with TLS.
func (c *conn) handshake(w *work) error {
	if err := w.setDeadline(c, w.relay.o.Timeouts.Hello); err != nil {
		return err
	}
	t := tls.Client(c.socket, c.tlsConfig(w))
	if err := t.Handshake(); err != nil {
		c.handshakeFailed = true
		return err
	}
	w.relay.stats.encrypted.Add(1)
	c.wire = t
	c.tls = tls.VersionName(t.ConnectionState().Version)
	if c.policy.TLS == Required {
		c.tls += " verified"
	}
	return nil
}

// tlsConfig is for one connection. Certificates are looked at here and not by
// package crypto/tls, because more names than one may be good, or any; a
// session that is resumed is looked at like a new one.
func (c *conn) tlsConfig(w *work) *tls.Config {
	config := w.relay.o.TLS.Clone()
	config.ClientSessionCache = w.relay.sessions
	config.InsecureSkipVerify = true
	if _, err := netip.ParseAddr(c.target.host); err != nil && c.target.at.IsValid() {
		config.ServerName = c.target.host
	}
	if c.policy.MinVersion != 0 {
		config.MinVersion = c.policy.MinVersion
	} else if c.policy.TLS == Opportunistic {
		config.MinVersion = tls.VersionTLS10 // better than in the clear (RFC 7435)
	}
	if c.policy.TLS == Required {
		config.VerifyConnection = func(cs tls.ConnectionState) error { return c.verify(cs, config, w.site.key) }
	}
	return config
}

// verify reports whether a certificate is that of the server, of the domain
// whose mail it takes, or one of those that the policy names.
func (c *conn) verify(cs tls.ConnectionState, config *tls.Config, key Key) error {
	if len(cs.PeerCertificates) == 0 {
		return &certificateError{"the server has no certificate"}
	}
	leaf := cs.PeerCertificates[0]
	o := x509.VerifyOptions{Roots: config.RootCAs, Intermediates: x509.NewCertPool()}
	if config.Time != nil {
		o.CurrentTime = config.Time()
	}
	for _, cert := range cs.PeerCertificates[1:] {
		o.Intermediates.AddCert(cert)
	}
	if _, err := leaf.Verify(o); err != nil {
		return &certificateError{"the certificate is not trusted: " + strings.TrimPrefix(err.Error(), "x509: ")}
	}
	names := c.policy.Names
	if len(names) == 0 {
		names = []string{c.target.host}
		if key.Lookup {
			names = append(names, key.Host)
		}
	}
	for _, name := range names {
		if matches(leaf, name) {
			return nil
		}
	}
	return &certificateError{"the certificate is for " + strings.Join(namesOf(leaf), ", ") + ", not for " + strings.Join(names, " or ")}
}

// matches reports whether a certificate is for the name; for one that begins
// with a dot, any name below it. (RFC 6125 6.4)
func matches(leaf *x509.Certificate, name string) bool {
	if !strings.HasPrefix(name, ".") {
		return leaf.VerifyHostname(name) == nil
	}
	for _, n := range leaf.DNSNames {
		if len(n) > len(name) && strings.EqualFold(n[len(n)-len(name):], name) {
			return true
		}
	}
	return false
}

// namesMax is how many names of a certificate an error tells.
const namesMax = 4

func namesOf(leaf *x509.Certificate) (names []string) {
	names = append(names, leaf.DNSNames[:min(namesMax, len(leaf.DNSNames))]...)
	for _, ip := range leaf.IPAddresses[:min(namesMax, len(leaf.IPAddresses))] {
		names = append(names, ip.String())
	}
	if len(names) == 0 {
		names = append(names, "no name")
	}
	return names
}
