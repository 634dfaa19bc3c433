"""The MTA's side of the milter protocol (version 6), for tests: raw packets, and whole messages as
Postfix and Sendmail would hand them over. Python's standard library only.

Raw:        m = Milter('unix:/path')           # or 'inet:PORT@HOST', or (host, port)
            m.send(b'C', data); m.recv()       # -> (command, data); None at end of file
Events:     m.negotiate(); m.connect(...); m.helo(...); m.mail(...); m.rcpt(...); m.header(...);
            m.eoh(); m.body(...); m.eom(); m.abort(); m.quit()
            Each sends what was negotiated, no more, and returns a Reply (CONTINUE where none is
            awaited).
Messages:   with Session(address, client='203.0.113.9') as s:
                r = s.deliver('a@x.test', ['b@y.test'], message)
                r.accepted, r.stage, r.text, r.bytes, r.queue_id, r.recipients

`message` is bytes with CRLF ends, as on the wire after dot-unstuffing; `message_of(headers, size)`
makes one of a given size. Session(client=None) is the `sendmail` command (pickup): one message
a session.
Session(mta='sendmail') sends what Sendmail sends.
"""
import itertools
import os
import re
import socket
import struct
import threading

# What an MTA may decline (SMFIP_NO*), and the events that go unanswered (SMFIP_NR_*).
DECLINED = {b'C': 0x1, b'H': 0x2, b'M': 0x4, b'R': 0x8, b'B': 0x10, b'L': 0x20, b'N': 0x40,
            b'U': 0x100, b'T': 0x200}
NO_REPLY = {b'L': 0x80, b'C': 0x1000, b'H': 0x2000, b'M': 0x4000, b'R': 0x8000, b'T': 0x10000,
            b'U': 0x20000, b'N': 0x40000, b'B': 0x80000}
HDR_LEADSPC = 0x100000
STAGES = {b'C': 0, b'H': 1, b'M': 2, b'R': 3, b'T': 4, b'E': 5, b'N': 6}
CHUNK_BYTES = 65535
OFFER_ACTIONS, OFFER_STEPS = 0x1ff, 0x1fffff
HEARD_STEPS = OFFER_STEPS & ~0xc000  # of an MTA that wants a reply to MAIL and RCPT

# The macros sent when a filter asks for none (braces left out here, put back on the wire).
POSTFIX_MACROS = {b'C': 'j daemon_name daemon_addr v _', b'H': 'tls_version cipher cipher_bits',
                  b'M': 'i auth_type auth_authen auth_author mail_addr mail_host mail_mailer',
                  b'R': 'i rcpt_addr rcpt_host rcpt_mailer', b'T': 'i', b'N': 'i', b'E': 'i'}
SENDMAIL_MACROS = {b'C': 'j _ daemon_name if_name', b'H': '',
                   b'M': 'i mail_mailer mail_host mail_addr auth_type auth_authen',
                   b'R': 'rcpt_mailer rcpt_host rcpt_addr', b'T': '', b'N': '', b'E': 'msg_id'}
# Sendmail sends these only to a filter that asks; Postfix has these besides its default ones.
ON_REQUEST = {
    'postfix': {'client_addr', 'client_name', 'client_port', 'client_ptr', 'client_resolve'},
    'sendmail': {'client_addr', 'client_name', 'client_port', 'v', 'msg_size', 'nrcpts',
                 'ntries', 'i'},
}


class Lost(Exception):
    """The milter closed the connection where a reply was due."""


class Reply:
    """A milter's answer: `code` is the protocol's letter ('c', 'a', 'r', 't', 'y', 'd' ...), `text`
    that of 'y'."""

    def __init__(self, code, text=''):
        self.code, self.text = code, text

    accepted = property(lambda self: self.code in 'cas')
    deferred = property(lambda self: self.code == 't' or self.code == 'y' and self.text[:1] == '4')

    def __repr__(self):
        return 'Reply(%r, %r)' % (self.code, self.text)


CONTINUE = Reply('c')


def connect_socket(address, timeout=30):
    if isinstance(address, tuple):
        return socket.create_connection(address, timeout)
    kind, _, rest = address.partition(':')
    if kind == 'unix' or kind == 'local':
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(rest)
        return s
    port, _, host = rest.partition('@')
    return socket.create_connection((host or '127.0.0.1', int(port)), timeout)


def to_bytes(x):
    return x if isinstance(x, bytes) else x.encode('utf-8', 'surrogateescape')


class Milter:
    """One milter connection: packets out, packets in."""

    def __init__(self, address, timeout=30):
        self.sock = connect_socket(address, timeout)
        self.steps, self.actions, self.version = 0, 0, 0
        self.quarantine = None  # why the last message is to be held
        self.symbols = {}  # stage letter -> names the filter asked for
        self.buffer = b''

    # --- packets ---
    def send(self, command, data=b''):
        self.sock.sendall(struct.pack('>I', len(data) + 1) + command + data)

    def send_raw(self, octets):
        self.sock.sendall(octets)

    def take(self, count):
        while len(self.buffer) < count:
            more = self.sock.recv(65536)
            if not more:
                return None
            self.buffer += more
        out, self.buffer = self.buffer[:count], self.buffer[count:]
        return out

    def recv(self):
        head = self.take(4)
        body = self.take(struct.unpack('>I', head)[0]) if head else None
        return (body[:1], body[1:]) if body else None

    def reply(self):
        while True:
            packet = self.recv()
            if packet is None:
                raise Lost('the milter closed the connection')
            if packet[0] == b'q':
                self.quarantine = packet[1].rstrip(b'\0').decode('utf-8', 'replace')
            elif packet[0] != b'p':  # progress
                text = packet[1].rstrip(b'\0').decode('utf-8', 'replace')
                return Reply(packet[0].decode('latin-1'), text)

    def close(self):
        self.sock.close()

    # --- events ---
    def event(self, command, data=b''):
        if self.steps & DECLINED.get(command, 0):
            return CONTINUE
        self.send(command, data)
        return CONTINUE if self.steps & NO_REPLY.get(command, 0) else self.reply()

    def negotiate(self, version=6, actions=OFFER_ACTIONS, steps=OFFER_STEPS):
        self.send(b'O', struct.pack('>III', version, actions, steps))
        packet = self.recv()
        if packet is None or packet[0] != b'O':
            raise Lost('no negotiation: %r' % (packet,))
        self.version, self.actions, self.steps = struct.unpack('>III', packet[1][:12])
        rest = packet[1][12:]
        while len(rest) > 4:
            stage = struct.unpack('>I', rest[:4])[0]
            names, _, rest = rest[4:].partition(b'\0')
            letter = [k for k, v in STAGES.items() if v == stage][0]
            self.symbols[letter] = [n.strip('{}') for n in names.decode().split()]
        return self

    def macros(self, stage, values):
        """values: name (without braces) -> text; sent as they are, in this order."""
        pairs = []
        for name, value in values.items():
            pairs += [to_bytes(name if len(name) == 1 else '{%s}' % name), to_bytes(value)]
        self.send(b'D', stage + b''.join(p + b'\0' for p in pairs))

    def connect(self, host, address=None, port=0, family=None):
        if address is None:
            return self.event(b'C', to_bytes(host) + b'\0U')
        letter = to_bytes(family) if family else b'6' if ':' in address else b'4'
        where = letter + struct.pack('>H', port) + to_bytes(address) + b'\0'
        return self.event(b'C', to_bytes(host) + b'\0' + where)

    def strings(self, command, *args):
        return self.event(command, b''.join(to_bytes(a) + b'\0' for a in args))

    def helo(self, name):
        return self.strings(b'H', name)

    def mail(self, *args):
        return self.strings(b'M', *args)

    def rcpt(self, *args):
        return self.strings(b'R', *args)

    def data(self):
        return self.event(b'T')

    def header(self, name, value):
        """`value` with its leading blank, line ends as LF: made ready for what was negotiated."""
        value = to_bytes(value)
        if not self.steps & HDR_LEADSPC and value[:1] == b' ':
            value = value[1:]
        return self.strings(b'L', name, value)

    def eoh(self):
        return self.event(b'N')

    def body(self, octets):
        for at in range(0, len(octets), CHUNK_BYTES):
            r = self.event(b'B', octets[at:at + CHUNK_BYTES])
            if r.code != 'c':
                return r
        return CONTINUE

    def eom(self):
        self.quarantine = None
        self.send(b'E')
        return self.reply()

    def abort(self):
        self.send(b'A')

    def quit(self):
        self.send(b'Q')


def split_message(message):
    """(list of (name, value with leading blank, LF inside), body) of a well-formed message."""
    head, _, body = message.partition(b'\r\n\r\n')
    if message.startswith(b'\r\n'):
        head, body = b'', message[2:]
    lines = re.split(rb'\r\n(?![ \t])', head)
    fields = [line.replace(b'\r\n', b'\n').partition(b':') for line in lines if line]
    return [(name, value) for name, _, value in fields], body


def message_of(headers=(), size=None):
    """A message of these header lines ('Name: value') and a body that makes it `size` bytes."""
    head = b''.join(to_bytes(h).replace(b'\n', b'\r\n') + b'\r\n' for h in headers) + b'\r\n'
    if size is None:
        return head + b'hello\r\n'
    left = size - len(head)
    if left < 0 or left == 1:
        raise ValueError('no room for a body: %d bytes of headers in %d' % (len(head), size))
    lines, rest = divmod(left, 72)
    if rest == 1:
        return head + (b'x' * 70 + b'\r\n') * (lines - 1) + b'x' * 71 + b'\r\n'
    return head + (b'x' * 70 + b'\r\n') * lines + (b'y' * (rest - 2) + b'\r\n' if rest else b'')


queue_numbers = itertools.count(1)


def next_queue_id():
    return '4t%04X%08X' % (os.getpid() & 0xffff, next(queue_numbers))


class Delivery:
    """What became of a message: `stage` is where it ended ('eom' where it went all the way)."""

    def __init__(self, stage, reply, size, queue_id, recipients):
        self.stage, self.reply, self.bytes = stage, reply, size
        self.queue_id, self.recipients = queue_id, recipients
        self.held = None  # why it is in the hold queue

    accepted = property(lambda self: self.stage == 'eom' and self.reply.accepted)
    text = property(lambda self: self.reply.text)

    def __repr__(self):
        return 'Delivery(%s, %r, %s)' % (self.stage, self.reply, self.queue_id)


def bare(address):
    address = address.strip()
    return address[1:-1] if address.startswith('<') and address.endswith('>') else address


class Session:
    """An MTA's session with a client: negotiates, connects, says helo; then messages, one by one.

    client      address of the SMTP client; None: the sendmail command (no SMTP); 'unknown'
    auth        login of SMTP AUTH (sent as {auth_authen} at each MAIL)
    mta         'postfix' or 'sendmail'
    steps       what it can do without (HEARD_STEPS)
    """

    def __init__(self, address, client='203.0.113.9', auth='', mta='postfix', host='client.test',
                 port=40000, timeout=30, steps=OFFER_STEPS):
        self.milter, self.client, self.auth, self.mta = Milter(address, timeout), client, auth, mta
        self.defaults = POSTFIX_MACROS if mta == 'postfix' else SENDMAIL_MACROS
        self.offered = ON_REQUEST[mta] | set(' '.join(self.defaults.values()).split())
        self.milter.negotiate(steps=steps)
        self.known = {
            'j': 'mx.test', 'daemon_name': 'mx.test', 'daemon_addr': '127.0.0.1',
            'if_name': 'mx.test',
            '_': '%s [%s]' % (host, client), 'client_name': host,
            'v': 'Postfix 3.7.11' if mta == 'postfix' else '8.17.1.9',
            'client_addr': client or '127.0.0.1', 'client_port': str(port if client else 0),
        }
        self.macros(b'C')
        if client is None:
            self.milter.connect('localhost', '127.0.0.1', 0)
            self.milter.helo('localhost')
            return
        self.milter.connect(host, None if client == 'unknown' else client, port)
        self.milter.helo(host)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        try:
            self.milter.quit()
        except OSError:
            pass
        self.milter.close()

    def macros(self, stage):
        """Those of the stage that have a value: the filter's wish, else the MTA's default ones."""
        default = self.defaults[stage].split()
        asked = self.milter.symbols.get(stage)
        names = [n for n in (default if asked is None else asked) if n in self.offered]
        self.milter.macros(stage, {n: self.known[n] for n in names if n in self.known})

    def argument(self, address):
        return bare(address) if self.client is None else '<%s>' % bare(address)

    def envelope_macros(self, kind, address):
        """{mail_addr} and the like: canonical from Postfix's smtpd, raw elsewhere."""
        text = bare(address)
        local, _, domain = text.rpartition('@')
        if self.mta == 'postfix' and self.client is not None and local:
            text = '%s@%s' % (local, domain.lower().rstrip('.'))
        self.known['%s_addr' % kind] = text
        if self.client is None:
            self.known.pop('%s_mailer' % kind, None)
            self.known.pop('%s_host' % kind, None)
        else:
            self.known['%s_mailer' % kind] = 'smtp' if self.mta == 'postfix' else 'esmtp'
            self.known['%s_host' % kind] = domain.lower()

    def mail(self, sender, *params):
        for name in ('auth_authen', 'auth_type', 'i'):
            self.known.pop(name, None)
        if self.auth:
            self.known.update(auth_authen=self.auth, auth_type='PLAIN')
        if self.client is None or self.mta == 'sendmail':
            self.known['i'] = self.queue_id = next_queue_id()
        self.envelope_macros('mail', sender)
        self.macros(b'M')
        return self.milter.mail(self.argument(sender), *params)

    def rcpt(self, recipient, *params, **macros):
        self.envelope_macros('rcpt', recipient)
        self.known.update(macros)
        self.macros(b'R')
        r = self.milter.rcpt(self.argument(recipient), *params)
        if r.accepted and 'i' not in self.known:
            self.known['i'] = self.queue_id
        return r

    def content(self, message):
        """Everything up to and with the end of message; an empty body is sent as none."""
        fields, body = split_message(message)
        for name, value in fields:
            r = self.milter.header(name, value)
            if r.code != 'c':
                return 'header', r
        r = self.milter.eoh()
        if r.code == 'c' and body:
            r = self.milter.body(body)
        if r.code != 'c':
            return 'body', r
        self.known['msg_size'] = str(len(message) - message.count(b'\r\n'))
        self.macros(b'E')
        return 'eom', self.milter.eom()

    def deliver(self, sender, recipients, message, queue_id=None, abort_after=True):
        """One message the whole way. abort_after: the ABORT packet that smtpd sends after each."""
        self.queue_id = queue_id or next_queue_id()
        r = self.mail(sender)
        if not r.accepted:
            return Delivery('mail', r, 0, self.queue_id, [])
        taken = []
        for recipient in recipients:
            r = self.rcpt(recipient)
            if r.accepted:
                taken.append(recipient)
        if not taken:
            self.milter.abort()
            return Delivery('rcpt', r, 0, self.queue_id, [])
        stage, r = self.content(message)
        if abort_after and self.mta == 'postfix' and self.client is not None:
            self.milter.abort()
        result = Delivery(stage, r, len(message), self.queue_id, taken)
        result.held = self.milter.quarantine if stage == 'eom' else None
        return result


def in_parallel(count, work):
    """Runs work(0) ... work(count - 1) in threads; results in order; raises the first failure."""
    results, failures = [None] * count, []

    def run(i):
        try:
            results[i] = work(i)
        except BaseException as e:  # handed on to the caller below
            failures.append(e)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    if failures:
        raise failures[0]
    return results
