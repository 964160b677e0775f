package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"net/smtp"
	"net/textproto"
	"os"
	"slices"
	"strings"
	"time"

	"barid/internal/config"
)

// sendMessage is sendmail's main job: read a message, complete it, hand it to
// the server.
func sendMessage(t terminal, a sendmailArgs) int {
	cfg, err := config.Load(configFile(a.configFile), nil)
	if err != nil {
		return t.fail(err, exitTempFail)
	}
	d, sender, recipients, err := compose(t.in, a, cfg)
	if err != nil {
		return t.fail(err, exitSoftware)
	}
	if err := submit(cfg, sender, recipients, d.text()); err != nil {
		return t.fail(err, exitTempFail)
	}
	return exitOK
}

// compose reads the message and settles who sends it to whom.
func compose(in io.Reader, a sendmailArgs, cfg *config.Config) (d draft, sender string, recipients []string, err error) {
	if d, err = readDraft(in, a.dotIsText); err != nil {
		return d, "", nil, err
	}
	recipients = slices.Clone(a.recipients)
	if a.fromHeaders {
		found, err := d.recipients()
		if err != nil {
			return d, "", nil, err
		}
		recipients = append(recipients, found...)
	}
	if len(recipients) == 0 {
		return d, "", nil, exitWith(exitSysUsage, "no recipients: name them, or use -t to take them from the header")
	}
	self, err := defaultSender(cfg.Hostname, a.fullName)
	if err != nil {
		return d, "", nil, exitWith(exitSysUsage, "%w", err)
	}
	sender = self.Address
	if a.senderGiven {
		sender = a.sender
		if sender != "" {
			self = mail.Address{Name: a.fullName, Address: sender}
		}
	}
	now := time.Now()
	messageID := fmt.Sprintf("%d.%d@%s", now.UnixNano(), os.Getpid(), cfg.Hostname)
	d, err = d.withoutBcc().completed(self, now, messageID)
	return d, sender, qualified(recipients, cfg.Domains[0]), err
}

// qualified gives addresses without a domain the primary one, as local
// programs expect (cron writes to root).
func qualified(recipients []string, domain string) []string {
	all := make([]string, 0, len(recipients))
	for _, r := range recipients {
		if !strings.Contains(r, "@") {
			r += "@" + domain
		}
		if !slices.Contains(all, r) {
			all = append(all, r)
		}
	}
	return all
}

// submit hands a message to the running server over its socket. Recipients
// that it refuses do not keep the others from getting the message; they are
// the error.
func submit(cfg *config.Config, sender string, recipients []string, text []byte) error {
	conn, err := net.Dial("unix", cfg.Socket.Sendmail)
	if err != nil {
		return exitWith(exitTempFail, "the mail server does not answer (%w): start it with 'barid serve', or try again later", err)
	}
	c, err := smtp.NewClient(conn, cfg.Hostname)
	if err != nil {
		return refused("the greeting", err)
	}
	defer c.Close()
	if err := c.Hello(cfg.Hostname); err != nil {
		return refused("the greeting", err)
	}
	if err := c.Mail(sender); err != nil {
		return refused("the sender "+sender, err)
	}
	bad := offer(c, recipients)
	if len(bad) == len(recipients) {
		return errors.Join(bad...)
	}
	if err := transmit(c, text); err != nil {
		return err
	}
	return errors.Join(append(bad, quit(c))...)
}

// offer names the recipients and returns an error for each one refused.
func offer(c *smtp.Client, recipients []string) []error {
	var bad []error
	for _, r := range recipients {
		if err := c.Rcpt(r); err != nil {
			bad = append(bad, refused("the recipient "+r, err))
		}
	}
	return bad
}

func transmit(c *smtp.Client, text []byte) error {
	w, err := c.Data()
	if err != nil {
		return refused("the message", err)
	}
	if _, err := w.Write(text); err != nil {
		return exitWith(exitTempFail, "sending the message: %w", err)
	}
	if err := w.Close(); err != nil {
		return refused("the message", err)
	}
	return nil
}

// quit says goodbye. The message has been accepted by then, so a server that
// is in a hurry is no error.
func quit(c *smtp.Client) error {
	_ = c.Quit()
	return nil
}

// refused turns a server's reply into an error with the right exit code.
func refused(what string, err error) error {
	code := exitTempFail
	var reply *textproto.Error
	if errors.As(err, &reply) && reply.Code >= 500 {
		code = exitUnavailable
		if strings.HasPrefix(what, "the recipient") {
			code = exitNoUser
		}
	}
	return exitWith(code, "the server refused %s: %w", what, err)
}

// speakSMTP connects the standard input and output with the server, for
// programs that talk SMTP to a child (sendmail -bs).
func speakSMTP(t terminal, a sendmailArgs) int {
	cfg, err := config.Load(configFile(a.configFile), nil)
	if err != nil {
		return t.fail(err, exitTempFail)
	}
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: cfg.Socket.Sendmail, Net: "unix"})
	if err != nil {
		return t.fail(fmt.Errorf("the mail server does not answer: %w", err), exitTempFail)
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(conn, t.in) // a client that went away shows as the end of the dialogue below
		_ = conn.CloseWrite()
	}()
	if _, err := io.Copy(t.out, conn); err != nil {
		return t.fail(err, exitTempFail)
	}
	return exitOK
}
