package relay

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"barid/spool"
)

// twoHosts is a domain with two servers, the better one on 127.0.0.1.
const twoHosts = "example.org 300 MX 10 one.example.org\nexample.org 300 MX 20 two.example.org\none.example.org 300 A 127.0.0.1\ntwo.example.org 300 A 127.0.0.2\n"

func TestMessageGoesToTheMailExchangerOfTheDomain(t *testing.T) {
	s := newScene(t, "example.org 300 MX 10 mx.example.org\nmx.example.org 300 A 127.0.0.1\n")
	s.serve("127.0.0.1", whole)
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org delivered 2.0.0: ")
}

func TestNextHostIsTriedWhenTheFirstOneIsOfNoUse(t *testing.T) {
	for name, script := range map[string]string{
		"refuses at the door":  "S: 554 5.7.1 No\nC: QUIT\n",
		"is busy":              "S: 421 4.3.2 Busy\n",
		"refuses EHLO":         "S: 220 one\nC: EHLO*\nS: 550 No\nC: HELO*\nS: 550 No\nC: QUIT\n",
		"closes":               "",
		"closes after EHLO":    "S: 220 one\nC: EHLO*\n",
		"closes at MAIL":       greeting + "C: MAIL*\nC: RCPT*\nC: DATA\n",
		"closes at DATA":       greeting + "C: MAIL*\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 250 Ok\n",
		"says 421 at RCPT":     greeting + "C: MAIL*\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 421 4.3.2 Bye\n",
		"talks another tongue": "S: SSH-2.0-OpenSSH_9.9\n",
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t, twoHosts)
			s.serve("127.0.0.1", script)
			s.serve("127.0.0.2", whole)
			want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org delivered 2.0.0: ")
		})
	}
}

func TestNextHostIsTriedWhenTheFirstOneIsNotThere(t *testing.T) {
	s := newScene(t, twoHosts)
	s.serve("127.0.0.2", whole)
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org delivered 2.0.0: ")
	if got := s.relay.Stats(); got.Unreachable != 1 || got.Connections != 1 || got.Delivered != 1 {
		t.Errorf("%+v", got)
	}
}

func TestAnswerOfTheFirstHostIsFinal(t *testing.T) {
	s := newScene(t, twoHosts)
	s.serve("127.0.0.1", greeting+"C: MAIL*\nC: RCPT TO:<a@*\nC: RCPT TO:<b@*\nC: DATA\nS: 250 Ok\nS: 550 5.1.1 Nobody\nS: 450 4.2.1 Later\nS: 503 No\nC: RSET\nS: 250 Ok\n"+bye)
	l := s.listen("127.0.0.2")
	want(t, s.send(to("smtp:example.org", "a@example.org", "b@example.org")),
		"a@example.org failed 5.1.1: host one.example.org[127.0.0.1] said: 550 5.1.1 Nobody (in reply to RCPT)",
		"b@example.org deferred 4.2.1: host one.example.org[127.0.0.1] said: 450 4.2.1 Later (in reply to RCPT)")
	nobodyCame(t, l)
}

func TestMessageIsNotSentTwiceWhenItsEndWasNotAnswered(t *testing.T) {
	s := newScene(t, twoHosts)
	s.serve("127.0.0.1", greeting+mailOne+body)
	l := s.listen("127.0.0.2")
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org deferred 4.4.2: *closed by the server; it may have got the message all the same")
	nobodyCame(t, l)
}

func TestMailComesBackOnlyWhenAllHostsRefuseForGood(t *testing.T) {
	no := "S: 554 5.7.1 No\nC: QUIT\n"
	s := newScene(t, twoHosts)
	s.serve("127.0.0.1", no)
	s.serve("127.0.0.2", no)
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org failed 5.7.1: host two.example.org[127.0.0.2] refused to talk to me: 554 5.7.1 No")

	s = newScene(t, twoHosts)
	s.serve("127.0.0.1", no)
	s.listen("127.0.0.2").Close()
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org deferred 4.4.1: cannot connect to two.example.org[127.0.0.2]:PORT: connection refused")
}

func TestHealthTellsWhatIsWrongWithTheDestination(t *testing.T) {
	s := newScene(t, twoHosts)
	s.listen("127.0.0.1").Close()
	s.commit(message1, to("smtp:example.org", "a@example.org"))
	if r := <-s.done; r.health != spool.Dead {
		t.Errorf("nobody there: %v", healthNames[r.health])
	}
}

func TestOutcomeNamesTheServerWhoseWordsItHas(t *testing.T) {
	s := newScene(t, twoHosts)
	s.serve("127.0.0.1", greeting+"C: MAIL*\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 550 5.1.1 Nobody\nS: 503 No\nC: RSET\nS: 250 Ok\n")
	s.commit(message1, to("smtp:example.org", "a@example.org"))
	if r := <-s.done; r.outcome.Remote != "one.example.org" {
		t.Errorf("%+v", r.outcome)
	}
	s = newScene(t, twoHosts)
	s.serve("127.0.0.1", greeting+mailOne)
	s.commit(message1, to("smtp:example.org", "a@example.org"))
	if r := <-s.done; r.outcome.Remote != "" {
		t.Errorf("%+v", r.outcome)
	}
}

func TestADestinationThatMakesNoSenseDefers(t *testing.T) {
	s := newScene(t, "")
	want(t, s.send(to("smtp:a b", "a@example.org")), "a@example.org deferred 4.3.5: the destination smtp:a b makes no sense: not a host name")
}

func TestRecipientsWithOtherReturnPathsGoInOtherTransactions(t *testing.T) {
	s := newScene(t, "")
	s.o.Rewrite = func(from, original, address []byte) ([]byte, error) {
		if len(original) > 0 {
			return []byte("srs@" + string(original)), nil
		}
		return from, nil
	}
	s.serve("127.0.0.1", greeting+
		"C: MAIL FROM:<sender@client.example>*\nC: RCPT TO:<a@*\nC: RCPT TO:<c@*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\n"+body+accepted+
		"C: MAIL FROM:<srs@forward.example>*\nC: RCPT TO:<b@*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\n"+body+accepted+bye)
	e := to("smtp:[127.0.0.1]", "a@example.org", "b@example.org", "c@example.org")
	e.Recipients[1].Original = []byte("forward.example")
	want(t, s.send(e), "a@example.org delivered*", "b@example.org delivered*", "c@example.org delivered*")
}

func TestAReturnPathThatCannotBeRewrittenDefersThatRecipient(t *testing.T) {
	s := newScene(t, "")
	s.o.Rewrite = func(from, original, address []byte) ([]byte, error) {
		if len(original) > 0 {
			return nil, errHost
		}
		return from, nil
	}
	s.serve("127.0.0.1", whole)
	e := to("smtp:[127.0.0.1]", "a@example.org", "b@example.org")
	e.Recipients[1].Original = []byte("x")
	want(t, s.send(e), "a@example.org delivered*", "b@example.org deferred 4.3.0: the return path cannot be rewritten: not a host name")
}

func TestRecipientsThatAServerHasNoRoomForGoInFurtherTransactions(t *testing.T) {
	one := func(name string) string {
		return "C: MAIL*\nC: RCPT TO:<" + name + "@*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\n" + body + accepted
	}
	all := to("smtp:[127.0.0.1]", "a@example.org", "b@example.org", "c@example.org")
	done := []string{"a@example.org delivered*", "b@example.org delivered*", "c@example.org delivered*"}
	hello := "S: 220 mx\nC: EHLO*\nS: 250-mx\nS: 250-PIPELINING\n"

	s := newScene(t, "")
	s.serve("127.0.0.1", hello+"S: 250 LIMITS RCPTMAX=1\n"+one("a")+one("b")+one("c")+bye)
	want(t, s.send(all), done...)

	// one transaction a connection
	s = newScene(t, "")
	s.serve("127.0.0.1", hello+"S: 250 LIMITS RCPTMAX=1 MAILMAX=1\n"+one("a")+bye, hello+"S: 250 LIMITS RCPTMAX=1 MAILMAX=1\n"+one("b")+bye, hello+"S: 250 LIMITS RCPTMAX=1\n"+one("c")+bye)
	want(t, s.send(all), done...)

	// one domain a connection
	s = newScene(t, "")
	s.serve("127.0.0.1", hello+"S: 250 LIMITS RCPTDOMAINMAX=1\n"+one("a")+bye, hello+"S: 250 LIMITS RCPTDOMAINMAX=1\n"+one("b")+bye)
	want(t, s.send(to("smtp:[127.0.0.1]", "a@example.org", "b@example.net")), "a@example.org delivered*", "b@example.net delivered*")

	// it is only found out
	s = newScene(t, "")
	s.serve("127.0.0.1", hello+"S: 250 SIZE\nC: MAIL*\nC: RCPT TO:<a@*\nC: RCPT TO:<b@*\nC: RCPT TO:<c@*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 452 4.5.3 Enough\nS: 452 4.5.3 Enough\nS: 354 Go\n"+body+accepted+
		"C: MAIL*\nC: RCPT TO:<b@*\nC: RCPT TO:<c@*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\n"+body+accepted+bye)
	want(t, s.send(all), done...)
}

func TestAServerThatClosesAfterEachMessageGetsTheRestOnNewConnections(t *testing.T) {
	s := newScene(t, twoHosts)
	s.o.Rewrite = func(from, _, address []byte) ([]byte, error) { return address, nil }
	one := func(name string) string {
		return greeting + "C: MAIL*\nC: RCPT TO:<" + name + "@*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 354 Go\n" + body + accepted
	}
	s.serve("127.0.0.1", one("a")+"C: MAIL*\nC: RCPT*\nC: DATA\nS: 421 4.7.0 One is enough\n", one("b"))
	l := s.listen("127.0.0.2")
	want(t, s.send(to("smtp:example.org", "a@example.org", "b@example.org")), "a@example.org delivered*", "b@example.org delivered*")
	nobodyCame(t, l)
}

func TestReportsArePassedOnToServersThatKnowThem(t *testing.T) {
	for offer, action := range map[string]spool.Action{"DSN": spool.ActionPassed, "HELP": spool.ActionRelayed} {
		s := newScene(t, "")
		parameters := [2]string{"", ""}
		if offer == "DSN" {
			parameters = [2]string{" RET=HDRS ENVID=abc", " NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;a@example.org"}
		}
		s.serve("127.0.0.1", "S: 220 mx\nC: EHLO*\nS: 250-mx\nS: 250 "+offer+"\nC: MAIL FROM:<sender@client.example>"+parameters[0]+"\nS: 250 Ok\nC: RCPT TO:<a@example.org>"+parameters[1]+"\nS: 250 Ok\nC: DATA\nS: 354 Go\n"+body+accepted+bye)
		e := to("smtp:[127.0.0.1]", "a@example.org")
		e.Ret, e.EnvID = spool.RetHeaders, []byte("abc")
		e.Recipients[0].Notify, e.Recipients[0].ORcpt = spool.NotifySuccess|spool.NotifyFailure, []byte("rfc822;a@example.org")
		s.commit(message1, e)
		r := <-s.done
		if r.outcome.Action != action || r.outcome.Remote != "127.0.0.1" || r.outcome.Text != "host 127.0.0.1[127.0.0.1] said: 250 Ok: queued as 1 (in reply to the end of the message)" {
			t.Errorf("%s: %+v", offer, r.outcome)
		}
	}
}

func TestALocalServerOfLMTPAnswersForEachRecipient(t *testing.T) {
	s := newScene(t, "")
	path := s.serveUnix("S: 220 mx LMTP\nC: LHLO relay.example\nS: 250-mx\nS: 250 PIPELINING\nC: MAIL*\nC: RCPT TO:<a@*\nC: RCPT TO:<b@*\nC: RCPT TO:<c@*\nC: DATA\n" +
		"S: 250 Ok\nS: 250 Ok\nS: 550 5.1.1 Nobody\nS: 250 Ok\nS: 354 Go\n" + body + "S: 250 2.0.0 Ok\nS: 452 4.2.2 Full\n" + bye)
	s.commit(message1, to("lmtp:unix:"+path, "a@example.org", "b@example.org", "c@example.org"))
	if r := <-s.done; r.outcome.Kind != spool.Delivered || r.outcome.Action != spool.ActionDelivered {
		t.Errorf("%+v", r)
	}
	want(t, s.results(2), "b@example.org failed 5.1.1: host "+path+" said: 550 5.1.1 Nobody (in reply to RCPT)",
		"c@example.org deferred 4.2.2: host "+path+" said: 452 4.2.2 Full (in reply to the end of the message)")
}

func TestConnectionsComeFromTheAddressesInTurn(t *testing.T) {
	s := newScene(t, "")
	s.o.Bind = []netip.Addr{netip.MustParseAddr("127.0.0.11"), netip.MustParseAddr("127.0.0.12"), netip.MustParseAddr("::1")}
	from := map[string]int{}
	l := s.listen("127.0.0.1")
	s.wg.Go(func() {
		for range 4 {
			conn, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			host := conn.RemoteAddr().String()
			from[host[:strings.IndexByte(host, ':')]]++
			s.wg.Go(func() { s.script(parse(t, whole), conn) })
		}
	})
	for range 4 {
		want(t, s.send(to("smtp:[127.0.0.1]", "a@example.org")), "a@example.org delivered*")
	}
	if from["127.0.0.11"] != 2 || from["127.0.0.12"] != 2 {
		t.Error(from)
	}
}

func TestTheWholeJobIsBounded(t *testing.T) {
	s := newScene(t, twoHosts)
	s.o.Timeouts.Job = 50 * time.Millisecond
	s.serve("127.0.0.1", "HANG\n")
	l := s.listen("127.0.0.2")
	want(t, s.send(to("smtp:example.org", "a@example.org")), "a@example.org deferred 4.4.2: one.example.org[127.0.0.1]: timed out while waiting for the greeting")
	nobodyCame(t, l)
}

func TestHurryGivesUpWhatCanBeDoneAgain(t *testing.T) {
	for _, stage := range []string{"", "S: 220 one\nC: EHLO*\n", greeting + "C: MAIL*\nC: RCPT*\n"} {
		s := newScene(t, twoHosts)
		s.signal = make(chan struct{})
		s.serve("127.0.0.1", stage+"SIGNAL\nHANG\n")
		s.commit(message1, to("smtp:example.org", "a@example.org"))
		<-s.signal
		s.relay.Hurry()
		r := <-s.done
		if r.outcome.Kind != spool.Deferred || r.outcome.RetryAfter != time.Second || r.health != spool.HealthUnknown {
			t.Errorf("hanging after %q: %v, %+v", stage, r, r.outcome)
		}
	}
}

func TestHurryWaitsForTheReplyToAMessage(t *testing.T) {
	s := newScene(t, twoHosts)
	s.signal = make(chan struct{})
	s.serve("127.0.0.1", greeting+mailOne+body+"SIGNAL\nSIGNAL\n"+accepted+bye)
	s.commit(message1, to("smtp:example.org", "a@example.org"))
	<-s.signal
	s.relay.Hurry()
	<-s.signal
	want(t, s.results(1), delivered)
	s.commit(message1, to("smtp:example.org", "a@example.org"))
	if r := <-s.done; r.outcome.Kind != spool.Deferred {
		t.Errorf("a delivery that begins in a hurry: %v", r)
	}
}

func TestDeliveriesEndWhenTheSpoolCannotWait(t *testing.T) {
	s := newScene(t, twoHosts)
	reached := make(chan struct{})
	s.signal = reached
	s.serve("127.0.0.1", greeting+mailOne+body+"SIGNAL\nHANG\n")
	s.commit(message1, to("smtp:example.org", "a@example.org"))
	<-reached
	s.abort()
	want(t, s.results(1), "a@example.org deferred 4.3.2: one.example.org[127.0.0.1]: this server is shutting down; it may have got the message all the same")
}
