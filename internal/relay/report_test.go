package relay

import (
	"bytes"
	"log/slog"
	"regexp"
	"strings"
	"testing"
)

func TestEachOutcomeHasALineInTheLog(t *testing.T) {
	var log bytes.Buffer
	s := newScene(t, "example.org 300 MX 10 mx.example.net\nmx.example.net 300 A 127.0.0.1\n")
	s.o.Log = slog.New(slog.NewTextHandler(&log, nil))
	s.serve("127.0.0.1", greeting+"C: MAIL*\nC: RCPT*\nC: RCPT*\nC: DATA\nS: 250 Ok\nS: 250 Ok\nS: 550 5.1.1 Nobody\nS: 354 Go\n"+body+accepted+bye)
	s.send(to("smtp:example.org", "a@example.org", "b@example.org"))
	s.send(to("smtp:nowhere.example", "c@nowhere.example"))
	s.abort()
	for i, pattern := range []string{
		`level=INFO msg=delivered id=\S+ to=a@example.org dest=smtp:example.org relay=mx.example.net\[127.0.0.1\]:\d+ tls=none status=2.0.0 delay=\S+ queued=\S+ connecting=\S+ sending=\S+ size=41 reply="host mx.example.net\[127.0.0.1\] said: 250 Ok: queued as 1 \(in reply to the end of the message\)"$`,
		`level=WARN msg=failed id=\S+ to=b@example.org .* status=5.1.1 .* reply="host mx.example.net\[127.0.0.1\] said: 550 5.1.1 Nobody \(in reply to RCPT\)"$`,
		`level=WARN msg=failed id=\S+ to=c@nowhere.example dest=smtp:nowhere.example relay=none tls=none status=5.1.2 .* reply="there is no host or domain nowhere.example .*"$`,
	} {
		lines := strings.Split(strings.TrimSpace(log.String()), "\n")
		if i >= len(lines) || !regexp.MustCompile(pattern).MatchString(lines[i]) {
			t.Errorf("the log is\n%s\nwithout\n%s", log.String(), pattern)
		}
	}
	if got := s.relay.Stats(); got.Delivered != 1 || got.Failed != 2 || got.Deferred != 0 {
		t.Errorf("%+v", got)
	}
}
