//go:build interop

package interop

import (
	"bufio"
	"fmt"
	"net"
	"strings"
	"testing"
)

// sendLMTP delivers text, which has CRLF, in the plainest way there is.
func sendLMTP(t *testing.T, addr, account, text string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	in := bufio.NewReader(conn)
	dotted := strings.ReplaceAll("\r\n"+text, "\r\n.", "\r\n..")[2:]
	for _, words := range []string{"", "LHLO interop.test\r\n", "MAIL FROM:<carol@interop.test>\r\n",
		"RCPT TO:<" + account + ">\r\n", "DATA\r\n", dotted + ".\r\n", "QUIT\r\n"} {
		fmt.Fprint(conn, words)
		if !positive(in) {
			t.Fatalf("LMTP: %.80q was refused", words)
		}
	}
}
