"""An SMTP client that sends exactly the bytes it is given."""

import re
import socket


class Refused(Exception):
    """A reply that was not expected; .code and .text."""

    def __init__(self, code, text, at):
        super().__init__("%s: %d %s" % (at, code, text))
        self.code, self.text = code, text


class Attempt:
    """What became of a message that may be refused. .refused: (stage, code, text) of each refusal,
    stages "mail", "rcpt", "data", "end"; .recipients: those taken; .queue_id if it was taken."""

    def __init__(self):
        self.refused, self.recipients, self.queue_id = [], [], None

    @property
    def accepted(self):
        return self.queue_id is not None

    def __repr__(self):
        return "Attempt(%r, %r, refused %r)" % (self.queue_id, self.recipients, self.refused)


def stuffed(data):
    """Dot-stuffed, with the final dot. `data` is what is accounted: all of it but the stuffing."""
    if not data.endswith(b"\r\n"):
        raise ValueError("a message ends with CRLF")
    return re.sub(rb"(?m)^\.", b"..", data) + b".\r\n"


def queue_id(text):
    """The id out of Postfix's "queued as ID" or Sendmail's "ID Message accepted"."""
    found = re.search(r"queued as (\w+)|(\w+) Message accepted", text)
    return found and (found.group(1) or found.group(2))


class Smtp:
    def __init__(self, port, helo="client.test", source="127.0.0.1", timeout_s=60):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout_s, (source, 0))
        self.file = self.socket.makefile("rb")
        self.expect(220, "banner")
        self.helo = helo
        self.ehlo()

    def reply(self):
        texts = []
        while True:
            line = self.file.readline()
            if len(line) < 4:
                raise ConnectionError("the server went away")
            texts.append(line[4:].rstrip(b"\r\n").decode("utf-8", "replace"))
            if line[3:4] != b"-":
                return int(line[:3]), "\n".join(texts)

    def expect(self, want, at):
        code, text = self.reply()
        if code != want:
            raise Refused(code, text, at)
        return text

    def command(self, line, want=250):
        line = line.encode() if isinstance(line, str) else line
        self.socket.sendall(line + b"\r\n")
        return self.expect(want, line.decode("utf-8", "replace"))

    def ehlo(self):
        return self.command("EHLO " + self.helo)

    def xclient(self, **attributes):
        """The client that the server shall take this one for: ADDR=, NAME=, LOGIN= ..."""
        words = " ".join("%s=%s" % item for item in attributes.items())
        self.command("XCLIENT " + words, 220)
        self.ehlo()

    def auth_plain(self, encoded):
        self.command("AUTH PLAIN " + encoded, 235)

    def envelope(self, sender, recipients, parameters=""):
        self.command("MAIL FROM:<%s>%s" % (sender, parameters and " " + parameters))
        for recipient in recipients:
            self.command("RCPT TO:<%s>" % recipient)

    def send(self, sender, recipients, data, parameters=""):
        """One message; gives its queue id."""
        return self.send_raw(sender, recipients, stuffed(data), parameters)

    def attempt(self, sender, recipients, data):
        """One message, which goes on with the recipients that are taken."""
        done = Attempt()

        def good(stage, line, want=250):
            try:
                return self.command(line, want)
            except Refused as e:
                done.refused.append((stage, e.code, e.text))
                return None

        if good("mail", "MAIL FROM:<%s>" % sender) is None:
            return done
        done.recipients = [r for r in recipients if good("rcpt", "RCPT TO:<%s>" % r) is not None]
        if not done.recipients:
            self.command("RSET")
        elif good("data", "DATA", 354) is not None:
            text = good("end", stuffed(data)[:-2])
            done.queue_id = text and queue_id(text)
        return done

    def send_raw(self, sender, recipients, wire, parameters=""):
        self.envelope(sender, recipients, parameters)
        self.command("DATA", 354)
        self.socket.sendall(wire)
        return queue_id(self.expect(250, "end of data"))

    def send_bdat(self, sender, recipients, data, chunk_bytes, parameters=""):
        self.envelope(sender, recipients, parameters)
        text = ""
        for at in range(0, len(data), chunk_bytes):
            chunk = data[at:at + chunk_bytes]
            last = b" LAST" if at + chunk_bytes >= len(data) else b""
            self.socket.sendall(b"BDAT %d%s\r\n" % (len(chunk), last) + chunk)
            text = self.expect(250, "BDAT")
        return queue_id(text)

    def quit(self):
        self.command("QUIT", 221)
        self.close()

    def close(self):
        self.file.close()
        self.socket.close()
