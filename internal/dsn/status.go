package dsn

import "barid/internal/smtp"

// header writes the header section of the report (RFC 5322 section 3.6,
// RFC 6522 section 3). Auto-Submitted keeps programs from answering it
// (RFC 3834 section 5).
func (p *printer) header(r *Report, f Form, boundary string) {
	host := string(appendClean(nil, []byte(r.Host), ascii, nameMax))
	p.string("From: Mail Delivery System <MAILER-DAEMON@" + host + ">\n")
	if isMailbox(r.To) {
		p.string("To: <" + string(r.To) + ">\n")
	} else {
		p.string("To: undisclosed-recipients:;\n")
	}
	p.string("Subject: " + r.subject() + "\n")
	p.date("Date", r.Date)
	p.string("Message-ID: <" + r.ID + "@" + host + ">\n")
	if id := string(p.head.messageID); id != "" {
		p.string("In-Reply-To: " + id + "\nReferences: " + id + "\n")
	}
	p.string("Auto-Submitted: auto-replied\nMIME-Version: 1.0\n")
	p.string("Content-Type: multipart/report; report-type=" + statusSubtype(f.SMTPUTF8) + ";\n\tboundary=\"" + boundary + "\"\n")
	p.encoding(f.EightBit)
}

var subjects = [...]string{
	Delivered: "Your message was delivered",
	Relayed:   "Your message was passed on",
	Expanded:  "Your message was sent on to a list",
	Delayed:   "Your message is delayed",
	Failed:    "Your message could not be delivered",
}

func (r *Report) subject() string {
	if r.Postmaster {
		return "Mail that can be neither delivered nor returned"
	}
	return subjects[worst(r.Recipients)]
}

func (p *printer) encoding(eightBit bool) {
	if eightBit {
		p.string("Content-Transfer-Encoding: 8bit\n")
	}
}

// delimiter begins a part.
func (p *printer) delimiter(boundary string) { p.string("\n--" + boundary + "\n") }

// statusSubtype is the type of the second part, and of the report with it
// (RFC 6522 section 3, RFC 6533 section 4.1).
func statusSubtype(utf8 bool) string {
	if utf8 {
		return "global-delivery-status"
	}
	return "delivery-status"
}

// statusPart writes the fields for programs. (RFC 3464 section 2.1)
//
//	delivery-status-content = per-message-fields 1*( CRLF per-recipient-fields )
func (p *printer) statusPart(r *Report, utf8 bool, boundary string) {
	p.delimiter(boundary)
	p.string("Content-Type: message/" + statusSubtype(utf8) + "\n")
	p.encoding(utf8)
	p.string("\n")
	c := ascii
	if utf8 {
		c = unicode
	}
	p.messageFields(r)
	for i := range r.Recipients {
		p.string("\n")
		p.recipientFields(&r.Recipients[i], c)
	}
}

// messageFields writes what is the same for all recipients. (RFC 3464 section
// 2.2, RFC 3461 section 6.3)
//
//	per-message-fields = [ original-envelope-id-field CRLF ] reporting-mta-field CRLF
//	                     [ received-from-mta-field CRLF ] [ arrival-date-field CRLF ]
//	                     *( extension-field CRLF )
func (p *printer) messageFields(r *Report) {
	if len(r.EnvID) > 0 {
		p.field("Original-Envelope-Id", "", smtp.AppendXtextDecoded(nil, r.EnvID), ascii, addressMax)
	}
	p.field("Reporting-MTA", "dns; ", []byte(r.Host), ascii, nameMax)
	if r.ReceivedFrom != "" {
		p.field("Received-From-MTA", "dns; ", []byte(r.ReceivedFrom), ascii, nameMax)
	}
	p.date("Arrival-Date", r.Arrived)
	if r.Queue != "" {
		p.field("X-Barid-Queue-Id", "", []byte(r.Queue), ascii, nameMax)
	}
}

// recipientFields writes what became of one recipient. (RFC 3464 section 2.3)
//
//	per-recipient-fields = [ original-recipient-field CRLF ] final-recipient-field CRLF
//	                       action-field CRLF status-field CRLF [ remote-mta-field CRLF ]
//	                       [ diagnostic-code-field CRLF ] [ last-attempt-date-field CRLF ]
//	                       [ will-retry-until-field CRLF ]
func (p *printer) recipientFields(r *Recipient, c charset) {
	p.original(r.ORcpt, c)
	p.address("Final-Recipient", r.Address, c)
	p.string("Action: " + r.Action.String() + "\n")
	p.string("Status: " + r.status() + "\n")
	if r.Remote != "" {
		p.field("Remote-MTA", "dns; ", []byte(r.Remote), ascii, nameMax)
	}
	if r.Text != "" {
		p.field("Diagnostic-Code", r.diagnosticType(), []byte(r.Text), c, textMax)
	}
	p.date("Last-Attempt-Date", r.LastAttempt)
	if r.Action == Delayed {
		p.date("Will-Retry-Until", r.RetryUntil)
	}
}

// diagnosticType is smtp for the reply of a server (RFC 3461 section 9.2), and
// a name of our own for our own words.
func (r *Recipient) diagnosticType() string {
	if t := r.Text; r.Remote != "" && len(t) >= 3 && isDigit(t[0]) && isDigit(t[1]) && isDigit(t[2]) && (len(t) == 3 || t[3] == ' ' || t[3] == '-') {
		return "smtp; "
	}
	return "x-barid; "
}

// status is the status code; the least specific one where there is none.
func (r *Recipient) status() string {
	if isStatus(r.Status) {
		return r.Status
	}
	switch r.Action {
	case Failed:
		return "5.0.0"
	case Delayed:
		return "4.0.0"
	}
	return "2.0.0"
}

// isStatus holds a status code against the grammar.
//
//	status-code = DIGIT "." 1*3DIGIT "." 1*3DIGIT    ; RFC 3464 section 2.3.4; no leading zeros
func isStatus(s string) bool {
	if len(s) < 5 || s[0] != '2' && s[0] != '4' && s[0] != '5' || s[1] != '.' {
		return false
	}
	rest, ok := number(s[2:])
	if !ok || rest == "" || rest[0] != '.' {
		return false
	}
	rest, ok = number(rest[1:])
	return ok && rest == ""
}

// number reads 1*3DIGIT.
func number(s string) (rest string, ok bool) {
	n := 0
	for n < len(s) && n < 3 && isDigit(s[n]) {
		n++
	}
	return s[n:], n == 1 || n > 1 && s[0] != '0'
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }
