package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"

	"barid/spool"
)

var updateDocs = flag.Bool("update", false, "write docs/metrics.md")

// fetch reads a page of the door for watchers.
func (s *scene) fetch(t *testing.T, path string) (status int, body string) {
	t.Helper()
	r, err := http.Get("http://" + s.addr(t, metricsService) + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(text)
}

func watchedScene(t *testing.T) *scene {
	t.Helper()
	s := newScene(t, "metrics.listen = 127.0.0.1:0")
	s.start(t)
	return s
}

func TestMetricsCountWhatHappened(t *testing.T) {
	s := watchedScene(t)
	s.send(t, "alice@example.test", "Subject: x\r\n\r\ny")
	s.awaitCount(t, 1)
	var page string
	await(t, "the delivery to be noted", func() bool {
		_, page = s.fetch(t, "/metrics")
		return strings.Contains(page, "barid_recipients_delivered_total 1\n")
	})
	for _, want := range []string{
		"barid_info{version=\"", "barid_messages_accepted_total 1\n", "barid_recipients_delivered_total 1\n",
		"barid_connections_accepted_total{service=\"smtp\"} 1\n", "barid_connections_open{service=\"pop3\"} ",
		"barid_accounts 1\n", "barid_logins_total{result=\"locked_out\"} 0\n", "process_open_fds ", "barid_recipients_failed_total 0\n",
		"barid_delivery_seconds_count 1\n", "barid_spool_batch_records_bucket{le=\"+Inf\"} ", "barid_relay_connections_open{what=\"idle\"} 0\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in\n%s", want, page)
		}
	}
	if strings.Contains(page, "process_resident_memory_bytes 0\n") {
		t.Error("the memory in use is not known")
	}
}

func TestHealthTellsWhetherMailWouldBeTaken(t *testing.T) {
	s := watchedScene(t)
	if status, body := s.fetch(t, "/healthz"); status != http.StatusOK || body != "ok\n" {
		t.Errorf("%d %q", status, body)
	}
	if status, _ := s.fetch(t, "/elsewhere"); status != http.StatusNotFound {
		t.Errorf("another page: %d", status)
	}
	full := newScene(t, "metrics.listen = 127.0.0.1:0", "spool.reserve = 1000T")
	full.start(t)
	if status, body := full.fetch(t, "/healthz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "no room") {
		t.Errorf("with a full disk: %d %q", status, body)
	}
}

func TestNobodyMayWatchByDefault(t *testing.T) {
	s := newScene(t)
	s.start(t)
	if log := s.logged.String(); strings.Contains(log, "service="+metricsService) {
		t.Errorf("the door is open:\n%s", log)
	}
}

func TestWatchersBeyondTheLimitWaitForTheirTurn(t *testing.T) {
	s := watchedScene(t)
	var idle []net.Conn
	for range watchersMax {
		c, err := net.Dial("tcp", s.addr(t, metricsService))
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		idle = append(idle, c)
	}
	go idle[0].Close()
	if status, _ := s.fetch(t, "/healthz"); status != http.StatusOK {
		t.Errorf("%d", status)
	}
}

func TestLongestDestinationsAreShownAndTheOthersSummed(t *testing.T) {
	s := &destinationSums{}
	for i := range 3 * destinationsMax {
		s.longest = append(s.longest, spool.DestinationStatus{Key: fmt.Sprintf("smtp:%d.test", i), Deferred: i})
		if len(s.longest) >= 2*destinationsMax {
			s.shorten()
		}
	}
	s.shorten()
	if len(s.longest) != destinationsMax || s.longest[0].Deferred != 3*destinationsMax-1 || s.longest[destinationsMax-1].Deferred != 2*destinationsMax {
		t.Errorf("%+v", s.longest)
	}
	if want := 2 * destinationsMax * (2*destinationsMax - 1) / 2; s.others.Deferred != want {
		t.Errorf("the others have %d instead of %d", s.others.Deferred, want)
	}
}

const metricsPreface = `# Metrics

<!-- Written by "go test ./cmd/barid -run Metrics -update" from what a server answers. -->

` + "`metrics.listen`" + ` opens a door for those who watch the server: ` + "`GET /metrics`" + ` answers in the text form of
Prometheus, ` + "`GET /healthz`" + ` with 200 when a message would be taken now, otherwise with 503 and the reason. Nobody
is asked for a password, so it belongs on loopback or on an address that only your own hosts reach. At most
16 connections are served at a time.

    metrics.listen = 127.0.0.1:9125

Counters begin at 0 when the server starts. What is worth an alarm:

    barid_spool_failures_total rises                   the disk does not keep what it is given
    barid_queue_recipients{state="ready"} stays high   deliveries are slower than mail comes in
    barid_queue_recipients{state="deferred"} rises     mail cannot be delivered: barid queue summary
    barid_connections_refused_total rises              a limit is too low, or somebody tries it
    /healthz is not 200                                mail is being put off

| name | type | labels | what it is |
|---|---|---|---|
`

// metricsTable makes the table of docs/metrics.md from a page.
func metricsTable(page string) []byte {
	var out bytes.Buffer
	out.WriteString(metricsPreface)
	var help, kind string
	for line := range strings.Lines(page) {
		words := strings.SplitN(strings.TrimSpace(line), " ", 4)
		switch {
		case words[0] == "#" && words[1] == "HELP":
			help = words[3]
		case words[0] == "#":
			kind = words[3]
		case kind != "":
			name, labels, _ := strings.Cut(words[0], "{")
			if kind == "histogram" {
				name, labels = strings.TrimSuffix(name, "_bucket"), ""
			}
			fmt.Fprintf(&out, "| `%s` | %s | %s | %s |\n", name, kind, labelNames(labels), help)
			kind = "" // one line for each family
		}
	}
	return out.Bytes()
}

func labelNames(labels string) string {
	var names []string
	for _, pair := range strings.Split(labels, "\",") {
		if name, _, ok := strings.Cut(pair, "="); ok {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

func TestMetricsAreAllDocumented(t *testing.T) {
	const name = "../../docs/metrics.md"
	s := watchedScene(t)
	s.send(t, "alice@example.test", "Subject: x\r\n\r\ny")
	_, page := s.fetch(t, "/metrics")
	want := metricsTable(page)
	if *updateDocs {
		if err := os.WriteFile(name, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/metrics.md is not what the server says (%v): run go test ./cmd/barid -run Metrics -update", err)
	}
}
