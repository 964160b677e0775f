package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/textproto"
	"os"
	osuser "os/user"
	"slices"
	"strings"
	"time"

	"barid/internal/addr"
	"barid/internal/config"
)

// submission is a message on its way to the server.
type submission struct {
	sender             string
	recipients         []string
	text               []byte // with LF line ends
	notify, ret, envid string // of DSN (RFC 3461), each may be empty
}

// sendMessage is sendmail's main job: read a message, complete it, hand it to
// the server.
func sendMessage(t terminal, cfg *config.Config, a *sendmailArgs) error {
	m, err := compose(t, cfg, a)
	if err != nil {
		return err
	}
	copies := m.copies(a.verp)
	err = withDoor(cfg, func(c *client) error { return c.submit(copies, cfg.Message.RecipientsMax) })
	if !errors.Is(err, errNoDoor) {
		return err
	}
	for _, m := range copies {
		if err := dropMessage(cfg, m); err != nil {
			return err
		}
	}
	return nil
}

// copies are the messages to send: one, or with the characters of -XV one for
// each recipient, from a sender that names him.
func (m *submission) copies(verp string) []*submission {
	if verp == "" || m.sender == "" {
		return []*submission{m}
	}
	var all []*submission
	for _, r := range m.recipients {
		one := *m
		one.sender, one.recipients = personal(m.sender, r, verp), []string{r}
		all = append(all, &one)
	}
	return all
}

// personal is the sender of the copy for one recipient; the same sender where
// there is something that cannot be part of it.
func personal(sender, recipient, verp string) string {
	list, domain, _ := addr.Split([]byte(sender))
	user, host, _ := addr.Split([]byte(recipient))
	name, err := addr.AppendLocal(nil, list)
	if err != nil {
		return sender
	}
	if name, err = addr.AppendLocal(append(name, verp[0]), user); err != nil {
		return sender
	}
	name = append(append(name, verp[1]), host...)
	return string(addr.AppendQuoted(nil, name)) + "@" + string(domain)
}

// verify asks the server about each recipient, and sends nothing.
func verify(t terminal, cfg *config.Config, a *sendmailArgs) error {
	m, err := envelope(t, cfg, a, draft{})
	if err != nil {
		return err
	}
	return withDoor(cfg, func(c *client) error {
		if err := c.greet(); err != nil {
			return err
		}
		if err := c.mail(&submission{}); err != nil {
			return err
		}
		var bad []error
		for _, r := range m.recipients {
			err := c.rcpt(m, r)
			if err == nil {
				fmt.Fprintf(t.out, "%s... deliverable\n", r)
				continue
			}
			bad = append(bad, err)
		}
		return errors.Join(bad...)
	})
}

// compose reads the message and settles who sends it to whom.
func compose(t terminal, cfg *config.Config, a *sendmailArgs) (*submission, error) {
	d, err := readDraft(t.in, a.dotIsText, cfg.Message.SizeMax)
	if err != nil {
		return nil, err
	}
	m, err := envelope(t, cfg, a, d)
	if err != nil {
		return nil, err
	}
	from := mail.Address{Name: a.fullName, Address: m.sender}
	if from.Address == "" || a.sender == nil {
		from = self(t, cfg, a.fullName)
	}
	now := time.Now()
	messageID := fmt.Sprintf("%d.%d@%s", now.UnixNano(), os.Getpid(), cfg.Hostname)
	m.text = d.withoutDropped().completed(from, now, messageID).text()
	return m, nil
}

// envelope settles sender and recipients.
func envelope(t terminal, cfg *config.Config, a *sendmailArgs, d draft) (*submission, error) {
	m := &submission{sender: self(t, cfg, "").Address, notify: a.notify, ret: a.ret, envid: a.envid}
	if _, err := parseNotify(m.notify); err != nil {
		return nil, exitWith(exitSysUsage, "-N: %w", err)
	}
	if _, err := parseRet(m.ret); err != nil {
		return nil, exitWith(exitSysUsage, "-R: %w", err)
	}
	if a.sender != nil {
		list, err := parseAddresses(*a.sender)
		if err != nil || len(list) > 1 {
			return nil, exitWith(exitSysUsage, "the sender %q is no address", *a.sender)
		}
		m.sender = qualified(strings.Join(list, ""), cfg.Domains[0])
	}
	var recipients []string
	for _, r := range a.recipients {
		list, err := parseAddresses(r)
		if err != nil {
			return nil, exitWith(exitSysUsage, "recipient %w", err)
		}
		recipients = append(recipients, list...)
	}
	if a.fromHeaders {
		found, err := d.recipients()
		if err != nil {
			return nil, err
		}
		recipients = append(recipients, found...)
	}
	m.recipients = qualifiedAll(recipients, cfg.Domains[0])
	if len(m.recipients) == 0 {
		return nil, exitWith(exitSysUsage, "no recipients: name them, or use -t to take them from the header")
	}
	return m, nil
}

// self is who runs the program, as an address.
func self(t terminal, cfg *config.Config, fullName string) mail.Address {
	name := fmt.Sprintf("uid%d", os.Getuid())
	if u, err := osuser.Current(); err == nil {
		name = u.Username
		if fullName == "" {
			fullName, _, _ = strings.Cut(u.Name, ",") // the first of the fields in GECOS
		}
	}
	if given := t.getenv("NAME"); given != "" && fullName == "" {
		fullName = given
	}
	return mail.Address{Name: fullName, Address: qualified(name, cfg.Domains[0])}
}

// client speaks SMTP with the server.
type client struct {
	*textproto.Conn
	hostname string
}

// doorPatience bounds a whole conversation with the server.
const doorPatience = 10 * time.Minute

// withDoor connects to the server's door for local programs.
func withDoor(cfg *config.Config, talk func(*client) error) error {
	return throughDoor(cfg, func(conn net.Conn) error {
		conn.SetDeadline(time.Now().Add(doorPatience))
		c := &client{textproto.NewConn(conn), cfg.Hostname}
		err := talk(c)
		_ = c.PrintfLine("QUIT") // the message has its fate, whatever the server says to this
		return err
	})
}

// submit sends messages, in as many transactions as it takes. Recipients that
// are refused do not keep the others from getting theirs; they are the error.
func (c *client) submit(all []*submission, recipientsMax int) error {
	if err := c.greet(); err != nil {
		return err
	}
	var bad []error
	for _, m := range all {
		for some := range slices.Chunk(m.recipients, recipientsMax) {
			bad = append(bad, c.transact(m, some))
		}
	}
	return errors.Join(bad...)
}

func (c *client) greet() error {
	if _, _, err := c.ReadResponse(220); err != nil {
		return refused("the connection", err)
	}
	if err := c.command(250, "EHLO %s", c.hostname); err != nil {
		return refused("the greeting", err)
	}
	return nil
}

// mail names the sender, and what the server should know beforehand.
func (c *client) mail(m *submission) error {
	mail := fmt.Sprintf("MAIL FROM:<%s> SIZE=%d", m.sender, len(m.text)+bytes.Count(m.text, []byte("\n")))
	if !ascii(m.text) {
		mail += " BODY=8BITMIME"
	}
	if !ascii(m.sender + strings.Join(m.recipients, "")) {
		mail += " SMTPUTF8"
	}
	if m.ret != "" {
		mail += " RET=" + m.ret
	}
	if m.envid != "" {
		mail += " ENVID=" + xtext(m.envid)
	}
	if err := c.command(250, "%s", mail); err != nil {
		return refused("the sender "+m.sender, err)
	}
	return nil
}

// transact sends a message to some of its recipients.
func (c *client) transact(m *submission, recipients []string) error {
	if err := c.mail(m); err != nil {
		return err
	}
	var bad []error
	for _, r := range recipients {
		if err := c.rcpt(m, r); err != nil {
			bad = append(bad, err)
		}
	}
	if len(bad) == len(recipients) {
		bad = append(bad, c.command(250, "RSET"))
		return errors.Join(bad...)
	}
	if err := c.command(354, "DATA"); err != nil {
		return refused("the message", err)
	}
	w := c.DotWriter()
	if _, err := w.Write(m.text); err != nil {
		return exitWith(exitTempFail, "sending the message: %w", err)
	}
	if err := w.Close(); err != nil {
		return exitWith(exitTempFail, "sending the message: %w", err)
	}
	if _, _, err := c.ReadResponse(250); err != nil {
		return refused("the message", err)
	}
	return errors.Join(bad...)
}

func (c *client) rcpt(m *submission, recipient string) error {
	notify := ""
	if m.notify != "" {
		notify = " NOTIFY=" + m.notify
	}
	if err := c.command(250, "RCPT TO:<%s>%s", recipient, notify); err != nil {
		return refused("the recipient "+recipient, err)
	}
	return nil
}

// command gives one and expects a reply.
func (c *client) command(expect int, format string, args ...any) error {
	line := fmt.Sprintf(format, args...)
	if strings.ContainsAny(line, "\r\n") {
		return exitWith(exitSysUsage, "a line end in %q", line)
	}
	if err := c.PrintfLine("%s", line); err != nil {
		return err
	}
	_, _, err := c.ReadResponse(expect)
	return err
}

// refused turns a server's reply into an error with the right exit code.
func refused(what string, err error) error {
	code := exitTempFail
	var reply *textproto.Error
	if errors.As(err, &reply) && reply.Code >= 500 {
		code = exitUnavailable
		if strings.HasPrefix(reply.Msg, "5.1.") { // addressing status, RFC 3463 3.2
			code = exitNoUser
		}
	}
	return exitWith(exitCode(err, code), "the server refused %s: %w", what, err)
}

func ascii[T string | []byte](s T) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// xtext encodes a parameter's value.
//
//	xtext   = *( xchar / hexchar )       ; RFC 3461 4
//	hexchar = "+" 2HEXDIG
func xtext(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f && c != '+' && c != '=' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "+%02X", c)
		}
	}
	return b.String()
}

// speakSMTP connects the standard input and output with the server, for
// programs that talk SMTP to a child (sendmail -bs).
func speakSMTP(t terminal, cfg *config.Config) error {
	return throughDoor(cfg, func(conn net.Conn) error {
		// What the client sends waits for the greeting: programs that write
		// to a pipe do not, and would be refused for it.
		greeting := make([]byte, 512)
		n, err := conn.Read(greeting)
		if err == nil {
			_, err = t.out.Write(greeting[:n])
		}
		if err == nil {
			go passOn(conn, t.in)
			_, err = io.Copy(t.out, conn)
		}
		if err != nil {
			return exitWith(exitTempFail, "speaking SMTP: %w", err)
		}
		return nil
	})
}

// passOn sends what a client says, and that it has ended. Errors show as the
// end of the dialogue, which the server's side sees.
func passOn(conn net.Conn, in io.Reader) {
	_, _ = io.Copy(conn, in)
	if half, ok := conn.(*net.UnixConn); ok {
		_ = half.CloseWrite()
	}
}
