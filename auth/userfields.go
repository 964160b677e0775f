package auth

import (
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
)

// account reads the fields that describe the mailbox. Both the names of
// Dovecot 2.3 (userdb_mail, userdb_quota_rule) and of 2.4 (userdb_mail_path,
// userdb_quota_storage_size, userdb_quota_message_count) are understood.
func (e *entry) account(name string) (Account, error) {
	a := Account{Name: name, Home: e.home}
	mail := e.oldMail
	for list := e.extra; list != ""; {
		key, value, rest := nextExtra(list)
		list = rest
		var err error
		switch key {
		case "userdb_home":
			a.Home = value
		case "userdb_mail":
			mail = value
		case "userdb_mail_path":
			mail = "maildir:" + value
		case "userdb_quota_rule":
			err = a.addQuotaRule(value)
		case "userdb_quota_storage_size":
			a.QuotaBytes, err = parseSize(value, 1)
		case "userdb_quota_message_count":
			a.QuotaMessages, err = parseSize(value, 1)
		}
		if err != nil {
			return a, fmt.Errorf("%s: %w", key, err)
		}
	}
	var err error
	if mail != "" {
		a.Mail, err = mailPath(mail, name, a.Home)
	}
	return a, err
}

// addQuotaRule reads the rule for all folders, "*:storage=1G:messages=1000".
// Rules for single folders are left alone.
func (a *Account) addQuotaRule(rule string) error {
	mailbox, limits, ok := strings.Cut(rule, ":")
	if !ok {
		return fmt.Errorf("want *:storage=SIZE or *:messages=N, not %q", rule)
	}
	if mailbox != "*" {
		return nil
	}
	for limit := range strings.SplitSeq(limits, ":") {
		kind, value, _ := strings.Cut(limit, "=")
		var err error
		switch kind {
		case "storage": // in kilobytes where no unit is given
			a.QuotaBytes, err = parseSize(value, 1024)
		case "bytes":
			a.QuotaBytes, err = parseSize(value, 1)
		case "messages":
			a.QuotaMessages, err = parseSize(value, 1)
		case "ignore":
			a.QuotaBytes, a.QuotaMessages = 0, 0
		default:
			err = fmt.Errorf("unknown limit %q", limit)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parseSize reads a number with one of the units B, k, M, G, T (powers of
// 1024, any case, perhaps with a B behind); a number without one counts in
// bare units.
func parseSize(s string, bare int64) (int64, error) {
	digits := strings.TrimRight(s, "bBkKmMgGtTi")
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || n < 0 {
		return 0, fmt.Errorf("want a size such as 500M or 1G, not %q", s)
	}
	factor := bare
	if unit := s[len(digits):]; unit != "" {
		power := strings.IndexByte("bkmgt", unit[0]|0x20)
		if tail := strings.ToLower(unit[1:]); power < 0 || tail != "" && tail != "b" && tail != "ib" {
			return 0, fmt.Errorf("unknown unit %q", unit)
		}
		factor = 1 << (10 * power)
	}
	if n > math.MaxInt64/factor {
		return 0, fmt.Errorf("%q is too large", s)
	}
	return n * factor, nil
}

// mailPath reads a mail location, "maildir:PATH" with further settings after
// a colon, and replaces ~/ %h %u %n %d (also written %{home} %{user}
// %{user|username} %{user|domain}).
func mailPath(location, name, home string) (string, error) {
	path, ok := strings.CutPrefix(location, "maildir:")
	if !ok && !strings.HasPrefix(location, "/") {
		return "", fmt.Errorf("want maildir:PATH, not %q", location)
	}
	path, _, _ = strings.Cut(path, ":")
	if path == "~" || strings.HasPrefix(path, "~/") {
		path = "%h" + path[1:]
	}
	if !strings.Contains(path, "%") {
		return path, nil
	}
	if home == "" && (strings.Contains(path, "%h") || strings.Contains(path, "%{home}")) {
		return "", fmt.Errorf("%q needs a home directory", location)
	}
	local, domain, _ := cutDomain(name)
	path = strings.NewReplacer(
		"%{home}", home, "%{user}", name, "%{user|username}", local, "%{user|domain}", domain,
		"%{user | username}", local, "%{user | domain}", domain,
		"%h", home, "%u", name, "%n", local, "%d", domain, "%%", "\x00").Replace(path)
	if i := strings.IndexByte(path, '%'); i >= 0 {
		return "", fmt.Errorf("unknown variable in %q", location)
	}
	return strings.ReplaceAll(path, "\x00", "%"), nil
}

// cutDomain cuts a name at its last '@'.
func cutDomain(name string) (local, domain string, ok bool) {
	i := strings.LastIndexByte(name, '@')
	if i < 0 {
		return name, "", false
	}
	return name[:i], name[i+1:], true
}

// netsAllow reports whether an allow_nets list, "192.0.2.1,2001:db8::/32,local",
// holds the address. The zero Addr is a unix socket, "local".
func netsAllow(nets string, from netip.Addr) bool {
	for item := range strings.SplitSeq(nets, ",") {
		if !from.IsValid() {
			if item == "local" {
				return true
			}
			continue
		}
		if p, err := parseNet(item); err == nil && p.Contains(from.Unmap().WithZone("")) {
			return true
		}
	}
	return false
}

// checkNets says what is wrong with an allow_nets list.
func checkNets(nets string) error {
	for item := range strings.SplitSeq(nets, ",") {
		if _, err := parseNet(item); err != nil && item != "local" {
			return fmt.Errorf("allow_nets: want addresses, networks or local, not %q", item)
		}
	}
	return nil
}

// parseNet reads an address or a network; IPv4 mapped into IPv6 is IPv4.
func parseNet(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), err
	}
	p, err := netip.ParsePrefix(s)
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p, err
}
