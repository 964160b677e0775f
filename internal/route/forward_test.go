package route

import (
	"strings"
	"testing"
	"time"

	"barid/internal/addr"
	"barid/internal/srs"
)

// forwarder makes a router that signs senders as srs.test.
func forwarder(t *testing.T) *site {
	t.Helper()
	return gateway(t, "back.test smtp:[192.0.2.9]\nclosed.test error:5.1.10 no mail\n", func(s *site) {
		s.now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
		s.options.SRS = &srs.Scheme{Domain: "srs.test", Secrets: [][]byte{[]byte("secret")}}
		s.write(s.options.AliasFile, "away: friend@remote.test\nsrs0-list: alice\n")
	})
}

func (s *site) rewrite(sender, original, address string) string {
	s.t.Helper()
	got, err := s.Rewrite([]byte(sender), []byte(original), []byte(address))
	if err != nil {
		s.t.Error(err)
	}
	return string(got)
}

func TestSenderOfForwardedMailIsRewrittenAndFoundAgain(t *testing.T) {
	s := forwarder(t)
	for sender, want := range map[string]string{
		"Carol@Client.test":                                   "smtp:client.test as Carol@client.test",
		"carol@back.test":                                     "smtp:[192.0.2.9] as carol@back.test",
		`"c c"@client.test`:                                   `smtp:client.test as "c c"@client.test`,
		"any%other.test@client.test":                          "smtp:client.test as any%other.test@client.test",
		"carol@[192.0.2.1]":                                   "smtp:[192.0.2.1] as carol@[192.0.2.1]",
		"SRS0=AAAA=BB=client.test=carol@forwarder.test":       "smtp:forwarder.test as SRS0=AAAA=BB=client.test=carol@forwarder.test",
		"SRS1=AAAA=first.test==AAAA=BB=c.test=carol@two.test": "smtp:first.test as SRS0=AAAA=BB=c.test=carol@first.test",
	} {
		rewritten := s.rewrite(sender, "away@example.test", "friend@remote.test")
		if !strings.HasPrefix(rewritten, "SRS") && !strings.HasPrefix(rewritten, `"SRS`) || !strings.HasSuffix(rewritten, "@srs.test") {
			t.Errorf("%s became %s", sender, rewritten)
		}
		// Anybody may send there, and case is lost on the way.
		if got := s.show(rewritten); got != want {
			t.Errorf("%s became %s, which goes to %s", sender, rewritten, got)
		}
		if got := s.show(strings.ToLower(rewritten)); !strings.EqualFold(got, want) {
			t.Errorf("%s in lower case goes to %s", rewritten, got)
		}
	}
}

// TestSenderOfMailThatGoesRoundIsFound forwards to a host that forwards back.
func TestSenderOfMailThatGoesRoundIsFound(t *testing.T) {
	s := forwarder(t)
	ours := s.rewrite("carol@client.test", "away@example.test", "friend@remote.test")
	theirs := "SRS1=AAAA=srs.test=" + strings.TrimPrefix(strings.TrimSuffix(ours, "@srs.test"), "SRS0") + "@two.test"
	again := s.rewrite(theirs, "away@example.test", "friend@remote.test")
	if got := s.show(again); !strings.HasPrefix(again, "SRS1=") || got != "smtp:client.test as carol@client.test" {
		t.Errorf("%s became %s, which goes to %s", theirs, again, got)
	}
	if got := s.show(strings.Replace(again, "carol", "dave", 1)); !strings.HasPrefix(got, "550 5.1.1") {
		t.Errorf("a forged one goes to %s", got)
	}
}

func TestOtherSendersStayAsTheyAre(t *testing.T) {
	s := forwarder(t)
	long := strings.Repeat("x", addr.LocalMax) + "@client.test"
	for _, c := range []struct{ sender, original, address string }{
		{"", "away@example.test", "friend@remote.test"},                   // a report
		{"alice@example.test", "away@example.test", "friend@remote.test"}, // ours
		{"x@srs.test", "away@example.test", "friend@remote.test"},         // signed already
		{"carol@client.test", "", "friend@remote.test"},                   // sent there
		{"carol@client.test", "Friend@Remote.test", "Friend@remote.test"}, // sent there in other words
		{"carol@client.test", "x@relayed.test", "y@relayed.test"},         // we are its MX
		{long, "away@example.test", "friend@remote.test"},                 // would be too long
		{"a b@client.test", "away@example.test", "friend@remote.test"},    // no address at all
	} {
		if got := s.rewrite(c.sender, c.original, c.address); got != c.sender {
			t.Errorf("%+v: %s", c, got)
		}
	}
	if got := s.rewrite("carol@client.test", "postmaster", "friend@remote.test"); got == "carol@client.test" {
		t.Error("a name without a domain is not taken for ours")
	}
	if !strings.Contains(s.log.String(), "too long") {
		t.Errorf("the log:\n%s", s.log.String())
	}
	s.options.SRS = nil
	s.Router, _ = New(s.options)
	if got := s.rewrite("carol@client.test", "away@example.test", "friend@remote.test"); got != "carol@client.test" {
		t.Error(got)
	}
}

func TestOnlyOwnSignaturesOpenTheWayBack(t *testing.T) {
	s := forwarder(t)
	good := s.rewrite("carol@client.test", "away@example.test", "friend@remote.test")
	s.want(
		strings.Replace(good, "@srs.test", "@example.test", 1), "smtp:client.test as carol@client.test",
		strings.Replace(good, "carol", "dave", 1), "550 5.1.1",
		strings.Replace(good, "client.test", "other.test", 1), "550 5.1.1",
		"SRS0=AAAA=BB=client.test=carol@srs.test", "550 5.1.1",
		"SRS1=AAAA=client.test==AAAA=BB=x.test=carol@srs.test", "550 5.1.1",
		"SRS0=carol@srs.test", "550 5.1.1",
		"srs0-list@example.test", "alice@example.test",
		good[:strings.IndexByte(good, '@')]+"@remote.test", "550 5.7.1",
		"alice@srs.test", "alice@example.test",
		"nobody@srs.test", "550 5.1.1",
		"postmaster@srs.test", "450 4.3.5",
		s.rewrite("x@closed.test", "away@example.test", "friend@remote.test"), "550 5.1.10",
	)
	s.now = s.now.AddDate(0, 0, 22)
	s.want(good, "550 5.1.1")
	var to Targets
	if v := s.Resolve([]byte(good), Sender{MayRelay: true}, &to); v.Kind == Accept || !strings.Contains(v.Reason, "expired") {
		t.Errorf("%+v", v)
	}
}
