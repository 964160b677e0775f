# Sends the message on standard input with smtplib.
# usage: smtplib_send.py plain|starttls|tls|lmtp HOST PORT USER PASSWORD FROM TO...
# An empty USER means no authentication. Certificates are not checked.
import smtplib
import ssl
import sys

how, host, port, user, password, sender, *recipients = sys.argv[1:]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE

if how == "tls":
    server = smtplib.SMTP_SSL(host, int(port), context=context, timeout=20)
elif how == "lmtp":
    server = smtplib.LMTP(host, int(port))
else:
    server = smtplib.SMTP(host, int(port), timeout=20)
with server:
    server.ehlo_or_helo_if_needed()
    if how == "starttls":
        server.starttls(context=context)
        server.ehlo()
    if user:
        server.login(user, password)
    options = ["BODY=8BITMIME"] if server.has_extn("8bitmime") else []
    refused = server.sendmail(sender, recipients, sys.stdin.buffer.read(), options)
    if refused:
        sys.exit("refused: %r" % refused)
