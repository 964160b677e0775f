package smtpd

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"net"
	"strconv"
	"strings"
	"testing"

	"barid/internal/dialog"
	"barid/internal/tlsconf"
)

// scram logs alice in by SCRAM-SHA-256 or its -PLUS form (RFC 5802, RFC 7677)
// and gives the last reply. It checks that the server knows the password, too.
func (c *client) scram(mechanism, gs2 string, binding []byte) string {
	c.t.Helper()
	first := "n=alice@example.test,r=rOprNGfwEbeRWgbNEkqO"
	serverFirst, reply := c.challenge("AUTH " + mechanism + " " + encode(gs2+first))
	if reply != "" {
		return reply
	}
	parts := strings.Split(serverFirst, ",") // r=, s=, i=
	salt, err := base64.StdEncoding.DecodeString(parts[1][2:])
	must(c.t, err)
	iterations, err := strconv.Atoi(parts[2][2:])
	must(c.t, err)
	salted, err := pbkdf2.Key(sha256.New, "wonderland", salt, iterations, sha256.Size)
	must(c.t, err)
	withoutProof := "c=" + encode(gs2+string(binding)) + "," + parts[0]
	message := first + "," + serverFirst + "," + withoutProof
	clientKey := sign(salted, "Client Key")
	storedKey := sha256.Sum256(clientKey)
	proof := sign(storedKey[:], message)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	serverFinal, reply := c.challenge(encode(withoutProof + ",p=" + encode(string(proof))))
	if reply != "" {
		return reply
	}
	if want := "v=" + encode(string(sign(sign(salted, "Server Key"), message))); serverFinal != want {
		c.t.Fatalf("the server proves itself with %q, not %q", serverFinal, want)
	}
	_, reply = c.challenge("")
	return reply
}

func sign(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// challenge sends a line and decodes the challenge that answers it, or gives
// the reply that is none.
func (c *client) challenge(line string) (challenge, reply string) {
	c.t.Helper()
	c.send(line)
	answer, err := c.conn.Line()
	must(c.t, err)
	text, isChallenge := strings.CutPrefix(string(answer), "334 ")
	if !isChallenge {
		return "", string(answer)
	}
	decoded, err := base64.StdEncoding.DecodeString(text)
	must(c.t, err)
	return string(decoded), ""
}

func TestScramLogsIn(t *testing.T) {
	h := newHouse(t, inTheClear)
	c := h.greet()
	if reply := c.scram("SCRAM-SHA-256", "n,,", nil); !strings.HasPrefix(reply, "235 2.7.0 ") {
		t.Fatal(reply)
	}
	c.envelope("alice@example.test", "bob@example.test")
	c.data(note, "250 *")
	if l := h.only(); l.account != "alice@example.test" {
		t.Errorf("%+v", l)
	}
}

func TestScramPlusIsBoundToTheConnection(t *testing.T) {
	h := newHouse(t, submission)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, kind := range []string{tlsconf.Exporter, tlsconf.Unique, tlsconf.EndPoint} {
			for _, spoiled := range []bool{false, true} {
				h.roots.MaxVersion = version
				c, conn := h.secureWith(h.roots)
				c.hello("EHLO client.example")
				state := conn.ConnectionState()
				binding, err := tlsconf.Binding(kind, &state, state.PeerCertificates[0])
				want := "235 "
				if err != nil { // this version has it not, whoever asks
					binding, want = []byte("x"), "535 "
				}
				if spoiled {
					binding[0]++
					want = "535 "
				}
				if reply := c.scram("SCRAM-SHA-256-PLUS", "p="+kind+",,", binding); !strings.HasPrefix(reply, want) {
					t.Errorf("%s with %s, spoiled %v: %s", tls.VersionName(version), kind, spoiled, reply)
				}
			}
		}
	}
}

// A client that could bind and is told by somebody in between that the server
// cannot, says so; the server knows better (RFC 5802 6).
func TestScramDowngradeIsRefused(t *testing.T) {
	h := newHouse(t, submission)
	c := h.secure()
	c.hello("EHLO client.example")
	c.send("AUTH SCRAM-SHA-256 " + encode("y,,n=alice@example.test,r=nonce"))
	c.want("535 *")
}

// secureWith connects with TLS from the start and gives the connection, too.
func (h *house) secureWith(config *tls.Config) (*client, *tls.Conn) {
	h.t.Helper()
	raw, err := net.Dial("tcp", h.tls.String())
	must(h.t, err)
	conn := tls.Client(raw, config)
	h.t.Cleanup(func() { conn.Close() })
	c := &client{t: h.t, conn: dialog.NewNet(conn, nil, patienceOfTests), raw: raw}
	c.want("220 mx.example.test *")
	return c, conn
}
