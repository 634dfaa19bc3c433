"""A second reader of log lines, written apart from the collector's own: regular expressions and
datetime, no shared tables. reading() gives the fields that t/collect/log_dump prints."""

import datetime
import json
import re
import zoneinfo

UTC = datetime.timezone.utc
POSTFIX = {"smtpd", "postscreen", "smtp", "lmtp", "qmgr", "cleanup", "pickup", "bounce", "local",
           "virtual", "pipe", "postsuper", "anvil"}
OTHERS = {"dovecot": "dovecot", "sendmail": "sendmail", "sm-mta": "sendmail", "spamd": "spamd",
          "spamc": "spamc", "spamass-milter": "spamass-milter", "amavis": "amavis",
          "rspamd": "rspamd", "clamd": "clamd", "clamav-milter": "clamav-milter",
          "freshclam": "freshclam", "tollgated": "tollgated", "rsyslogd": "rsyslogd"}
CUT = [("smtpd", r"(dis)?connect from |\w{6,}: client="), ("cleanup", r"\w{6,}: message-id="),
       ("qmgr", r"\w{6,}: (from=|removed$)")]

SYSLOG = re.compile(r"([A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d) +(.*)$", re.S)
ISO = re.compile(r"(\d{4}-\d\d-\d\dT\S+) +(.*)$", re.S)
RFC5424 = re.compile(r"<\d+>1 (\S+) (\S+) (\S+) (\S+) \S+ -\s+(.*)$", re.S)
CTIME = re.compile(r"[A-Z][a-z]{2} ([A-Z][a-z]{2} +\d+ \d\d:\d\d:\d\d \d{4}) "
                   r"(?:\[(\d+)\] \w+: |-> )(.*)$", re.S)
TAGGED = re.compile(r"(\S+) +([^\s:\[]+)(?:\[(\d+)\])?: *(.*)$", re.S)
DOVECOT = re.compile(r"([\w-]+(?:\(.*?\)\S*)?: )"
                     r"(?:Info: |(?=(?:Error|Warning|Fatal|Debug|Panic): ))(.*)$", re.S)
REPEATED = re.compile(r"message repeated (\d+) times: \[ ?(.*)\]$", re.S)


class Reader:
    def __init__(self, names=("postfix",), zone="UTC", year=2026):
        self.names, self.zone, self.year = names, zoneinfo.ZoneInfo(zone), year

    def _local(self, text, form):
        when = datetime.datetime.strptime(text, form)
        return when.replace(tzinfo=self.zone).astimezone(UTC)

    def _program(self, tag, text):
        for name in self.names:
            if tag == name:
                for daemon, shape in CUT:
                    if re.match(shape, text):
                        return name, "", daemon
                return name, "", "postfix"
            if tag.startswith(name + "/"):
                parts = tag[len(name) + 1:].split("/")
                daemon = parts[-1] if parts[-1] in POSTFIX else "postfix"
                return name, "/".join(parts[:-1]), daemon
        return tag, "", OTHERS.get(tag, "other")

    def _fields(self, form, when, host, tag, pid, text):
        times = 1
        found = REPEATED.match(text)
        if found:
            times, text = int(found.group(1)), found.group(2)
        instance, service, daemon = self._program(tag, text)
        shown = when.strftime("%Y-%m-%dT%H:%M:%S.") + "%03dZ" % (when.microsecond // 1000)
        return [form, shown, host, tag, instance, service, daemon, str(pid or -1), str(times),
                text]

    def _dated(self, form, when, rest):
        found = DOVECOT.match(rest)
        if found:
            return self._fields("Dovecot", when, "", "dovecot", None, "".join(found.groups()))
        found = TAGGED.match(rest)
        if not found:
            host, _, text = rest.partition(" ")
            return self._fields(form, when, host, "", None, text.lstrip(" "))
        host, tag, pid, text = found.groups()
        return self._fields(form, when, host, tag, pid, text)

    def _journal(self, line):
        entry = json.loads(line)
        when = datetime.datetime.fromtimestamp(int(entry["__REALTIME_TIMESTAMP"]) / 1e6, UTC)
        message = entry["MESSAGE"]
        return self._fields("journal", when, entry["_HOSTNAME"], entry["SYSLOG_IDENTIFIER"],
                            entry.get("SYSLOG_PID") or entry.get("_PID"), message)

    def reading(self, line):
        """The fields of a line, or ["unknown", "-"]."""
        if line.startswith('{"MESSAGE"'):
            return self._journal(line)
        found = SYSLOG.match(line)
        if found:
            when = self._local("%d %s" % (self.year, found.group(1)), "%Y %b %d %H:%M:%S")
            return self._dated("syslog", when, found.group(2))
        found = ISO.match(line)
        if found:
            when = datetime.datetime.fromisoformat(found.group(1)).astimezone(UTC)
            return self._dated("RFC 3339", when, found.group(2))
        found = RFC5424.match(line)
        if found:
            when, host, tag, pid, text = found.groups()
            return self._fields("RFC 5424", datetime.datetime.fromisoformat(when).astimezone(UTC),
                                host, tag, pid, text)
        found = CTIME.match(line)
        if found:
            when, pid, text = found.groups()
            program = "spamd" if pid else "clamd"
            return self._fields("spamd" if pid else "ClamAV",
                                self._local(when, "%b %d %H:%M:%S %Y"), "", program, pid, text)
        return ["unknown", "-"]
