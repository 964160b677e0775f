package tlsconf

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// write puts a file into dir and gives its name.
func write(t *testing.T, dir, name string, content []byte) string {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := os.WriteFile(name, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

// pairFor makes a self-signed pair of files.
func pairFor(t *testing.T, dir, name string, hosts ...string) Pair {
	t.Helper()
	cert, key, err := SelfSigned(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{write(t, dir, name+".crt", cert), write(t, dir, name+".key", key)}
}

func open(t *testing.T, pairs ...Pair) *Store {
	t.Helper()
	s, err := Open(pairs)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// connect does a handshake in memory and gives both ends' states.
func connect(t *testing.T, server, client *tls.Config) (s, c tls.ConnectionState, err error) {
	t.Helper()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	srv, cli := tls.Server(a, server), tls.Client(b, client)
	failed := make(chan error, 1)
	go func() {
		err := srv.Handshake()
		failed <- err
		if err != nil {
			a.Close()
			return
		}
		srv.Write([]byte("x")) // brings the tickets of TLS 1.3 along
	}()
	err = cli.Handshake()
	if serr := <-failed; err == nil {
		err = serr
	}
	if err == nil {
		_, err = cli.Read(make([]byte, 1))
	}
	return srv.ConnectionState(), cli.ConnectionState(), err
}

// shown is the name of the certificate that a client gets for host.
func shown(t *testing.T, s *Store, host string) string {
	t.Helper()
	_, c, err := connect(t, s.Config(Use{}), &tls.Config{ServerName: host, InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	return c.PeerCertificates[0].Subject.CommonName
}

func TestCertificateIsChosenByExactNameThenWildcardThenDefault(t *testing.T) {
	dir := t.TempDir()
	s := open(t,
		pairFor(t, dir, "default", "mx.example.test"),
		pairFor(t, dir, "wild", "*.example.org"),
		pairFor(t, dir, "exact", "mail.example.org"))
	for host, want := range map[string]string{
		"mx.example.test":    "mx.example.test",
		"mail.example.org":   "mail.example.org",
		"MAIL.Example.ORG":   "mail.example.org",
		"other.example.org":  "*.example.org",
		"a.b.example.org":    "mx.example.test",
		"example.org":        "mx.example.test",
		"unknown.example.eu": "mx.example.test",
		"":                   "mx.example.test",
	} {
		if got := shown(t, s, host); got != want {
			t.Errorf("%q: got the certificate for %s, want %s", host, got, want)
		}
	}
}

func TestReloadChangesNewHandshakesOnly(t *testing.T) {
	dir := t.TempDir()
	p := pairFor(t, dir, "a", "old.example.test")
	s := open(t, p)
	config := s.Config(Use{})
	client := &tls.Config{InsecureSkipVerify: true}
	_, before, err := connect(t, config, client)
	if err != nil {
		t.Fatal(err)
	}
	pairFor(t, dir, "a", "new.example.test")
	if err := s.Reload(); err != nil {
		t.Fatal(err)
	}
	_, after, err := connect(t, config, client)
	if err != nil {
		t.Fatal(err)
	}
	if got := before.PeerCertificates[0].Subject.CommonName; got != "old.example.test" {
		t.Errorf("before: %s", got)
	}
	if got := after.PeerCertificates[0].Subject.CommonName; got != "new.example.test" {
		t.Errorf("after: %s", got)
	}
}

func TestFailedReloadKeepsTheOldCertificate(t *testing.T) {
	dir := t.TempDir()
	p := pairFor(t, dir, "a", "mx.example.test")
	s := open(t, p)
	write(t, dir, "a.crt", []byte("half written"))
	if err := s.Reload(); err == nil || !strings.Contains(err.Error(), p.CertFile) {
		t.Errorf("error %v does not name %s", err, p.CertFile)
	}
	if got := shown(t, s, ""); got != "mx.example.test" {
		t.Errorf("got %s", got)
	}
}

func TestReloadOfUnchangedFilesKeepsTheSet(t *testing.T) {
	s := open(t, pairFor(t, t.TempDir(), "a", "mx.example.test"))
	before := s.current.Load()
	if err := s.Reload(); err != nil || s.current.Load() != before {
		t.Errorf("set was replaced, error %v", err)
	}
}

func TestErrorsNameTheFileAndTheTrouble(t *testing.T) {
	dir := t.TempDir()
	a, b := pairFor(t, dir, "a", "a.example"), pairFor(t, dir, "b", "b.example")
	empty := write(t, dir, "empty", nil)
	encrypted := write(t, dir, "encrypted", pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY"}))
	broken := write(t, dir, "broken", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("x")}))
	for _, v := range []struct {
		pair       Pair
		file, text string
	}{
		{Pair{a.CertFile, b.KeyFile}, b.KeyFile, "does not belong to the certificate in " + a.CertFile},
		{Pair{empty, a.KeyFile}, empty, "no certificate found"},
		{Pair{a.CertFile, empty}, empty, "no private key found"},
		{Pair{a.CertFile, a.CertFile}, a.CertFile, "no private key found"},
		{Pair{a.CertFile, encrypted}, encrypted, "is encrypted"},
		{Pair{broken, a.KeyFile}, broken, "certificate 1"},
		{Pair{filepath.Join(dir, "none"), a.KeyFile}, "none", "no such file"},
	} {
		_, err := Open([]Pair{v.pair})
		if err == nil || !strings.Contains(err.Error(), v.file+":") || !strings.Contains(err.Error(), v.text) {
			t.Errorf("%v: error %v, want %s: ...%s", v.pair, err, v.file, v.text)
		}
	}
	if _, err := Open(nil); err == nil {
		t.Error("a store without certificates was opened")
	}
}

// issue makes a certificate by a template, with a key of the given kind.
func issue(t *testing.T, dir, name string, template *x509.Certificate, key any, public any) Pair {
	t.Helper()
	template.SerialNumber = big.NewInt(1)
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	both := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER})...)
	return Pair{CertFile: write(t, dir, name, both)}
}

func TestWarningsTellOfExpiryAndOpenKeys(t *testing.T) {
	dir := t.TempDir()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	past := issue(t, dir, "past.pem", &x509.Certificate{
		Subject: pkix.Name{CommonName: "mx"}, NotAfter: time.Now().Add(-time.Hour),
	}, key, key.Public())
	if err := os.Chmod(past.CertFile, 0o644); err != nil {
		t.Fatal(err)
	}
	got := strings.Join(open(t, past).Warnings(), "\n")
	for _, want := range []string{"expired on", "names no host", "open to every user (mode 0644)"} {
		if !strings.Contains(got, want) {
			t.Errorf("warnings %q do not say %q", got, want)
		}
	}
	if w := open(t, pairFor(t, dir, "good", "mx.example.test")).Warnings(); len(w) > 0 {
		t.Errorf("warnings about a good certificate: %q", w)
	}
}

func TestVersionsBelowTheLeastAreRefused(t *testing.T) {
	s := open(t, pairFor(t, t.TempDir(), "a", "mx.example.test"))
	for _, v := range []struct {
		least, client uint16
		ok            bool
	}{
		{0, tls.VersionTLS11, false},
		{0, tls.VersionTLS12, true},
		{tls.VersionTLS10, tls.VersionTLS11, false},
		{tls.VersionTLS12, tls.VersionTLS12, true},
		{tls.VersionTLS13, tls.VersionTLS12, false},
		{tls.VersionTLS13, tls.VersionTLS13, true},
	} {
		_, _, err := connect(t, s.Config(Use{MinVersion: v.least}), &tls.Config{
			InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: v.client,
		})
		if (err == nil) != v.ok {
			t.Errorf("least %s, client %s: %v", tls.VersionName(v.least), tls.VersionName(v.client), err)
		}
	}
}

func TestTicketsAreGivenOnlyWhereAskedFor(t *testing.T) {
	s := open(t, pairFor(t, t.TempDir(), "a", "mx.example.test"))
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, tickets := range []bool{false, true} {
			config := s.Config(Use{Tickets: tickets})
			client := &tls.Config{
				InsecureSkipVerify: true, MaxVersion: version, ServerName: "mx.example.test",
				ClientSessionCache: tls.NewLRUClientSessionCache(4),
			}
			var resumed bool
			for range 2 {
				_, c, err := connect(t, config, client)
				if err != nil {
					t.Fatal(err)
				}
				resumed = c.DidResume
			}
			if resumed != tickets {
				t.Errorf("version %x: tickets %v, resumed %v", version, tickets, resumed)
			}
		}
	}
}

func TestALPNRefusesOtherProtocolsOnly(t *testing.T) {
	s := open(t, pairFor(t, t.TempDir(), "a", "mx.example.test"))
	config := s.Config(Use{ALPN: []string{"pop3"}})
	for _, v := range []struct {
		offer []string
		ok    bool
	}{{nil, true}, {[]string{"pop3"}, true}, {[]string{"http/1.1"}, false}} {
		_, _, err := connect(t, config, &tls.Config{InsecureSkipVerify: true, NextProtos: v.offer})
		if (err == nil) != v.ok {
			t.Errorf("%v: %v", v.offer, err)
		}
	}
}

func TestBothEndsComputeTheSameBinding(t *testing.T) {
	s := open(t, pairFor(t, t.TempDir(), "a", "mx.example.test"))
	for _, v := range []struct {
		version uint16
		kind    string
		ok      bool
	}{
		{tls.VersionTLS13, Exporter, true},
		{tls.VersionTLS13, Unique, false},
		{tls.VersionTLS13, EndPoint, true},
		{tls.VersionTLS12, Exporter, false},
		{tls.VersionTLS12, Unique, true},
		{tls.VersionTLS12, EndPoint, true},
	} {
		srv, cli, err := connect(t, s.Config(Use{}), &tls.Config{InsecureSkipVerify: true, MaxVersion: v.version})
		if err != nil {
			t.Fatal(err)
		}
		a, errA := Binding(v.kind, &srv, s.Leaf(&srv))
		b, errB := Binding(v.kind, &cli, cli.PeerCertificates[0])
		if (errA == nil) != v.ok || (errB == nil) != v.ok || !bytes.Equal(a, b) {
			t.Errorf("version %x, %s: %x %v, %x %v", v.version, v.kind, a, errA, b, errB)
		}
		if !v.ok && !errors.Is(errA, ErrNoBinding) {
			t.Errorf("version %x, %s: %v is not ErrNoBinding", v.version, v.kind, errA)
		}
	}
}

func TestEndPointIsTheHashOfTheCertificate(t *testing.T) {
	s := open(t, pairFor(t, t.TempDir(), "a", "mx.example.test"))
	leaf := s.Leaf(&tls.ConnectionState{})
	got, err := Binding(EndPoint, nil, leaf)
	want := sha256.Sum256(leaf.Raw) // signed with ECDSA and SHA-256
	if err != nil || !bytes.Equal(got, want[:]) {
		t.Errorf("got %x, %v; want %x", got, err, want)
	}
	public, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	s = open(t, issue(t, t.TempDir(), "ed", &x509.Certificate{NotAfter: time.Now().Add(time.Hour)}, key, public))
	if _, err := Binding(EndPoint, nil, s.Leaf(&tls.ConnectionState{})); !errors.Is(err, ErrNoBinding) {
		t.Errorf("Ed25519: %v, want ErrNoBinding", err)
	}
}

func TestLeafIsUnknownWhereTwoCertificatesAreEqual(t *testing.T) {
	dir := t.TempDir()
	s := open(t, pairFor(t, dir, "a", "mx.example.test"), pairFor(t, dir, "b", "mx.example.test"))
	if leaf := s.Leaf(&tls.ConnectionState{ServerName: "mx.example.test"}); leaf != nil {
		t.Error("one of two possible certificates was chosen")
	}
}
