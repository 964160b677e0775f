package dsn

import (
	"strconv"
	"strings"
)

// textPart writes the text for people.
func (p *printer) textPart(text []byte, boundary string) {
	p.delimiter(boundary)
	if isASCII(text) {
		p.string("Content-Type: text/plain; charset=us-ascii\n\n")
	} else {
		p.string("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n")
	}
	p.Write(text)
}

// appendText appends the text: what this is about, a paragraph for each of
// the first recipients, and where to ask.
func appendText(dst []byte, r *Report) []byte {
	host := string(appendClean(nil, []byte(r.Host), ascii, nameMax))
	whose := ownMessage
	if r.Postmaster {
		whose = strangersMessage
	}
	opening := "This is the mail system of " + host + ". It writes to you about " + whose.opening
	if !r.Arrived.IsZero() {
		opening += " and that came here on " + r.Arrived.Format(dateFormat)
	}
	dst = appendParagraph(dst, opening+".")
	for i := range r.Recipients[:min(len(r.Recipients), spelledMax)] {
		dst = appendParagraph(append(dst, '\n'), r.Recipients[i].sentences(whose))
	}
	if more := len(r.Recipients) - spelledMax; more > 0 {
		dst = appendParagraph(append(dst, '\n'), "The same message has "+strconv.Itoa(more)+" more such recipients; the second part of this report names them all.")
	}
	closing := "The header of " + whose.your + " message is attached, so that you can tell which one it was."
	if r.Full {
		closing = whose.Your + " message is attached."
	}
	switch {
	case r.Postmaster:
		closing += " The log has more under " + r.Queue
	case r.Queue != "":
		closing += " For help write to <postmaster@" + host + "> and mention " + r.Queue
	default:
		closing += " For help write to <postmaster@" + host + ">"
	}
	return appendParagraph(append(dst, '\n'), closing+".")
}

// possession is how a text speaks of the message.
type possession struct{ opening, your, Your string }

var (
	ownMessage       = possession{"a message that you sent", "your", "Your"}
	strangersMessage = possession{"a message whose sender cannot be told", "the", "The"}
)

func appendParagraph(dst []byte, text string) []byte {
	return append(appendFolded(dst, []byte(text), "\n"), '\n')
}

// sentences say what became of a recipient.
func (r *Recipient) sentences(whose possession) string {
	to := "<" + string(appendClean(nil, r.Address, unicode, addressMax)) + ">"
	your := whose.Your
	switch r.Action {
	case Failed:
		return your + " message could not be delivered to " + to + "." + r.reason() + whose.advice(r)
	case Delayed:
		until := ""
		if !r.RetryUntil.IsZero() {
			until = " until " + r.RetryUntil.Format(dateFormat)
		}
		return your + " message has not been delivered to " + to + " yet." + r.reason() + " It will be tried again" + until + ". You need not send it again."
	case Relayed:
		return your + " message to " + to + " was passed on to " + r.server("the next server") + ", which sends no reports on what becomes of it."
	case Expanded:
		return your + " message to " + to + " was sent on to all the addresses that this one stands for."
	}
	return your + " message is in the mailbox of " + to + ". This does not mean that it has been read."
}

// server is the name of the server that had a word.
func (r *Recipient) server(unknown string) string {
	name := appendClean(nil, []byte(r.Remote), ascii, nameMax)
	if len(name) == 0 {
		return unknown
	}
	return "the server " + string(name)
}

// reason is what was said.
func (r *Recipient) reason() string {
	text := string(appendClean(nil, []byte(r.Text), unicode, textMax))
	switch {
	case text == "":
		return ""
	case r.Remote == "":
		return " The reason: " + strings.TrimSuffix(text, ".") + "."
	}
	return " This is what " + r.server("") + " said: \"" + text + "\"."
}

// advice is for senders only.
func (whose possession) advice(r *Recipient) string {
	if whose == strangersMessage {
		return ""
	}
	return r.advice()
}

// advice is what the sender can do about a failure (RFC 3463 section 3,
// RFC 7505 section 4.2).
func (r *Recipient) advice() string {
	status := r.status()
	if status[0] == '4' {
		return " It was tried for as long as messages are kept here, and will not be tried again. You can send it once more, or look for another way."
	}
	for _, a := range advices {
		for _, prefix := range a.codes {
			if strings.HasPrefix(status[2:]+".", prefix) {
				return " " + a.text
			}
		}
	}
	return ""
}

// advices go by subject and detail of the status, the first that fits.
var advices = []struct {
	codes []string
	text  string
}{
	{[]string{"1.7.", "1.8."}, "It is your own address that was not accepted: ask your postmaster."},
	{[]string{"1.2.", "1.10.", "4.4."}, "Look at what stands behind the \"@\": a domain of that name does not exist, or takes no mail."},
	{[]string{"1.", "2.1."}, "Look for a typing error in the address, or ask the person for another one."},
	{[]string{"2.2."}, "Try again later, or tell the person in another way that there is no room."},
	{[]string{"2.3.", "3.4."}, "It is larger than what is taken there: send less of it, or smaller pieces."},
	{[]string{"4.6."}, "It went in circles, which only the postmasters on the way can end."},
	{[]string{"6."}, "It has a form that cannot be taken there: send it in another one."},
	{[]string{"7."}, "It was refused by a rule; if you think that this is wrong, the recipient or his postmaster can change it."},
}
