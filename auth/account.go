package auth

// Account is what the rest of the server knows about a user. It holds no
// secret.
type Account struct {
	// Name is the account's name as the file has it, its domain in lower
	// case: "alice@example.test", or "alice" for an account without domain.
	Name string
	// Home is the home directory, "" when the file gives none.
	Home string
	// Mail is the path of the account's Maildir when the file gives one
	// (userdb_mail=maildir:PATH, with ~/ %h %u %n %d replaced), else "".
	Mail string
	// QuotaBytes and QuotaMessages limit the mailbox; 0 is no limit.
	QuotaBytes    int64
	QuotaMessages int64
}
