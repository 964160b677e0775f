package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"barid/auth"
	"barid/internal/loop"
	"barid/internal/metric"
	"barid/spool"
)

// doorListener is a socket in the loop, with the service behind it.
type doorListener struct {
	service string
	*loop.Listener
}

// metrics writes all that the server counts. docs/metrics.md has the list, and
// a test holds it against this.
func (s *server) metrics(p *metric.Page) {
	p.Family(metric.KindGauge, "barid_info", "What runs here; always 1.", "version", "hostname").
		Sample(1, versionText(), s.cfg.Hostname)
	st := s.spool.Stats()
	messageMetrics(p, &st)
	queueMetrics(p, &st)
	logMetrics(p, &st)
	doorMetrics(p, s.listeners)
	loginMetrics(p, s.doors.who.Load().auth.Stats())
	processMetrics(p, s.started)
}

func messageMetrics(p *metric.Page, st *spool.Stats) {
	p.Counter("barid_messages_accepted_total", "Messages that were answered 250: on stable storage.", st.Accepted)
	p.Counter("barid_recipients_delivered_total", "Recipients delivered, into mailboxes or to the next host.", st.Delivered)
	p.Counter("barid_recipients_failed_total", "Recipients that failed for good, or for too long.", st.Failed)
	p.Counter("barid_attempts_deferred_total", "Attempts to deliver that are to be repeated later.", st.Deferred)
}

func queueMetrics(p *metric.Page, st *spool.Stats) {
	p.Gauge("barid_queue_messages", "Messages in the queue.", float64(st.Messages))
	f := p.Family(metric.KindGauge, "barid_queue_entries", "What the messages in the queue wait for.", "state")
	f.Sample(float64(st.Ready), "ready")
	f.Sample(float64(st.Running), "running")
	f.Sample(float64(st.Waiting), "deferred")
	f.Sample(float64(st.Unsynced), "delivered")
}

func logMetrics(p *metric.Page, st *spool.Stats) {
	p.Counter("barid_spool_batches_total", "Writes to the log of the spool; accepted messages by these is the size of a batch.", st.Batches)
	p.Counter("barid_spool_syncs_total", "Syncs of the log and of large bodies.", st.Syncs)
	p.Counter("barid_spool_written_bytes_total", "Bytes written to the log.", st.Bytes)
	p.Counter("barid_spool_failures_total", "Writes and syncs of the log that failed.", st.Failures)
	p.Counter("barid_spool_checkpoints_total", "Times that deliveries were made durable together.", st.Checkpoints)
	p.Counter("barid_spool_damaged_total", "Places of the log that were found damaged.", st.Damaged)
	p.Gauge("barid_spool_segments", "Files of the log.", float64(st.Segments))
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
