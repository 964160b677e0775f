// Package tlsconf keeps the certificates of the server: read from files,
// chosen by the name that the client asks for, and read again when the files
// have changed, without touching the connections that are open.
//
// A Store holds one immutable set of certificates at a time. Each handshake
// takes the set that is current when it begins; Reload puts a new one in its
// place, or leaves the old one when anything is wrong with the new files.
package tlsconf

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
)

// Pair names the files of one certificate.
type Pair struct {
	// CertFile has the certificate and then its chain, in PEM.
	CertFile string
	// KeyFile has the private key in PEM. Empty: it is in CertFile too.
	KeyFile string
}

// Store holds certificates. Its methods may be called by anyone at any time.
type Store struct {
	pairs   []Pair
	reload  sync.Mutex
	current atomic.Pointer[set]
}

// set is what the files had at one time.
type set struct {
	all      []*tls.Certificate            // in the order of the pairs
	byName   map[string][]*tls.Certificate // lower case; wildcards with their "*."
	sum      [sha256.Size]byte             // of all the files
	warnings []string
}

// Open reads the certificates. The first pair is the default, for clients
// that name no host or one for which there is no certificate. Errors name the
// file and what is wrong with it.
func Open(pairs []Pair) (*Store, error) {
	if len(pairs) == 0 {
		return nil, errors.New("no certificate files given")
	}
	s := &Store{pairs: append([]Pair(nil), pairs...)}
	if err := s.Reload(); err != nil {
		return nil, err
	}
	return s, nil
}

// Reload reads the files again and uses what they have from the next
// handshake on. When it fails, the certificates that were in use stay. With
// unchanged files nothing happens.
func (s *Store) Reload() error {
	s.reload.Lock()
	defer s.reload.Unlock()
	texts, sum, err := readAll(s.pairs)
	if err != nil {
		return err
	}
	if old := s.current.Load(); old != nil && old.sum == sum {
		return nil
	}
	n := &set{byName: map[string][]*tls.Certificate{}, sum: sum}
	for i, p := range s.pairs {
		cert, err := parse(p, texts[i])
		if err != nil {
			return err
		}
		n.add(cert)
		n.warnings = append(n.warnings, warn(p, cert.Leaf)...)
	}
	s.current.Store(n)
	return nil
}

// Warnings are what is doubtful, but no reason not to start, about the files
// that are in use: an expired certificate, a key that others may read.
func (s *Store) Warnings() []string { return s.current.Load().warnings }

// add enters a certificate under its names.
func (n *set) add(cert *tls.Certificate) {
	n.all = append(n.all, cert)
	for _, name := range cert.Leaf.DNSNames {
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		n.byName[name] = append(n.byName[name], cert)
	}
}

// candidates are the certificates for a host: those with exactly its name,
// else those with a wildcard in the place of its first label (RFC 6125
// 6.4.3), else all.
func (n *set) candidates(host string) []*tls.Certificate {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if c := n.byName[host]; c != nil {
		return c
	}
	if _, parent, ok := strings.Cut(host, "."); ok {
		if c := n.byName["*."+parent]; c != nil {
			return c
		}
	}
	return nil
}

// choose picks the certificate for a handshake: of several, such as an RSA
// and an ECDSA one for the same name, the first that the client supports.
func (n *set) choose(hello *tls.ClientHelloInfo) *tls.Certificate {
	candidates := n.candidates(hello.ServerName)
	if candidates == nil {
		candidates = n.all
		anyName := *hello
		anyName.ServerName = ""
		hello = &anyName
	}
	if len(candidates) > 1 {
		for _, c := range candidates {
			if hello.SupportsCertificate(c) == nil {
				return c
			}
		}
	}
	return candidates[0]
}

// Leaf is the certificate that the server showed on a connection, for
// channel binding. It is nil when that cannot be told, because more than one
// would have been possible.
func (s *Store) Leaf(cs *tls.ConnectionState) *x509.Certificate {
	n := s.current.Load()
	candidates := n.candidates(cs.ServerName)
	if candidates == nil {
		candidates = n.all
	}
	if len(candidates) != 1 {
		return nil
	}
	return candidates[0].Leaf
}

// Use says what a configuration is for.
type Use struct {
	// Tickets offers session resumption. It must be off on port 25: there
	// are large senders that hang up on the tickets of Go's TLS 1.3
	// (golang/go#70232), and SMTP between servers gains nothing by it.
	Tickets bool
	// ALPN protocols, such as "imap" or "pop3" (RFC 7301). Clients that offer
	// others only are refused, those that offer none are not.
	ALPN []string
	// MinVersion is the lowest version that is spoken, as package crypto/tls
	// numbers them. TLS 1.2 is the floor, also when it is 0.
	MinVersion uint16
}

// Config gives a server configuration that always uses the current
// certificates. It should be made once per listener and shared by its
// connections: session tickets are valid within one Config.
func (s *Store) Config(u Use) *tls.Config {
	return &tls.Config{
		GetCertificate: func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.current.Load().choose(hello), nil
		},
		MinVersion:             max(u.MinVersion, tls.VersionTLS12),
		SessionTicketsDisabled: !u.Tickets,
		NextProtos:             u.ALPN,
		// Mail is bulk or small; the slow start of record sizes is for web pages.
		DynamicRecordSizingDisabled: true,
	}
}
