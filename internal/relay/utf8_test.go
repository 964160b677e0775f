package relay

import "testing"

// Messages that came with SMTPUTF8, which many clients say with each: one that
// does not need it, and one that does.
const plainASCII, utf8Header = "Subject: x\n\ngr\n", "Subject: grün\n\nx\n"

func TestMessageThatNeedsNoSMTPUTF8GoesToServersWithoutIt(t *testing.T) {
	s := newScene(t, "")
	s.serve("127.0.0.1", greeting+"C: MAIL FROM:<sender@client.example> SIZE=18\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\nC: Subject: x\nC:\nC: gr\nC: .\n"+accepted+bye)
	e := to("smtp:[127.0.0.1]", "a@example.org")
	e.SMTPUTF8 = true
	want(t, s.sendBody(plainASCII, e), delivered)
}

func TestMessageThatNeedsSMTPUTF8ComesBackFromServersWithoutIt(t *testing.T) {
	s := newScene(t, "")
	s.serve("127.0.0.1", greeting+bye)
	e := to("smtp:[127.0.0.1]", "a@example.org")
	e.SMTPUTF8 = true
	want(t, s.sendBody(utf8Header, e), "a@example.org failed 5.6.7: 127.0.0.1[127.0.0.1]: the message or its sender has an internationalized address, and the next server does not offer SMTPUTF8")
}
