package tlsconf

import (
	"crypto"
	_ "crypto/sha256" // for crypto.SHA256
	_ "crypto/sha512" // for crypto.SHA384 and crypto.SHA512
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// Names of channel bindings, as SASL mechanisms with -PLUS use them.
const (
	// Exporter is RFC 9266: for TLS 1.3. The RFC allows it in TLS 1.2 too, but
	// there an empty context is not the same as none, and implementations
	// differ in which they use.
	Exporter = "tls-exporter"
	// Unique is RFC 5929 section 3: for TLS 1.2.
	Unique = "tls-unique"
	// EndPoint is RFC 5929 section 4: for any version; it binds to the
	// server's certificate, not to the connection.
	EndPoint = "tls-server-end-point"
)

// ErrNoBinding: the connection has no channel binding of that kind.
var ErrNoBinding = errors.New("no such channel binding on this connection")

// Binding gives the channel binding data of a kind. leaf is the certificate
// that the server showed (see Store.Leaf); only EndPoint uses it, and it may
// be nil. Errors wrap ErrNoBinding.
func Binding(kind string, cs *tls.ConnectionState, leaf *x509.Certificate) ([]byte, error) {
	switch kind {
	case Exporter:
		if cs.Version == tls.VersionTLS13 {
			return exporter(cs)
		}
	case Unique:
		// Go leaves it out of TLS 1.3, where it is not defined, and of
		// resumed sessions without the extended master secret, where an
		// attacker in the middle can make two connections have the same one.
		if len(cs.TLSUnique) > 0 {
			return cs.TLSUnique, nil
		}
	case EndPoint:
		if leaf != nil {
			return endPoint(leaf)
		}
	}
	return nil, fmt.Errorf("%s: %w", kind, ErrNoBinding)
}

// Binder gives the channel bindings of a connection as package auth asks for
// them: by kind, nil for one that the connection does not have. A nil Store
// knows no certificates.
func (s *Store) Binder(cs *tls.ConnectionState) func(kind string) []byte {
	return func(kind string) []byte {
		var leaf *x509.Certificate
		if s != nil {
			leaf = s.Leaf(cs)
		}
		data, err := Binding(kind, cs, leaf)
		if err != nil {
			return nil
		}
		return data
	}
}

// exporter is RFC 9266 section 2.
func exporter(cs *tls.ConnectionState) ([]byte, error) {
	b, err := cs.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", Exporter, ErrNoBinding, err)
	}
	return b, nil
}

// endPoint is RFC 5929 section 4.1: the hash of the certificate by the hash
// function of its own signature, SHA-256 where that would be MD5 or SHA-1.
// For signatures without one (Ed25519) it is not defined.
func endPoint(leaf *x509.Certificate) ([]byte, error) {
	var hash crypto.Hash
	switch leaf.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1,
		x509.SHA256WithRSA, x509.ECDSAWithSHA256, x509.SHA256WithRSAPSS:
		hash = crypto.SHA256
	case x509.SHA384WithRSA, x509.ECDSAWithSHA384, x509.SHA384WithRSAPSS:
		hash = crypto.SHA384
	case x509.SHA512WithRSA, x509.ECDSAWithSHA512, x509.SHA512WithRSAPSS:
		hash = crypto.SHA512
	default:
		return nil, fmt.Errorf("%s: %w: signature algorithm %v", EndPoint, ErrNoBinding, leaf.SignatureAlgorithm)
	}
	h := hash.New()
	h.Write(leaf.Raw)
	return h.Sum(nil), nil
}
