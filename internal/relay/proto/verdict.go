package proto

import "barid/internal/smtp"

// The verdicts that are not a server's but our own. Those of class 5 are
// about a message or a recipient, those of class 4 about a server.
var (
	badSender     = smtp.Reply{Status: smtp.Status{5, 1, 7}, Text: "the sender's address is malformed"}
	badRecipient  = smtp.Reply{Status: smtp.Status{5, 1, 3}, Text: "the recipient's address is malformed"}
	needsEightBit = smtp.Reply{Status: smtp.Status{5, 6, 3}, Text: "the message has 8-bit content, and the next server does not offer 8BITMIME"}
	needsBinary   = smtp.Reply{Status: smtp.Status{5, 6, 3}, Text: "the message has binary content, and the next server does not offer BINARYMIME and CHUNKING"}
	needsUTF8     = smtp.Reply{Status: smtp.Status{5, 6, 7}, Text: "the message or its sender has an internationalized address, and the next server does not offer SMTPUTF8"}
	rcptNeedsUTF8 = smtp.Reply{Status: smtp.Status{5, 6, 7}, Text: "the recipient's address is internationalized, and the next server does not offer SMTPUTF8"}
	tooBig        = smtp.Reply{Status: smtp.Status{5, 3, 4}, Text: "the message is larger than the next server allows"}
	bareCR        = smtp.Reply{Status: smtp.Status{5, 6, 0}, Text: "the message has a carriage return that ends no line"}

	overLimit = smtp.Reply{Status: smtp.Status{4, 5, 3}, Text: "the server takes no more recipients in this transaction"}

	notAReply   = smtp.Reply{Status: smtp.Status{4, 5, 0}, Text: "the server said something that is no reply"}
	endless     = smtp.Reply{Status: smtp.Status{4, 5, 0}, Text: "the server's reply does not end"}
	unasked     = smtp.Reply{Status: smtp.Status{4, 5, 0}, Text: "the server said something without being asked"}
	wrongReply  = smtp.Reply{Status: smtp.Status{4, 5, 0}, Text: "the server's reply makes no sense here: "}
	injected    = smtp.Reply{Status: smtp.Status{4, 7, 0}, Text: "there was plain text behind the server's reply to STARTTLS"}
	tlsMissing  = smtp.Reply{Status: smtp.Status{4, 7, 4}, Text: "TLS is required, and the server does not offer it"}
	authMissing = smtp.Reply{Status: smtp.Status{4, 7, 4}, Text: "the server offers no way to authenticate with a password"}
	authInClear = smtp.Reply{Status: smtp.Status{4, 7, 11}, Text: "the password is not to be sent without TLS"}
	authBroken  = smtp.Reply{Status: smtp.Status{4, 7, 0}, Text: "the server's side of the authentication makes no sense: "}
)

// senseless is the verdict on a reply of a class that cannot be meant.
func (c *Client) senseless(why smtp.Reply) smtp.Reply {
	why.Detail = c.reply.Text
	return why
}
