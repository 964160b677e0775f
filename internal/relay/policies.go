package relay

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"barid/internal/relay/proto"
)

// Policies is a file of what is special about next hops, reread when it
// changes.
//
//	# next hop          what is special
//	example.org         tls=required concurrency=5 rate=10/s
//	.example.org        names=mx.example.net,.mx.example.net
//	[mx.example.net]:26 tls=never ignore=pipelining,chunking
//	*                   tls-min=1.2
//
// A line for a next hop with its port goes before one without, that before
// those for the domains above it, the nearest first, and "*" comes last. Just
// one line counts for a next hop; what it does not say is as the default says.
type Policies struct {
	file      mapFile[map[string]Policy]
	byDefault Policy
}

// OpenPolicies reads the file. Without a name there is nothing but the
// default. Errors name file and line.
func OpenPolicies(file string, byDefault Policy, log *slog.Logger) (*Policies, error) {
	p := &Policies{byDefault: byDefault}
	p.file.name, p.file.parse, p.file.log = file, p.parse, log
	return p, p.file.reload()
}

// Reload reads the file now, if it has changed.
func (p *Policies) Reload() error { return p.file.reload() }

// For is the policy for a next hop; it fits Options.Policy.
func (p *Policies) For(nextHop string) Policy {
	all := p.file.get()
	if all == nil {
		return p.byDefault
	}
	if policy, ok := (*all)[nextHop]; ok {
		return policy
	}
	domain := withoutPort(nextHop)
	if policy, ok := (*all)[domain]; ok {
		return policy
	}
	for i := strings.IndexByte(domain, '.'); i >= 0 && domain[0] != '[' && domain[0] != '/'; {
		if policy, ok := (*all)[domain[i:]]; ok {
			return policy
		}
		next := strings.IndexByte(domain[i+1:], '.')
		if next < 0 {
			break
		}
		i += 1 + next
	}
	if policy, ok := (*all)["*"]; ok {
		return policy
	}
	return p.byDefault
}

func (p *Policies) parse(text []byte) (*map[string]Policy, error) {
	all := map[string]Policy{}
	err := eachLine(text, func(hop, words string) error {
		hop, err := canonicalPattern(hop)
		if err != nil {
			return err
		}
		if _, ok := all[hop]; ok {
			return fmt.Errorf("%s: has a line already", hop)
		}
		policy := p.byDefault
		for word := range strings.FieldsSeq(words) {
			if err := policy.set(word); err != nil {
				return err
			}
		}
		all[hop] = policy
		return nil
	})
	return &all, err
}

// canonicalPattern is a next hop, a domain with all below it, or "*".
func canonicalPattern(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	domain, below := strings.CutPrefix(s, ".")
	hop, err := canonicalHop(domain)
	if below {
		hop = "." + hop
	}
	return hop, err
}

// set takes a word of a line.
func (p *Policy) set(word string) error {
	key, value, _ := strings.Cut(word, "=")
	ok := true
	switch key {
	case "tls":
		p.TLS, ok = ParseLevel(value)
	case "names":
		p.Names = strings.Split(strings.ToLower(value), ",")
		ok = value != ""
	case "tls-min":
		p.MinVersion = map[string]uint16{"1.0": tls.VersionTLS10, "1.1": tls.VersionTLS11, "1.2": tls.VersionTLS12, "1.3": tls.VersionTLS13}[value]
		ok = p.MinVersion != 0
	case "ignore":
		for name := range strings.SplitSeq(strings.ToLower(value), ",") {
			e, known := extensions[name]
			p.Ignore, ok = p.Ignore|e, ok && known
		}
	case "auth-in-clear":
		p.ClearLogin, ok = true, value == ""
	case "concurrency":
		var err error
		p.Concurrency, err = strconv.Atoi(value)
		ok = err == nil && p.Concurrency > 0
	case "rate":
		p.Interval, ok = parseRate(value)
	default:
		return fmt.Errorf("%s: %w", word, errPolicyWord)
	}
	if !ok {
		return fmt.Errorf("%s: not a value of %s", word, key)
	}
	return nil
}

var errPolicyWord = errors.New("not one of tls=, names=, tls-min=, ignore=, concurrency=, rate=, auth-in-clear")

// extensions are the names for ignore=, those of EHLO in small letters.
var extensions = map[string]proto.Extension{
	"pipelining": proto.Pipelining, "8bitmime": proto.EightBit, "size": proto.Size, "chunking": proto.Chunking,
	"binarymime": proto.Binary, "smtputf8": proto.UTF8, "dsn": proto.DSN, "limits": proto.Limits,
	"starttls": proto.STARTTLS, "auth": proto.AuthPlain | proto.AuthLogin, "auth-plain": proto.AuthPlain, "auth-login": proto.AuthLogin,
}

// parseRate reads messages in a time, and gives the time between two.
//
//	rate = 1*DIGIT "/" ( "s" / "m" / "h" )
func parseRate(s string) (time.Duration, bool) {
	count, unit, _ := strings.Cut(s, "/")
	n, err := strconv.Atoi(count)
	per := map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}[unit]
	if err != nil || n <= 0 || per == 0 {
		return 0, false
	}
	return max(per/time.Duration(n), 1), true
}
