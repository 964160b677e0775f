package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/mail"
	"os"
	osuser "os/user"
	"strings"
	"time"
)

// draft is a message as it came from a local program: what it may lack is
// added before it is sent (RFC 6409 section 8).
type draft struct {
	header []byte // with LF line ends, up to and without the empty line
	body   []byte
}

// readDraft reads a message. Without dotIsText a line with a single dot ends
// it, as sendmail has always done for people at a terminal.
func readDraft(r io.Reader, dotIsText bool) (draft, error) {
	var text []byte
	lines := bufio.NewReader(r)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil && err != io.EOF {
			return draft{}, exitWith(exitIOErr, "reading the message: %w", err)
		}
		line = bytes.TrimSuffix(line, []byte("\n"))
		ended := err == io.EOF && len(line) == 0
		if line = bytes.TrimSuffix(line, []byte("\r")); bytes.IndexByte(line, '\r') >= 0 {
			return draft{}, exitWith(exitDataErr, "line %d of the message contains a CR that ends no line: mail cannot carry it", bytes.Count(text, []byte("\n"))+1)
		}
		if ended || !dotIsText && string(line) == "." {
			return splitDraft(text), nil
		}
		text = append(append(text, line...), '\n')
	}
}

// splitDraft finds the end of the header. Text that does not begin with a
// header field is all body.
func splitDraft(text []byte) draft {
	end := 0
	for end < len(text) {
		line := text[end : end+bytes.IndexByte(text[end:], '\n')+1]
		if len(line) == 1 {
			return draft{text[:end], text[end+1:]}
		}
		colon := bytes.IndexByte(line, ':')
		folded := end > 0 && (line[0] == ' ' || line[0] == '\t')
		if !folded && (colon <= 0 || bytes.ContainsAny(line[:colon], " \t")) {
			return draft{text[:end], text[end:]}
		}
		end += len(line)
	}
	return draft{header: text}
}

// fields parses the header for looking things up.
func (d draft) fields() (mail.Header, error) {
	m, err := mail.ReadMessage(io.MultiReader(bytes.NewReader(d.header), strings.NewReader("\n")))
	if err != nil {
		return nil, exitWith(exitDataErr, "the header of the message cannot be read: %w", err)
	}
	return m.Header, nil
}

// recipients collects the addresses of To, Cc and Bcc.
func (d draft) recipients() ([]string, error) {
	header, err := d.fields()
	if err != nil {
		return nil, err
	}
	var found []string
	for _, name := range []string{"To", "Cc", "Bcc"} {
		for _, value := range header[name] {
			if strings.TrimSpace(value) == "" {
				continue
			}
			list, err := mail.ParseAddressList(value)
			if err != nil {
				return nil, exitWith(exitDataErr, "%s: %q: %w", name, value, err)
			}
			for _, a := range list {
				found = append(found, a.Address)
			}
		}
	}
	return found, nil
}

// withoutBcc removes the Bcc fields with their continuation lines.
func (d draft) withoutBcc() draft {
	var kept []byte
	skipping := false
	for _, line := range bytes.SplitAfter(d.header, []byte("\n")) {
		if len(line) > 0 && line[0] != ' ' && line[0] != '\t' {
			skipping = len(line) >= 4 && strings.EqualFold(string(line[:4]), "bcc:")
		}
		if !skipping {
			kept = append(kept, line...)
		}
	}
	return draft{kept, d.body}
}

// completed adds the fields that a message has to have and this one lacks:
// From, Date and Message-ID.
func (d draft) completed(from mail.Address, now time.Time, messageID string) (draft, error) {
	header, err := d.fields()
	if err != nil {
		return d, err
	}
	var added strings.Builder
	if header.Get("From") == "" {
		fmt.Fprintf(&added, "From: %s\n", from.String())
	}
	if header.Get("Date") == "" {
		fmt.Fprintf(&added, "Date: %s\n", now.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	}
	if header.Get("Message-Id") == "" {
		fmt.Fprintf(&added, "Message-ID: <%s>\n", messageID)
	}
	return draft{append(d.header[:len(d.header):len(d.header)], added.String()...), d.body}, nil
}

// text is the whole message with LF line ends.
func (d draft) text() []byte {
	return append(append(append([]byte{}, d.header...), '\n'), d.body...)
}

// defaultSender is who runs the program, at the given domain.
func defaultSender(domain, fullName string) (mail.Address, error) {
	u, err := osuser.Current()
	if err != nil {
		if name := os.Getenv("LOGNAME"); name != "" {
			return mail.Address{Name: fullName, Address: name + "@" + domain}, nil
		}
		return mail.Address{}, errors.New("cannot tell who you are: give the sender with -f")
	}
	if fullName == "" {
		fullName, _, _ = strings.Cut(u.Name, ",")
	}
	return mail.Address{Name: fullName, Address: u.Username + "@" + domain}, nil
}
