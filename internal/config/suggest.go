package config

import "strings"

func didYouMean(s string) string {
	if s == "" {
		return ""
	}
	return "; did you mean " + s + "?"
}

// nearest is the word that s is most likely meant to be, "" when none is
// near: one edit is forgiven for every three characters.
func nearest(s string, words []string) string {
	best, least := "", len(s)/3+2
	for _, w := range words {
		if d := editDistance(s, w, least); d < least {
			best, least = w, d
		}
	}
	return best
}

// editDistance counts the insertions, deletions, substitutions and swaps of
// neighbours between two words; it gives up at most.
func editDistance(a, b string, most int) int {
	if len(a)-len(b) >= most || len(b)-len(a) >= most {
		return most
	}
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, last, row = last, row, before
		row[0] = i
		for j := 1; j <= len(b); j++ {
			different := 1
			if a[i-1] == b[j-1] {
				different = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+different)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// suggestKey finds the key that an unknown name is meant to be: one spelt
// nearly so, one of another server's names for the same thing, or the only one
// with the same ending.
func suggestKey(name string, known []string) string {
	lower := strings.ToLower(name)
	if ours := elsewhere(lower); ours != "" {
		return ours
	}
	if near := nearest(lower, known); near != "" {
		return near
	}
	found := ""
	for _, k := range known {
		if strings.HasSuffix(k, "."+lower) || strings.HasSuffix(k, "-"+lower) {
			if found != "" {
				return ""
			}
			found = k
		}
	}
	return found
}

// elsewhere translates the names that Postfix and Dovecot have for what is
// most often set.
func elsewhere(name string) string {
	switch name {
	case "myhostname":
		return "hostname"
	case "mydestination", "virtual_mailbox_domains", "virtual_alias_domains":
		return "domains"
	case "alias_maps", "alias_database":
		return "alias.map"
	case "virtual_alias_maps":
		return "virtual.map"
	case "recipient_delimiter":
		return "subaddress.separator"
	case "message_size_limit":
		return "message.size-max"
	case "smtpd_recipient_limit":
		return "message.recipients-max"
	case "hopcount_limit":
		return "message.received-max"
	case "smtpd_tls_cert_file", "ssl_cert", "ssl_server_cert_file":
		return "tls.cert"
	case "smtpd_tls_key_file", "ssl_key", "ssl_server_key_file":
		return "tls.key"
	case "ssl_min_protocol":
		return "tls.min-version"
	case "mail_location", "mail_path", "home_mailbox", "virtual_mailbox_base":
		return "mailbox.dir"
	case "queue_directory":
		return "spool.dir"
	case "maximal_queue_lifetime", "bounce_queue_lifetime":
		return "queue.lifetime"
	case "mail_owner":
		return "user"
	case "disable_plaintext_auth", "auth_allow_cleartext":
		return "auth.cleartext"
	}
	return ""
}
