package pop3d

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"

	"barid/internal/dialog"
)

// scram logs in with SCRAM-SHA-256 or its -PLUS form (RFC 5802, RFC 7677), in
// the plainest way that checks the server's proof as well.
func scram(c *client, mechanism, gs2 string, binding []byte) {
	c.t.Helper()
	encode, decode := base64.StdEncoding.EncodeToString, base64.StdEncoding.DecodeString
	challenge := func() string {
		line, err := c.conn.Line()
		must(c.t, err)
		text, isChallenge := strings.CutPrefix(string(line), "+ ")
		if !isChallenge {
			c.t.Fatalf("no challenge: %q", line)
		}
		decoded, err := decode(text)
		must(c.t, err)
		return string(decoded)
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	first := "n=alice@example.test,r=fyko+d2lbbFgONRv9qkxdawL"
	c.send("AUTH " + mechanism + " " + encode([]byte(gs2+first)))
	serverFirst := challenge()
	fields := strings.SplitN(serverFirst, ",", 3) // r=, s=, i=
	salt, err := decode(fields[1][2:])
	must(c.t, err)
	iterations, err := strconv.Atoi(fields[2][2:])
	must(c.t, err)
	salted, err := pbkdf2.Key(sha256.New, "wonderland", salt, iterations, 32)
	must(c.t, err)
	final := "c=" + encode(append([]byte(gs2), binding...)) + "," + fields[0]
	message := first + "," + serverFirst + "," + final
	clientKey := mac(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	proof := mac(stored[:], message)
	for i := range proof {
		proof[i] ^= clientKey[i]
	}
	c.send(encode([]byte(final + ",p=" + encode(proof))))
	if got, want := challenge(), "v="+encode(mac(mac(salted, "Server Key"), message)); got != want {
		c.t.Fatalf("the server proves itself with %q, not %q", got, want)
	}
	c.send("")
	c.want("+OK maildrop has *")
}

func TestScramLogsIn(t *testing.T) {
	h := newHouse(t, nil)
	scram(h.dial(), "SCRAM-SHA-256", "n,,", nil)
}

func TestScramPlusIsBoundToTheTLSConnection(t *testing.T) {
	h := newHouse(t, nil)
	raw, err := net.Dial("tcp", h.tls.String())
	must(t, err)
	secure := tls.Client(raw, h.roots)
	defer secure.Close()
	c := &client{t: t, conn: dialog.NewNet(secure, nil, patienceOfTests), raw: raw}
	c.want("+OK *")
	state := secure.ConnectionState()
	exported, err := state.ExportKeyingMaterial("EXPORTER-Channel-Binding", nil, 32)
	must(t, err)
	scram(c, "SCRAM-SHA-256-PLUS", "p=tls-exporter,,", exported)
	c.send("QUIT")
	c.want("+OK *")
	c.wantEnd()
	for _, want := range []string{`tls="TLS 1.3"`, "cipher=TLS_", "mechanism=SCRAM-SHA-256-PLUS"} {
		if !strings.Contains(h.log.String(), want) {
			t.Errorf("no %s in\n%s", want, h.log)
		}
	}
}

func TestCancelledScramCanBeBegunAgain(t *testing.T) {
	h := newHouse(t, nil)
	c := h.dial()
	for range 3 {
		c.send("AUTH SCRAM-SHA-256 "+base64.StdEncoding.EncodeToString([]byte("n,,n=alice@example.test,r=nonce")), "*")
		c.want("+ *", "-ERR authentication cancelled")
	}
	scram(c, "SCRAM-SHA-256", "n,,", nil)
}

func TestSessionThatDrainsIsFinishedBeforeShutdown(t *testing.T) {
	h := newHouse(t, nil)
	text := "Subject: x\n\n" + strings.Repeat(fmt.Sprintln(strings.Repeat("z", 100)), 100_000)
	h.deposit("1700000000.M1P1.example", text)
	c := h.enter()
	c.send("RETR 1")
	c.want("+OK *") // the reply has begun, and there is more than the network holds
	stopped := h.shutdown()
	got := 0
	for {
		line, err := c.conn.Line()
		must(t, err)
		if string(line) == "." {
			break
		}
		got += len(line) + 2
	}
	if got != len(onTheWire(text)) {
		t.Fatalf("%d octets, not %d", got, len(onTheWire(text)))
	}
	c.want("-ERR [SYS/TEMP] *")
	c.wantEnd()
	must(t, <-stopped)
}
