package tlsconf

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// text is what the files of one pair hold.
type text struct{ cert, key []byte }

// readAll reads the files of all pairs.
func readAll(pairs []Pair) (texts []text, sum [sha256.Size]byte, err error) {
	h := sha256.New()
	for _, p := range pairs {
		var t text
		if t.cert, err = readFile("certificate", p.CertFile); err != nil {
			return nil, sum, err
		}
		if t.key, err = readFile("private key", p.keyFile()); err != nil {
			return nil, sum, err
		}
		for _, b := range [][]byte{t.cert, t.key} {
			h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(b))))
			h.Write(b)
		}
		texts = append(texts, t)
	}
	return texts, [sha256.Size]byte(h.Sum(nil)), nil
}

// keyFile is where the key is.
func (p Pair) keyFile() string {
	if p.KeyFile == "" {
		return p.CertFile
	}
	return p.KeyFile
}

// readFile reads a file; its errors say what the file is for.
func readFile(what, name string) ([]byte, error) {
	b, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: %s may not be read by this user: %w", name, what, err)
	case err != nil:
		return nil, fmt.Errorf("%s: cannot read the %s: %w", name, what, err)
	}
	return b, nil
}

// parse makes a certificate of the contents of its files.
func parse(p Pair, t text) (*tls.Certificate, error) {
	cert := &tls.Certificate{}
	for rest := t.cert; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			break
		}
		if b.Type == "CERTIFICATE" {
			cert.Certificate = append(cert.Certificate, b.Bytes)
		}
	}
	if len(cert.Certificate) == 0 {
		return nil, fmt.Errorf("%s: no certificate found (PEM with BEGIN CERTIFICATE is expected)", p.CertFile)
	}
	for i, der := range cert.Certificate {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, fmt.Errorf("%s: certificate %d: %w", p.CertFile, i+1, err)
		}
		if i == 0 {
			cert.Leaf = c
		}
	}
	keyBlock, err := findKey(p.keyFile(), t.key)
	if err != nil {
		return nil, err
	}
	chain := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Certificate[0]})
	pair, err := tls.X509KeyPair(chain, pem.EncodeToMemory(keyBlock))
	if err != nil {
		return nil, explain(p, cert.Leaf, err)
	}
	cert.PrivateKey = pair.PrivateKey
	return cert, nil
}

// findKey finds the private key among the PEM blocks of a file.
func findKey(name string, text []byte) (*pem.Block, error) {
	for rest := text; ; {
		var b *pem.Block
		if b, rest = pem.Decode(rest); b == nil {
			return nil, fmt.Errorf("%s: no private key found (PEM with BEGIN PRIVATE KEY is expected)", name)
		}
		if b.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(b.Headers["Proc-Type"], "ENCRYPTED") {
			return nil, fmt.Errorf("%s: the private key is encrypted; a server needs it without passphrase", name)
		}
		if b.Type == "PRIVATE KEY" || strings.HasSuffix(b.Type, " PRIVATE KEY") {
			return b, nil
		}
	}
}

// explain says what crypto/tls has against a pair.
func explain(p Pair, leaf *x509.Certificate, err error) error {
	if strings.Contains(err.Error(), "private key does not match") ||
		strings.Contains(err.Error(), "private key type does not match") {
		return fmt.Errorf("%s: the private key does not belong to the certificate in %s (for %s)",
			p.keyFile(), p.CertFile, nameOf(leaf))
	}
	return fmt.Errorf("%s: %w", p.keyFile(), err)
}

// nameOf is what people call the certificate.
func nameOf(leaf *x509.Certificate) string {
	if len(leaf.DNSNames) > 0 {
		return strings.Join(leaf.DNSNames, ", ")
	}
	return leaf.Subject.String()
}

// warn lists what is doubtful about a pair.
func warn(p Pair, leaf *x509.Certificate) (w []string) {
	now := time.Now()
	switch {
	case now.After(leaf.NotAfter):
		w = append(w, fmt.Sprintf("%s: the certificate for %s expired on %s",
			p.CertFile, nameOf(leaf), leaf.NotAfter.Format(time.DateOnly)))
	case now.Before(leaf.NotBefore):
		w = append(w, fmt.Sprintf("%s: the certificate for %s is not valid before %s",
			p.CertFile, nameOf(leaf), leaf.NotBefore.Format(time.RFC3339)))
	}
	if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 {
		w = append(w, fmt.Sprintf("%s: the certificate names no host (subjectAltName): clients will not accept it", p.CertFile))
	}
	if info, err := os.Stat(p.keyFile()); err == nil && info.Mode().Perm()&0o007 != 0 {
		w = append(w, fmt.Sprintf("%s: the private key is open to every user (mode %04o)",
			p.keyFile(), info.Mode().Perm()))
	}
	return w
}
