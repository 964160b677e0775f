package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/mail"
	"strings"
	"time"

	"barid/internal/message"
)

// draft is a message as it came from a local program: what it may lack is
// added before it is sent (RFC 6409 section 8).
type draft struct {
	header []byte // with LF line ends, up to and without the empty line
	body   []byte
}

// readDraft reads a message of at most sizeMax bytes (0: any number). Without
// dotIsText a line with a single dot ends it, as sendmail has always done for
// people at a terminal. A CR that ends no line ends one here, since mail cannot
// carry it otherwise and programs that draw progress bars are run by cron.
func readDraft(r io.Reader, dotIsText bool, sizeMax int64) (draft, error) {
	var text []byte
	for in := bufio.NewReader(r); ; {
		line, err := in.ReadSlice('\n')
		if err != nil && err != io.EOF && err != bufio.ErrBufferFull {
			return draft{}, exitWith(exitIOErr, "reading the message: %w", err)
		}
		start := len(text)
		for start > 0 && text[start-1] != '\n' {
			start-- // ErrBufferFull: the line goes on
		}
		text = append(text, line...)
		if sizeMax > 0 && int64(len(text)) > sizeMax {
			return draft{}, exitWith(exitUnavailable, "the message is larger than message.size-max, %d bytes", sizeMax)
		}
		ended := err == io.EOF
		if !dotIsText && string(bytes.TrimRight(text[start:], "\r\n")) == "." && err != bufio.ErrBufferFull {
			text, ended = text[:start], true
		}
		if ended {
			return splitDraft(endLines(text)).withoutCR(), nil
		}
	}
}

// endLines gives every line an LF at its end, in place of CRLF too.
func endLines(text []byte) []byte {
	text = bytes.ReplaceAll(text, []byte("\r\n"), []byte("\n"))
	if len(text) > 0 && text[len(text)-1] != '\n' {
		text = append(text, '\n')
	}
	return text
}

// withoutCR takes out each CR that stands alone: it cannot be sent. In the
// body it becomes a line end, as whoever drew a progress bar meant it; in the
// header a space, so that no program that lets people fill in a field, and
// keeps LF out of it, can be made to write another field.
func (d draft) withoutCR() draft {
	return draft{bytes.ReplaceAll(d.header, []byte("\r"), []byte(" ")), bytes.ReplaceAll(d.body, []byte("\r"), []byte("\n"))}
}

// splitDraft finds the end of the header. Text that does not begin with a
// header field is all body, but for the separator line of a mailbox file.
func splitDraft(text []byte) draft {
	if bytes.HasPrefix(text, []byte("From ")) {
		text = text[bytes.IndexByte(text, '\n')+1:]
	}
	end := 0
	for line := range bytes.Lines(text) {
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

func (d draft) has(name string) bool {
	_, found := message.Lookup(d.header, name)
	return found
}

// recipients collects the addresses of To, Cc and Bcc, or, of a message that
// is sent on, those of Resent-To, Resent-Cc and Resent-Bcc (RFC 5322 3.6.6).
func (d draft) recipients() ([]string, error) {
	names := []string{"To", "Cc", "Bcc"}
	if d.has("Resent-To") || d.has("Resent-Cc") || d.has("Resent-Bcc") {
		names = []string{"Resent-To", "Resent-Cc", "Resent-Bcc"}
	}
	var found []string
	for field := range message.Fields(d.header) {
		for _, name := range names {
			if !field.Is(name) {
				continue
			}
			list, err := parseAddresses(string(message.AppendUnfolded(nil, field.Value())))
			if err != nil {
				return nil, exitWith(exitDataErr, "%s: %w", name, err)
			}
			found = append(found, list...)
		}
	}
	return found, nil
}

// dropped are fields that do not travel: who got a blind copy is nobody's
// business, and the others are for the last hop to write.
var dropped = [...]string{"Bcc", "Resent-Bcc", "Return-Path", "Content-Length"}

func (d draft) withoutDropped() draft {
	kept := make([]byte, 0, len(d.header))
	for field := range message.Fields(d.header) {
		drop := false
		for _, name := range dropped {
			drop = drop || field.Is(name)
		}
		if !drop {
			kept = append(kept, field.Raw...)
		}
	}
	return draft{kept, d.body}
}

// completed adds the fields that a message has to have and this one lacks:
// From, Date and Message-ID (RFC 6409 8.1 to 8.3).
func (d draft) completed(from mail.Address, now time.Time, messageID string) draft {
	var added strings.Builder
	if !d.has("From") {
		fmt.Fprintf(&added, "From: %s\n", from.String())
	}
	if !d.has("Date") {
		fmt.Fprintf(&added, "Date: %s\n", now.Format("Mon, 02 Jan 2006 15:04:05 -0700"))
	}
	if !d.has("Message-ID") {
		fmt.Fprintf(&added, "Message-ID: <%s>\n", messageID)
	}
	return draft{append(d.header[:len(d.header):len(d.header)], added.String()...), d.body}
}

// text is the whole message with LF line ends.
func (d draft) text() []byte {
	text := make([]byte, 0, len(d.header)+1+len(d.body))
	return append(append(append(text, d.header...), '\n'), d.body...)
}
