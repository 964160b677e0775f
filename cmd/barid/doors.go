package main

import (
	"net/netip"
	"runtime"
	"sync/atomic"

	"barid/auth"
	"barid/imapd"
	"barid/internal/config"
	"barid/internal/deliver"
	"barid/internal/loop"
	"barid/maildir"
	"barid/pop3d"
	"barid/smtpd"
	"barid/smtpd/proto"
	"barid/spool"
)

// newSession makes the session of a connection.
type newSession = func(*loop.Conn) loop.Session

// doors hands each connection to the door of its service as the newest
// configuration has it; connections that are open stay with the one that they
// began with.
type doors struct {
	byService atomic.Pointer[map[string]newSession]
	who       atomic.Pointer[whoIsWho]
}

func (d *doors) replace(byService map[string]newSession) { d.byService.Store(&byService) }

func (d *doors) open(service string) newSession {
	return func(c *loop.Conn) loop.Session { return (*d.byService.Load())[service](c) }
}

// makeDoors builds a door for each service from the newest configuration.
func (s *server) makeDoors() map[string]newSession {
	w := s.doors.who.Load()
	mx, submission, lmtp := s.smtpOptions(w, proto.MX), s.smtpOptions(w, proto.Submission), s.smtpOptions(w, proto.LMTP)
	sendmail := mx
	sendmail.Engine.ErrorsMax, sendmail.Engine.CommandsMax = 0, 0 // programs of ours guess no addresses
	sendmail.Relay = func(netip.Addr) bool { return true }
	mx.GreetDelay = w.cfg.SMTP.GreetDelay
	submission.Auth = w.auth
	submissions, pop3, imap := smtpd.New(submission), s.pop3Door(w), s.imapDoor(w)
	return map[string]newSession{
		"smtp":          smtpd.New(mx),
		"submission":    submissions,
		"submissions":   submissions,
		"lmtp":          smtpd.New(lmtp),
		sendmailService: smtpd.New(sendmail),
		"pop3":          pop3,
		"pop3s":         pop3,
		"imap":          imap,
		"imaps":         imap,
	}
}

// headerMax bounds the header of a message; mail in the wild stays below a
// tenth of it.
const headerMax = 1 << 20

// smtpOptions are what the SMTP doors have in common. In the engine's options
// as in the configuration 0 means no limit.
func (s *server) smtpOptions(w *whoIsWho, mode proto.Mode) smtpd.Options {
	cfg := w.cfg
	o := smtpd.Options{
		Engine: proto.Options{
			Hostname: cfg.Hostname, Mode: mode, Offer: proto.Everything,
			SizeMax: cfg.Message.SizeMax, HeaderMax: headerMax, ReceivedMax: cfg.Message.ReceivedMax,
			Reports: true,
			RcptMax: cfg.Message.RecipientsMax, CommandsMax: cfg.SMTP.CommandsMax, ErrorsMax: cfg.SMTP.ErrorsMax,
		},
		Certificates: s.certs,
		Router:       w.router,
		Spool:        s.spool,
		Quota:        s.quota(w),
		Relay:        relayClients(cfg),
		XClient:      contains(cfg.Trusted.XClient),
		XForward:     contains(cfg.Trusted.XForward),
		Log:          s.logger,
	}
	if s.certs != nil {
		o.Engine.TLS = proto.TLSOffered
	}
	return o
}

// quota lets the SMTP door ask how full mailboxes are. What becomes of mail
// for a full one is for the door and for delivery the same, from the start.
func (s *server) quota(w *whoIsWho) *smtpd.Quota {
	return &smtpd.Quota{
		Limited: func(account []byte) bool {
			a, ok := w.auth.Lookup(account)
			return ok && w.quota(a) != maildir.Quota{}
		},
		Fits: func(account []byte, size int64) error {
			m, err := w.lookup(s.store, account)
			if err != nil {
				return nil // delivery says what became of the account
			}
			return m.Fits(size)
		},
		Permanent: s.cfg.Mailbox.QuotaOver == "reject",
	}
}

func (s *server) pop3Door(w *whoIsWho) newSession {
	p := w.cfg.POP3
	return pop3d.New(pop3d.Options{
		Hostname: w.cfg.Hostname, Implementation: "barid", Auth: w.auth, STLS: s.certs != nil, Certificates: s.certs,
		Mailbox:    func(a auth.Account) maildir.Mailbox { return w.mailboxOrNone(s.store, a) },
		RawHeaders: true, // docs/decisions/0005-pop3-headers-as-they-came.md
		ExpireDays: p.ExpireDays, LoginDelay: p.LoginDelay, MarkSeen: p.MarkSeen, Log: s.logger,
	})
}

func (s *server) imapDoor(w *whoIsWho) newSession {
	return imapd.New(imapd.Options{
		Hostname: w.cfg.Hostname, Version: versionText(), Auth: w.auth, StartTLS: s.certs != nil, Certificates: s.certs,
		Mailbox:   func(a auth.Account) maildir.Mailbox { return w.mailboxOrNone(s.store, a) },
		Separator: w.cfg.IMAP.Separator[0], MessageMax: w.cfg.Message.SizeMax, Log: s.logger,
	})
}

// Agents as destinations name them.
const (
	localAgent    = "local"    // for our own mailboxes
	expandedAgent = "expanded" // for lists, when their members have the message
	refusedAgent  = "refused"  // for recipients that were refused when nobody waited for the answer
)

// agentNames are the agents that a server has.
func agentNames() []string {
	return []string{localAgent, "smtp", "lmtp", "discard", expandedAgent, refusedAgent}
}

// agents are who delivers from the queue. They follow the newest
// configuration.
func (s *server) agents() map[string]spool.Agent {
	over := spool.Deferred
	if s.cfg.Mailbox.QuotaOver == "reject" {
		over = spool.Failed
	}
	local := deliver.New(deliver.Options{
		Store:     s.store,
		Lookup:    func(account []byte) (maildir.Mailbox, error) { return s.doors.who.Load().lookup(s.store, account) },
		OverQuota: over,
		Log:       s.logger,
	})
	return map[string]spool.Agent{
		localAgent: local, "smtp": s.relaying.agent, "lmtp": s.relaying.agent,
		"discard": deliver.Discard{Log: s.logger}, expandedAgent: deliver.Expanded{},
		refusedAgent: refuser{},
	}
}

// deliverers is the number of deliveries at a time where the configuration
// leaves it to the machine.
func deliverers(configured int) int {
	if configured > 0 {
		return configured
	}
	return 2 * runtime.GOMAXPROCS(0)
}

// listenOptions are those of one service's sockets.
func (s *server) listenOptions(service string) loop.ListenOptions {
	cfg := s.cfg
	o := loop.ListenOptions{
		Name: service, New: s.doors.open(service),
		Patience: smtpd.Patience(cfg.SMTP.CommandTimeout, cfg.SMTP.BodyTimeout),
		TooMany:  []byte("421 4.7.0 Too many connections, come back later\r\n"),
		Proxy:    contains(cfg.Trusted.Proxy),
	}
	limits := cfg.SMTP.Limits
	switch service {
	case "submission", "submissions":
		limits = cfg.Submission.Limits
	case "lmtp":
		limits = cfg.LMTP.Limits
	case "pop3", "pop3s":
		limits = cfg.POP3.Limits
		o.Patience = pop3d.Patience(cfg.POP3.AuthTimeout, cfg.POP3.IdleTimeout)
		o.TooMany = []byte("-ERR [SYS/TEMP] too many connections, come back later\r\n")
	case "imap", "imaps":
		limits = cfg.IMAP.Limits
		o.Patience = imapd.Patience(cfg.IMAP.AuthTimeout, cfg.IMAP.IdleTimeout)
		o.TooMany = []byte("* BYE [UNAVAILABLE] too many connections, come back later\r\n")
	}
	o.ConnMax, o.ConnPerAddrMax = limits.ConnectionsMax, limits.ConnectionsPerAddressMax
	if s.certs != nil {
		o.Implicit = service == "submissions" || service == "pop3s" || service == "imaps"
		o.TLS = s.certs.Config(tlsUse(cfg, service))
	}
	return o
}

// contains asks whether an address is in one of the networks; nil when there
// are none.
func contains(networks config.Networks) func(netip.Addr) bool {
	if len(networks) == 0 {
		return nil
	}
	return networks.Contains
}
