package proto

import "barid/internal/smtp"

// A refusal is the number of a negative reply of the engine's own. All are
// in one table, so that codes and texts can be compared.
type refusal uint8

const (
	none refusal = iota
	badLineEnd
	badCharacter
	badVerb
	lineTooLong
	authLineTooLong
	notImplemented
	notOffered
	foreignProtocol
	wrongOrder
	helloFirst
	nestedMail
	noRecipients
	rsetFirst
	badArguments
	helloSyntax
	mailSyntax
	rcptSyntax
	noArguments
	vrfySyntax
	badSender
	badRecipient
	badParameter
	parameterTwice
	unknownParameter
	senderNotASCII
	recipientNotASCII
	tooBig
	headerTooBig
	bodyLineTooLong
	mailLoop
	tooManyMails
	tooManyRecipients
	tooManyDomains
	tooManyErrors
	tooManyCommands
	binaryNeedsBDAT
	badChunk
	chunkTooBig
	tlsFirst
	tlsTwice
	authFirst
	authTwice
	authNeedsTLS
	authMechanism
	authBase64
	authCancelled
	notTrusted
)

// The codes are those that the RFC names for the case, or the one registered
// by RFC 5248 that says it best.
var refusals = [...]smtp.Reply{
	badLineEnd:        {Code: 521, Status: smtp.Status{5, 5, 2}, Text: "Lines end with CRLF; a CR or LF by itself is not accepted"},
	badCharacter:      {Code: 500, Status: smtp.Status{5, 5, 2}, Text: "Control characters are not allowed in commands"},
	badVerb:           {Code: 500, Status: smtp.Status{5, 5, 1}, Text: "Command not recognized"},
	lineTooLong:       {Code: 500, Status: smtp.Status{5, 5, 2}, Text: "Line too long"},
	authLineTooLong:   {Code: 500, Status: smtp.Status{5, 5, 6}, Text: "Authentication exchange line is too long"},
	notImplemented:    {Code: 502, Status: smtp.Status{5, 5, 1}, Text: "Command not implemented"},
	notOffered:        {Code: 502, Status: smtp.Status{5, 5, 1}, Text: "Command not offered here"},
	foreignProtocol:   {Code: 521, Status: smtp.Status{5, 5, 1}, Text: "This is a mail server"},
	wrongOrder:        {Code: 503, Status: smtp.Status{5, 5, 1}, Text: "Bad sequence of commands"},
	helloFirst:        {Code: 503, Status: smtp.Status{5, 5, 1}, Text: "Say hello first"},
	nestedMail:        {Code: 503, Status: smtp.Status{5, 5, 1}, Text: "The sender is already given"},
	noRecipients:      {Code: 554, Status: smtp.Status{5, 5, 1}, Text: "No valid recipients"},
	rsetFirst:         {Code: 503, Status: smtp.Status{5, 5, 1}, Text: "The transaction has failed, send RSET first"},
	badArguments:      {Code: 501, Status: smtp.Status{5, 5, 4}, Text: "Syntax error in arguments"},
	helloSyntax:       {Code: 501, Status: smtp.Status{5, 5, 4}, Text: "Say who you are: a host name or an address literal"},
	mailSyntax:        {Code: 501, Status: smtp.Status{5, 5, 4}, Text: "Syntax: MAIL FROM:<address> [parameters]"},
	rcptSyntax:        {Code: 501, Status: smtp.Status{5, 5, 4}, Text: "Syntax: RCPT TO:<address> [parameters]"},
	noArguments:       {Code: 501, Status: smtp.Status{5, 5, 4}, Text: "This command has no arguments"},
	vrfySyntax:        {Code: 501, Status: smtp.Status{5, 5, 4}, Text: "Syntax: VRFY name"},
	badSender:         {Code: 501, Status: smtp.Status{5, 1, 7}, Text: "Bad sender address syntax"},
	badRecipient:      {Code: 501, Status: smtp.Status{5, 1, 3}, Text: "Bad recipient address syntax"},
	badParameter:      {Code: 501, Status: smtp.Status{5, 5, 4}, Text: "Bad value of a parameter"},
	parameterTwice:    {Code: 501, Status: smtp.Status{5, 5, 4}, Text: "A parameter was given twice"},
	unknownParameter:  {Code: 555, Status: smtp.Status{5, 5, 4}, Text: "Parameter not recognized"},
	senderNotASCII:    {Code: 550, Status: smtp.Status{5, 6, 7}, Text: "A non-ASCII sender needs SMTPUTF8"},
	recipientNotASCII: {Code: 553, Status: smtp.Status{5, 6, 7}, Text: "A non-ASCII recipient needs SMTPUTF8"},
	tooBig:            {Code: 552, Status: smtp.Status{5, 3, 4}, Text: "Message size exceeds the maximum"},
	headerTooBig:      {Code: 552, Status: smtp.Status{5, 3, 4}, Text: "Message header exceeds the maximum size"},
	bodyLineTooLong:   {Code: 554, Status: smtp.Status{5, 6, 0}, Text: "A line of the message is too long"},
	mailLoop:          {Code: 554, Status: smtp.Status{5, 4, 6}, Text: "Mail loop: too many Received fields"},
	tooManyMails:      {Code: 452, Status: smtp.Status{4, 5, 3}, Text: "Too many messages in one session"},
	tooManyRecipients: {Code: 452, Status: smtp.Status{4, 5, 3}, Text: "Too many recipients"},
	tooManyDomains:    {Code: 452, Status: smtp.Status{4, 5, 3}, Text: "Too many recipient domains"},
	tooManyErrors:     {Code: 421, Status: smtp.Status{4, 7, 0}, Text: "Too many errors"},
	tooManyCommands:   {Code: 421, Status: smtp.Status{4, 7, 0}, Text: "Too many commands"},
	binaryNeedsBDAT:   {Code: 503, Status: smtp.Status{5, 5, 1}, Text: "BODY=BINARYMIME needs BDAT"},
	badChunk:          {Code: 521, Status: smtp.Status{5, 5, 4}, Text: "Syntax: BDAT octets [LAST]"},
	chunkTooBig:       {Code: 521, Status: smtp.Status{5, 3, 4}, Text: "Chunk size exceeds every maximum"},
	tlsFirst:          {Code: 530, Status: smtp.Status{5, 7, 0}, Text: "Must issue a STARTTLS command first"},
	tlsTwice:          {Code: 503, Status: smtp.Status{5, 5, 1}, Text: "TLS is already active"},
	authFirst:         {Code: 530, Status: smtp.Status{5, 7, 0}, Text: "Authentication required"},
	authTwice:         {Code: 503, Status: smtp.Status{5, 5, 1}, Text: "Already authenticated"},
	authNeedsTLS:      {Code: 538, Status: smtp.Status{5, 7, 11}, Text: "Encryption required for authentication"},
	authMechanism:     {Code: 504, Status: smtp.Status{5, 5, 4}, Text: "Authentication mechanism not supported"},
	authBase64:        {Code: 501, Status: smtp.Status{5, 5, 2}, Text: "Not valid base64"},
	authCancelled:     {Code: 501, Status: smtp.Status{5, 7, 0}, Text: "Authentication cancelled"},
	notTrusted:        {Code: 550, Status: smtp.Status{5, 7, 0}, Text: "Not authorized"},
}

// refuse says no. Replies 5xx are counted, and the last straw is 421; after
// that and after 521 (RFC 7504) the session is closed.
func (s *Session) refuse(out []byte, r refusal) []byte { return s.say(out, s.own(r)) }

// own is a refusal in the engine's own words, of which 421 begins with the
// domain. (RFC 5321 4.2)
func (s *Session) own(r refusal) smtp.Reply {
	reply := refusals[r]
	if reply.Code == 421 {
		reply.Text = s.opts.Hostname + " " + reply.Text
	}
	return reply
}

// say appends a reply, counts it and draws the consequence.
func (s *Session) say(out []byte, r smtp.Reply) []byte {
	if r.Permanent() {
		s.errors++
	}
	if limit := s.opts.ErrorsMax; r.Permanent() && limit > 0 && int(s.errors) >= limit && r.Code != 521 {
		r = s.own(tooManyErrors)
	}
	if r.Code == 421 || r.Code == 521 {
		s.become(hungUp)
	}
	return r.Append(out)
}

// ok appends a positive reply.
func ok(out []byte, code int, status smtp.Status, text string) []byte {
	return smtp.Reply{Code: code, Status: status, Text: text}.Append(out)
}
