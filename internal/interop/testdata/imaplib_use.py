# Uses a mailbox as imaplib does, writes its only message to standard output and
# leaves it there.
# usage: imaplib_use.py starttls|tls HOST PORT USER PASSWORD
import imaplib
import ssl
import sys

how, host, port, user, password = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def open_mailbox():
    if how == "tls":
        box = imaplib.IMAP4_SSL(host, int(port), ssl_context=context, timeout=20)
    else:
        box = imaplib.IMAP4(host, int(port), timeout=20)
        ok(box.starttls(ssl_context=context))
    ok(box.login(user, password))
    return box


box = open_mailbox()
assert ok(box.select("INBOX")) == [b"1"]
message = ok(box.fetch("1", "(FLAGS UID RFC822.SIZE BODY.PEEK[])"))[0]
assert b"RFC822.SIZE %d" % len(message[1]) in message[0], message
assert b"\\Seen" not in message[0], message
assert ok(box.search(None, "SUBJECT", "imaplib")) == [b"1"]
assert ok(box.search(None, "UNSEEN", "FROM", '"Sender"')) == [b"1"]
assert ok(box.search(None, "SEEN")) == [b""]
assert ok(box.uid("SEARCH", "CHARSET", "UTF-8", "ALL")) == [b"1"]

ok(box.create("Box/Inner"))
assert any(b"Box/Inner" in line for line in ok(box.list()))
ok(box.subscribe("Box/Inner"))
assert b"Box/Inner" in ok(box.lsub())[0]
ok(box.copy("1", "Box/Inner"))
ok(box.append("Box/Inner", "\\Flagged", '"17-Jul-1996 02:44:25 -0700"', b"Subject: appended\r\n\r\ntext\r\n"))
assert b"(MESSAGES 2 UIDNEXT 3)" in ok(box.status("Box/Inner", "(MESSAGES UIDNEXT)"))[0]

ok(box.select("Box/Inner"))
assert ok(box.search(None, "FLAGGED")) == [b"2"]
assert ok(box.sort("REVERSE DATE", "UTF-8", "ALL")) == [b"1 2"]
assert b"FLAGS" in ok(box.store("1", "+FLAGS", "\\Deleted"))[0]
assert ok(box.expunge()) == [b"1"]
assert b'"17-Jul-1996 09:44:25 +0000"' in ok(box.fetch("1", "INTERNALDATE"))[0]
ok(box.close())
ok(box.rename("Box", "Case"))
ok(box.delete("Case/Inner"))
assert ok(box.getquotaroot("INBOX"))[1] == [None]
box.logout()

box = open_mailbox()
ok(box.enable("IMAP4rev2"))
assert ok(box.select("INBOX", readonly=True)) == [b"1"]
box.logout()
sys.stdout.buffer.write(message[1])
