package relay

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"strings"

	"barid/internal/addr"
	"barid/internal/relay/proto"
)

// Passwords is a file of accounts at other servers, reread when it changes.
//
//	# next hop                            user:password
//	[smtp.example.net]:587                barid:secret
//	# sender           next hop           user:password
//	alice@example.org  [smtp.example.net]:587  alice:secret
//	@example.org       [smtp.example.net]:587  example:secret
//
// A line always names the next hop, so that no password ever goes to a server
// that somebody else has chosen. A line for a sender goes before one for his
// domain, and that before one without a sender; and a next hop with its port
// before one without. The user ends at the first colon; the password is all
// that follows, but for white space at its end.
type Passwords struct {
	file mapFile[map[string]proto.Login]
}

// Errors of lines.
var (
	errAccount = errors.New("write: next-hop user:password")
	errSender  = errors.New("write the next hop between a sender and his account: sender next-hop user:password")
)

// OpenPasswords reads the file, which others than its owner and group must not
// be able to read. Without a name there are no passwords. Errors name file and
// line, and no password.
func OpenPasswords(file string, log *slog.Logger) (*Passwords, error) {
	p := new(Passwords)
	p.file = mapFile[map[string]proto.Login]{name: file, log: log, parse: parsePasswords, admit: notForOthers}
	return p, p.file.reload()
}

func notForOthers(info fs.FileInfo) error {
	if info.Mode().Perm()&0o007 != 0 {
		return errForOthers
	}
	return nil
}

// Reload reads the file now, if it has changed.
func (p *Passwords) Reload() error { return p.file.reload() }

// For is the account for a next hop and a sender; it fits Options.Login.
func (p *Passwords) For(nextHop string, returnPath []byte) (proto.Login, bool) {
	all := p.file.get()
	if all == nil || len(*all) == 0 {
		return proto.Login{}, false
	}
	host := withoutPort(nextHop)
	if _, known := (*all)[nextHop]; !known {
		if _, known = (*all)[host]; !known {
			return proto.Login{}, false
		}
	}
	sender := canonicalSender(returnPath)
	domain := sender[max(strings.LastIndexByte(sender, '@'), 0):]
	for _, who := range [...]string{sender, domain, ""} {
		for _, hop := range [...]string{nextHop, host} {
			if login := (*all)[accountKey(who, hop)]; login.User != "" {
				return login, true
			}
		}
	}
	return proto.Login{}, false
}

// accountKey is where an account stands: under the next hop, or under a
// sender and the next hop. Each next hop has an entry, even an empty one.
func accountKey(sender, hop string) string {
	if sender == "" {
		return hop
	}
	return sender + " " + hop
}

// canonicalSender is an address, or a domain behind "@", in the one spelling
// that is compared; the case of a local part does not count.
func canonicalSender(address []byte) string {
	_, domain, _ := addr.Split(address)
	dst := addr.AppendFolded(nil, address[:len(address)-len(domain)])
	canonical, err := addr.AppendDomain(dst, domain)
	if err != nil {
		return ""
	}
	return string(canonical)
}

func parsePasswords(text []byte) (*map[string]proto.Login, error) {
	all := map[string]proto.Login{}
	err := eachLine(text, func(hop, account string) error {
		sender := ""
		if strings.Contains(hop, "@") {
			if sender = canonicalSender([]byte(hop)); sender == "" {
				return fmt.Errorf("%s: not an address", hop)
			}
			var found bool
			if hop, account, found = strings.Cut(account, " "); !found {
				return errSender
			}
		}
		hop, err := canonicalHop(hop)
		if err != nil {
			return err
		}
		user, password, found := strings.Cut(strings.TrimSpace(account), ":")
		if !found || user == "" || strings.IndexByte(user, 0) >= 0 || strings.IndexByte(password, 0) >= 0 {
			return errAccount
		}
		key := accountKey(sender, hop)
		if all[key].User != "" {
			return fmt.Errorf("%s: has a line already", key)
		}
		if _, known := all[hop]; !known {
			all[hop] = proto.Login{}
		}
		all[key] = proto.Login{User: user, Password: password}
		return nil
	})
	return &all, err
}
