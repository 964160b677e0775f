package config

import (
	"slices"
	"strings"
)

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
	for _, row := range [...]struct{ ours, theirs string }{
		{"hostname", "myhostname"},
		{"domains", "mydestination virtual_mailbox_domains virtual_alias_domains"},
		{"user", "mail_owner"},
		{"message.size-max", "message_size_limit"},
		{"message.recipients-max", "smtpd_recipient_limit"},
		{"message.received-max", "hopcount_limit"},
		{"tls.cert", "smtpd_tls_cert_file ssl_cert ssl_server_cert_file"},
		{"tls.key", "smtpd_tls_key_file ssl_key ssl_server_key_file"},
		{"tls.min-version", "ssl_min_protocol"},
		{"auth.cleartext", "disable_plaintext_auth auth_allow_cleartext"},
		{"alias.map", "alias_maps alias_database"},
		{"virtual.map", "virtual_alias_maps"},
		{"transport.map", "transport_maps"},
		{"subaddress.separator", "recipient_delimiter"},
		{"mailbox.dir", "mail_location mail_path home_mailbox virtual_mailbox_base"},
		{"spool.dir", "queue_directory"},
		{"queue.lifetime", "maximal_queue_lifetime bounce_queue_lifetime"},
		{"queue.retry", "minimal_backoff_time maximal_backoff_time queue_run_delay"},
		{"queue.warn-after", "delay_warning_time"},
		{"bounce.size-max", "bounce_size_limit"},
		{"bounce.postmaster", "2bounce_notice_recipient double_bounce_sender"},
		{"relay.allow", "mynetworks"},
		{"relay.domains", "relay_domains"},
		{"relay.recipients", "relay_recipient_maps"},
		{"relay.host", "relayhost"},
		{"relay.sender-map", "sender_dependent_relayhost_maps"},
		{"relay.passwords", "smtp_sasl_password_maps"},
		{"relay.policy", "smtp_tls_policy_maps"},
		{"relay.tls", "smtp_tls_security_level"},
		{"relay.tls-ca", "smtp_tls_cafile"},
		{"relay.bind", "smtp_bind_address smtp_bind_address6"},
		{"relay.connect-timeout", "smtp_connect_timeout"},
		{"relay.destination-connections-max", "default_destination_concurrency_limit smtp_destination_concurrency_limit"},
		{"relay.destination-rate", "default_destination_rate_delay smtp_destination_rate_delay"},
	} {
		if slices.Contains(strings.Fields(row.theirs), name) {
			return row.ours
		}
	}
	return ""
}
