// Package maildir is the mailbox store: Maildir++ directories as the world
// knows them, readable and writable by mutt, Dovecot and Courier at the same
// time as by us.
//
//	alice/                  the mailbox, which is also its INBOX
//	    new/                messages that no reader has seen
//	    cur/                messages that one has; flags follow ":2," in the name
//	    tmp/                files on their way into new/
//	    maildirsize         what the quota counts, when there is one
//	    .Folder.Sub/        a folder, with new/ cur/ tmp/ and a file maildirfolder
//
// A message is a file that never changes. It is stored with LF line ends.
//
// # Delivery
//
// A message is written to a file that has no name (O_TMPFILE) and is linked
// into new/ when it is whole, so that no reader ever sees part of one. The
// name follows from the queue id alone:
//
//	1763855555.M012345Q0c5wq3k7m9rxa.mx.example.org,S=4321,W=4400
//	seconds    usec    queue id      host            size  size with CRLF
//
// which makes delivery repeatable: whoever delivers a message a second time,
// because a crash took the news of the first, meets the name and is done.
//
// Nothing is made durable one message at a time. Deliver remembers which file
// systems it touched, and Store.Sync syncs each of them once for all messages
// since the last Sync; only then may the queue forget them. Between the two a
// power cut may take the message or, on a file system that writes names before
// contents, leave a file that is short or has zeros where data was to be. The
// queue then delivers again with Message.Again set, which finds such a torn
// file under its name and replaces it.
//
// # Reading
//
// There are two ways to read. A Maildrop is INBOX for one POP3 session: a
// listing, made when it is opened. A Folder is a folder for any number of IMAP
// sessions: messages with UIDs, flags and a history, in step with the files for
// as long as somebody has it open. Folder's comment says where its parts are,
// docs/maildir.md what it promises.
//
// # What is remembered
//
// Delivery and POP3 remember that a mailbox's directories exist, and nothing
// else: no list of messages, no quota total. Other programs change a mailbox
// whenever they like, and the file system is the only truth that all of them
// share. A Folder remembers everything, and therefore watches.
package maildir
