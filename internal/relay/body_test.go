package relay

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"barid/spool"
)

// takeAll is a server that takes one message, without a script: it answers,
// and gives what stood between DATA and the dot.
func (s *scene) takeAll(l net.Listener) <-chan []byte {
	got := make(chan []byte, 1)
	s.wg.Go(func() {
		conn, err := l.Accept()
		if err != nil {
			s.t.Error(err)
			return
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(patience))
		var in []byte
		read := func(until string) {
			piece := make([]byte, 64<<10)
			for !bytes.HasSuffix(in, []byte(until)) {
				n, err := conn.Read(piece)
				if err != nil {
					s.t.Error(err)
					return
				}
				in = append(in, piece[:n]...)
			}
		}
		say := func(text string) { _, _ = io.WriteString(conn, text) }
		say("220 mx\r\n")
		read("EHLO relay.example\r\n")
		say("250-mx\r\n250 PIPELINING\r\n")
		read("DATA\r\n")
		in = in[:0]
		say("250 Ok\r\n250 Ok\r\n354 Go\r\n")
		read("\r\n.\r\n")
		got <- in
		say("250 Ok\r\n")
	})
	return got
}

// large makes a message of about so many octets, with dots at the beginnings
// of lines.
func large(size int) string {
	return "Received: from here\n\n" + strings.Repeat(".a line of text that is neither long nor short, but has its place\n", size/66)
}

// wireForm is a message as it goes over the wire.
func wireForm(text string) string {
	text = strings.ReplaceAll(text, "\n.", "\n..")
	return strings.ReplaceAll(text, "\n", "\r\n") + ".\r\n"
}

func TestMessagesOfEverySizeArriveWhole(t *testing.T) {
	for _, size := range []int{0, 100, 10_000, pieceMax - 66, pieceMax, pieceMax + 66, 300_000, wholeMax + 100_000, 5_000_000} {
		s := newScene(t, "")
		got := s.takeAll(s.listen("127.0.0.1"))
		text := large(size)
		want(t, s.sendBody(text, toA), delivered)
		if in := string(<-got); in != wireForm(text) {
			t.Errorf("size %d: %d octets arrived, not %d", size, len(in), len(wireForm(text)))
		}
	}
}

func TestAMessageWithoutAnEndOfLineGetsOne(t *testing.T) {
	s := newScene(t, "")
	got := s.takeAll(s.listen("127.0.0.1"))
	want(t, s.sendBody("Subject: x\n\nend", toA), delivered)
	if in := string(<-got); in != "Subject: x\r\n\r\nend\r\n.\r\n" {
		t.Errorf("%q", in)
	}
}

func TestARefusalInTheMiddleOfTheBodyIsHeard(t *testing.T) {
	s := newScene(t, "")
	s.serve("127.0.0.1", helloSeven+"C: MAIL*\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\nS: 552 5.3.4 Too much\nHANG\n")
	want(t, s.sendBody(large(12_000_000), toA), "a@example.org failed 5.3.4: host 127.0.0.1[127.0.0.1] said: 552 5.3.4 Too much (in reply to the body)")
}

func TestAServerThatStopsReadingIsGivenUp(t *testing.T) {
	s := newScene(t, "")
	s.o.Timeouts.Body = 500 * time.Millisecond
	s.signal = make(chan struct{})
	s.serve("127.0.0.1", helloSeven+"C: MAIL*\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\nSIGNAL\n")
	want(t, s.sendBody(large(12_000_000), toA), "a@example.org deferred 4.4.2: 127.0.0.1[127.0.0.1]: timed out while sending the body")
	<-s.signal
}

func TestSizeIsAnnouncedAsItGoesOverTheWire(t *testing.T) {
	s := newScene(t, "")
	s.serve("127.0.0.1", "S: 220 mx\nC: EHLO*\nS: 250-mx\nS: 250 SIZE 1000\nC: MAIL FROM:<sender@client.example> SIZE=45\nS: 552 5.3.4 Too much\n"+bye)
	want(t, s.send(toA), "a@example.org failed 5.3.4*")
	s = newScene(t, "")
	s.serve("127.0.0.1", "S: 220 mx\nC: EHLO*\nS: 250-mx\nS: 250 SIZE 44\n"+bye)
	want(t, s.send(toA), "a@example.org failed 5.3.4: 127.0.0.1[127.0.0.1]: the message is larger than the next server allows")
}

// eightBit is a message for which a server must offer 8BITMIME.
func eightBit(kind spool.Body) *spool.Envelope {
	e := to("smtp:[127.0.0.1]", "a@example.org")
	e.Body = kind
	return e
}

const helloSeven = "S: 220 mx\nC: EHLO*\nS: 250-mx\nS: 250 PIPELINING\n"

func TestEightBitGoesAsItIsWhereItMay(t *testing.T) {
	s := newScene(t, "")
	s.serve("127.0.0.1", greeting+"C: MAIL FROM:<sender@client.example> SIZE=* BODY=8BITMIME\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\nC: Subject: x\nC:\nC: grün\nC: .\n"+accepted+bye)
	want(t, s.sendBody("Subject: x\n\ngrün\n", eightBit(spool.Body8Bit)), delivered)
}

func TestEightBitIsConvertedForServersThatDoNotKnowIt(t *testing.T) {
	s := newScene(t, "")
	s.serve("127.0.0.1", helloSeven+"C: MAIL FROM:<sender@client.example>\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\n"+
		"C: MIME-Version: 1.0\nC: Content-Type: text/plain; charset=utf-8\nC: Content-Transfer-Encoding: quoted-printable\nC:\nC: gr=C3=BCn\nC: .\n"+accepted+bye)
	want(t, s.sendBody("MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\ngrün\n", eightBit(spool.Body8Bit)), delivered)
}

func TestAMessageThatIsOnlySaidToBeEightBitGoesEverywhere(t *testing.T) {
	s := newScene(t, "")
	s.serve("127.0.0.1", helloSeven+"C: MAIL FROM:<sender@client.example>\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\n"+body+accepted+bye)
	want(t, s.send(eightBit(spool.Body8Bit)), delivered)
}

func TestWhatCannotBeConvertedComesBack(t *testing.T) {
	s := newScene(t, "")
	s.serve("127.0.0.1", helloSeven+bye)
	want(t, s.sendBody("Subject: grün\n\ngrün\n", eightBit(spool.Body8Bit)), "a@example.org failed 5.6.3: 127.0.0.1[127.0.0.1]: the message has 8-bit content, and the next server does not offer 8BITMIME")
}

func TestBinaryBecomesTextForServersThatDoNotKnowIt(t *testing.T) {
	s := newScene(t, "")
	s.serve("127.0.0.1", helloSeven+"C: MAIL FROM:<sender@client.example>\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\n"+
		"C: MIME-Version: 1.0\nC: Content-Type: application/octet-stream\nC: Content-Transfer-Encoding: base64\nC:\nC: AAEN/w==\nC: .\n"+accepted+bye)
	want(t, s.sendBody("MIME-Version: 1.0\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: binary\r\n\r\n\x00\x01\r\xff", eightBit(spool.BodyBinary)), delivered)
}

func TestBinaryGoesInChunksWhereItMay(t *testing.T) {
	s := newScene(t, "")
	s.serve("127.0.0.1", "S: 220 mx\nC: EHLO*\nS: 250-mx\nS: 250-CHUNKING\nS: 250-8BITMIME\nS: 250 BINARYMIME\nC: MAIL FROM:<sender@client.example> BODY=BINARYMIME\nS: 250 Ok\nC: RCPT*\nS: 250 Ok\n"+
		"C: BDAT 12\nC: Subject: x\nS: 250 Ok\nC: BDAT 6\nC:\nC: ab\nS: 250 Ok\nC: BDAT 0 LAST\n"+accepted+bye)
	want(t, s.sendBody("Subject: x\r\n\r\nab\r\n", eightBit(spool.BodyBinary)), delivered)
}

func TestADamagedMessageIsNeverSent(t *testing.T) {
	for _, size := range []int{50_000, 100_000} { // held in memory, and not
		aDamagedMessageIsNeverSent(t, size)
	}
}

func aDamagedMessageIsNeverSent(t *testing.T, size int) {
	s := newScene(t, "")
	b := &borrower{make(chan *spool.Job, 1), make(chan struct{})}
	s.openSpool(b, 1)
	s.relay = New(s.o)
	l := s.listen("127.0.0.1")
	s.commit(large(size), toA)
	job := <-b.jobs
	f, err := s.fs.OpenWrite(job.SpillPath())
	if err == nil {
		_, err = f.WriteAt([]byte{0}, int64(size/2))
		f.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.relay.Deliver(context.Background(), job)
	o := job.Recipients[0].Outcome
	if o.Kind != spool.Failed || o.Status != "5.3.0" {
		t.Errorf("%+v", o)
	}
	nobodyCame(t, l)
	close(b.back)
}
