package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"barid/auth"
	"barid/dnsres"
	"barid/internal/loop"
	"barid/internal/metric"
	"barid/internal/relay"
	"barid/spool"
)

// doorListener is a socket in the loop, with the service behind it.
type doorListener struct {
	service string
	*loop.Listener
}

// observed is how the values of the spool are distributed.
type observed struct{ syncs, batches, deliveries *metric.Histogram }

// newObserved makes buckets for what is seen: a sync takes from 50 µs on a good
// disk to seconds on a flash card, a delivery from a millisecond to days.
func newObserved() observed {
	return observed{
		syncs:      metric.NewHistogram(metric.Bounds(0.00025, 4, 8)...),
		batches:    metric.NewHistogram(metric.Bounds(1, 2, 11)...),
		deliveries: metric.NewHistogram(0.01, 0.1, 1, 10, 60, 600, 3600, 6*3600, 24*3600),
	}
}

func (o observed) observer() *spool.Observer {
	return &spool.Observer{
		Synced: func(took time.Duration, records int) {
			o.syncs.ObserveDuration(took)
			o.batches.Observe(float64(records))
		},
		Delivered: o.deliveries.ObserveDuration,
	}
}

// metrics writes all that the server counts. docs/metrics.md has the list, and
// a test holds it against this.
func (s *server) metrics(p *metric.Page) {
	p.Family(metric.KindGauge, "barid_info", "What runs here; always 1.", "version", "hostname").
		Sample(1, versionText(), s.cfg.Hostname)
	st := s.spool.Stats()
	messageMetrics(p, &st)
	p.Histogram("barid_delivery_seconds", "From the acceptance of a message to the delivery of a recipient.", s.observed.deliveries)
	queueMetrics(p, &st, sumDestinations(s.spool))
	logMetrics(p, &st)
	p.Histogram("barid_spool_sync_seconds", "How long a sync of the log took: what the 250 waits for.", s.observed.syncs)
	p.Histogram("barid_spool_batch_records", "How many records a sync made durable together.", s.observed.batches)
	relayMetrics(p, s.relaying.agent.Stats())
	dnsMetrics(p, s.relaying.resolver.Stats())
	doorMetrics(p, s.listeners)
	loginMetrics(p, s.doors.who.Load().auth.Stats())
	processMetrics(p, s.started)
}

func messageMetrics(p *metric.Page, st *spool.Stats) {
	p.Counter("barid_messages_accepted_total", "Messages that were answered 250: on stable storage.", st.Accepted)
	p.Counter("barid_recipients_delivered_total", "Recipients delivered, into mailboxes or to the next host.", st.Delivered)
	p.Counter("barid_recipients_failed_total", "Recipients that failed for good, or for too long.", st.Failed)
	p.Counter("barid_recipients_expired_total", "Of these, those that were tried for too long.", st.Expired)
	p.Counter("barid_reports_total", "Reports to senders that were written.", st.Reports)
	p.Counter("barid_reports_failed_total", "Times that a report could not be written; it is tried again.", st.ReportFailures)
	p.Counter("barid_attempts_deferred_total", "Attempts to deliver that are to be repeated later.", st.Deferred)
}

func logMetrics(p *metric.Page, st *spool.Stats) {
	p.Counter("barid_spool_batches_total", "Writes to the log of the spool.", st.Batches)
	p.Counter("barid_spool_records_total", "Records that came in these: messages, and what became of them.", st.Records)
	p.Counter("barid_spool_syncs_total", "Syncs of the log and of large bodies.", st.Syncs)
	p.Counter("barid_spool_written_bytes_total", "Bytes written to the log.", st.Bytes)
	p.Counter("barid_spool_failures_total", "Writes and syncs of the log that failed.", st.Failures)
	p.Counter("barid_spool_checkpoints_total", "Times that deliveries were made durable together.", st.Checkpoints)
	p.Counter("barid_spool_damaged_total", "Places of the log that were found damaged.", st.Damaged)
	p.Gauge("barid_spool_segments", "Files of the log.", float64(st.Segments))
}

func relayMetrics(p *metric.Page, st relay.Stats) {
	f := p.Family(metric.KindCounter, "barid_relay_recipients_total", "Recipients at other hosts that were tried, by outcome.", "outcome")
	f.Sample(float64(st.Delivered), "delivered")
	f.Sample(float64(st.Deferred), "deferred")
	f.Sample(float64(st.Failed), "failed")
	f = p.Family(metric.KindCounter, "barid_relay_connections_total", "Connections to other hosts: made, used again for another message, and attempts without success.", "what")
	f.Sample(float64(st.Connections), "made")
	f.Sample(float64(st.Reused), "reused")
	f.Sample(float64(st.Unreachable), "unreachable")
	f = p.Family(metric.KindCounter, "barid_relay_tls_total", "Connections with TLS, and those that went on in the clear because the handshake had failed.", "what")
	f.Sample(float64(st.Encrypted), "encrypted")
	f.Sample(float64(st.Cleared), "cleared")
	f = p.Family(metric.KindGauge, "barid_relay_connections_open", "Connections to other hosts that are open.", "what")
	f.Sample(float64(st.Open-st.Idle), "in_use")
	f.Sample(float64(st.Idle), "idle")
}

func dnsMetrics(p *metric.Page, st dnsres.Stats) {
	f := p.Family(metric.KindCounter, "barid_dns_lookups_total", "Lookups: answered from memory, waited for, and answered with what had expired because all servers failed.", "result")
	f.Sample(float64(st.Hits), "hit")
	f.Sample(float64(st.Misses), "miss")
	f.Sample(float64(st.Stale), "stale")
	p.Counter("barid_dns_questions_total", "Questions sent to name servers.", uint64(st.Questions))
	p.Counter("barid_dns_strays_total", "Packets that were no reply to a question, perhaps forged.", uint64(st.Strays))
	p.Gauge("barid_dns_cache_bytes", "Memory of the answers that are kept.", float64(st.Bytes))
}

// doorMetrics counts connections, with the sockets of a service taken together.
func doorMetrics(p *metric.Page, listeners []doorListener) {
	var services []string
	sums := map[string]*loop.Stats{}
	for _, l := range listeners {
		sum := sums[l.service]
		if sum == nil {
			sum = new(loop.Stats)
			sums[l.service] = sum
			services = append(services, l.service)
		}
		st := l.Stats()
		sum.Open += st.Open
		sum.Accepted += st.Accepted
		sum.Refused += st.Refused
		sum.Handshakes += st.Handshakes
		sum.HandshakesFailed += st.HandshakesFailed
	}
	for _, f := range []struct {
		kind       metric.Kind
		name, help string
		value      func(*loop.Stats) int64
	}{
		{metric.KindGauge, "barid_connections_open", "Connections that are open.", func(st *loop.Stats) int64 { return int64(st.Open) }},
		{metric.KindCounter, "barid_connections_accepted_total", "Connections that came, those refused among them.", func(st *loop.Stats) int64 { return st.Accepted }},
		{metric.KindCounter, "barid_connections_refused_total", "Connections beyond a limit.", func(st *loop.Stats) int64 { return st.Refused }},
		{metric.KindCounter, "barid_tls_handshakes_total", "TLS handshakes that succeeded.", func(st *loop.Stats) int64 { return st.Handshakes }},
		{metric.KindCounter, "barid_tls_handshakes_failed_total", "TLS handshakes that failed.", func(st *loop.Stats) int64 { return st.HandshakesFailed }},
	} {
		family := p.Family(f.kind, f.name, f.help, "service")
		for _, service := range services {
			family.Sample(float64(f.value(sums[service])), service)
		}
	}
}

func loginMetrics(p *metric.Page, st auth.Stats) {
	p.Gauge("barid_accounts", "Accounts in auth.file.", float64(st.Accounts))
	f := p.Family(metric.KindCounter, "barid_logins_total", "Passwords looked at: known from memory, hashed, wrong, or not looked at because the address is locked out. Those that are wrong were hashed too.", "result")
	f.Sample(float64(st.Remembered), "remembered")
	f.Sample(float64(st.Hashed), "hashed")
	f.Sample(float64(st.Refused), "refused")
	f.Sample(float64(st.LockedOut), "locked_out")
}

// processMetrics have the names that programs everywhere give them.
func processMetrics(p *metric.Page, started time.Time) {
	p.Gauge("process_start_time_seconds", "When the server started, in seconds since 1970.", float64(started.Unix()))
	p.Gauge("process_resident_memory_bytes", "Memory in use.", float64(residentBytes()))
	var use unix.Rusage
	if unix.Getrusage(unix.RUSAGE_SELF, &use) == nil {
		p.Family(metric.KindCounter, "process_cpu_seconds_total", "Processor time spent.").
			Sample(float64(use.Utime.Nano()+use.Stime.Nano()) / 1e9)
	}
	if open, err := os.ReadDir("/proc/self/fd"); err == nil {
		p.Gauge("process_open_fds", "Open files and sockets.", float64(len(open)))
	}
}

// residentBytes is the second field of statm, in pages (proc(5)).
func residentBytes() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident int64
	if _, err := fmt.Fscan(strings.NewReader(string(text)), &size, &resident); err != nil {
		return 0
	}
	return resident * int64(os.Getpagesize())
}
