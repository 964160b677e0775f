package main

import (
	"fmt"
	"io"
	"net"
)

// announce prints what there is to try. Programs read the lines that begin
// with listen, account and ready.
func announce(w io.Writer, endpoints []endpoint, accounts []demoAccount) {
	at := map[string]string{}
	for _, e := range endpoints {
		at[e.service] = e.socket.Addr().String()
		fmt.Fprintf(w, "listen %s %s\n", e.service, at[e.service])
	}
	for _, a := range accounts {
		fmt.Fprintf(w, "account %s %s\n", a.name, a.password)
	}
	if len(accounts) >= 2 {
		tryLines(w, at, accounts[0], accounts[1])
	}
	fmt.Fprintln(w, "ready")
}

// tryLines prints commands that send a first message and read it, for the
// services that this demonstration has.
func tryLines(w io.Writer, at map[string]string, alice, bob demoAccount) {
	fmt.Fprint(w, "\nPaste into another terminal. Send:\n")
	if smtp := at["smtp"]; smtp != "" {
		fmt.Fprintf(w, "  printf 'From: %[1]s\\nTo: %[2]s\\nSubject: hello\\n\\nA first letter.\\n' | curl -sS --crlf smtp://%[3]s --mail-from %[1]s --mail-rcpt %[2]s -T -\n",
			bob.name, alice.name, smtp)
	}
	if host, port, err := net.SplitHostPort(at["submission"]); err == nil {
		fmt.Fprintf(w, "  swaks --server %s --port %s --tls --auth-user %[3]s --auth-password %s --from %[3]s --to %[5]s\n",
			host, port, bob.name, bob.password, alice.name)
	}
	if pop3 := at["pop3"]; pop3 != "" {
		fmt.Fprintf(w, "Read:\n  curl -sS -u %[1]s:%[2]s pop3://%[3]s/\n  curl -sS -u %[1]s:%[2]s pop3://%[3]s/1\n",
			alice.name, alice.password, pop3)
	}
	if imap := at["imap"]; imap != "" {
		fmt.Fprintf(w, "Look into the mailbox, and read:\n  curl -sS -u %[1]s:%[2]s imap://%[3]s/ -X 'STATUS INBOX (MESSAGES UNSEEN)'\n  curl -sS -u %[1]s:%[2]s 'imap://%[3]s/INBOX;MAILINDEX=1'\n",
			alice.name, alice.password, imap)
	}
	fmt.Fprintln(w)
}
