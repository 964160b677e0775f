# Reads a mailbox with poplib, writes its only message to standard output,
# deletes it, and makes sure that it has gone.
# usage: poplib_read.py plain|stls|tls HOST PORT USER PASSWORD
import poplib
import ssl
import sys

how, host, port, user, password = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def open_mailbox():
    if how == "tls":
        box = poplib.POP3_SSL(host, int(port), context=context, timeout=20)
    else:
        box = poplib.POP3(host, int(port), timeout=20)
    if how == "stls":
        box.stls(context=context)
    box.user(user)
    box.pass_(password)
    return box


box = open_mailbox()
assert "UIDL" in box.capa(), box.capa()
count, octets = box.stat()
assert count == 1, count
assert box.list()[1] == [b"1 %d" % octets], (box.list(), octets)
uid = box.uidl()[1][0].split()[1]
assert box.uidl(1).split()[2] == uid, uid
lines = box.retr(1)[1]
assert sum(len(line) + 2 for line in lines) == octets, octets
head = box.top(1, 0)[1]
assert head == lines[: len(head)], head
box.quit()

box = open_mailbox()
assert box.uidl()[1] == [b"1 " + uid], "the unique id changed"
box.dele(1)
assert box.stat() == (0, 0), box.stat()
box.rset()
assert box.stat() == (1, octets), box.stat()
box.dele(1)
box.quit()

box = open_mailbox()
assert box.stat() == (0, 0), box.stat()
box.quit()
sys.stdout.buffer.write(b"\r\n".join(lines) + b"\r\n")
