"""A second reader of Postfix's logs, written apart from the collector's: it has the whole log at
once, sorts the lines by process and by message, and then counts. counts() gives what
t/collect/log_counts prints."""

import collections
import datetime
import re

HOUR = 3600
LINE = re.compile(r"(\S+) \S+ ([\w-]+)/(\S+)\[(\d+)\]: (.*)$")
QUEUE_ID = r"([0-9A-Z]{6,}|[0-9A-Za-z]{10,})"
BAD = ("unknown", "helo", "ehlo", "starttls", "etrn", "noop", "rset", "vrfy", "help")
ENDS = re.compile(r"(?:\w+: )?(lost connection|timeout|too many errors) after ")
EARLY = re.compile(r"(?:host \S+ refused to talk to me|lost connection with|conversation with|"
                   r"host \S+ said)")
RESTART = "daemon started"


class Counter:
    def __init__(self, domains, logins):
        self.domains, self.logins = domains, logins
        self.counts = collections.Counter()
        self.processes = collections.defaultdict(list)
        self.mail = collections.defaultdict(lambda: collections.defaultdict(list))
        self.connect_ms = collections.Counter()

    # --- accounts ---

    def address(self, text):
        user = text.lower()
        return (user.split("@")[-1], user) if user.split("@")[-1] in self.domains else None

    def login(self, name):
        return self.address(self.logins.get(name, name)) if name else None

    def add(self, at, name, amount, payer=None):
        if amount:
            for account in ("node",) + (payer or ()):
                self.counts[int(at // HOUR), account, name] += amount

    def seconds(self, start, end, name):
        start, end = int(start // 1), int(end // 1)
        while start < end:
            stop = min(end, (start // HOUR + 1) * HOUR)
            self.add(start, name, stop - start)
            start = stop

    # --- sorting ---

    def read(self, text):
        for line in text.splitlines():
            stamp, instance, tag, pid, said = LINE.match(line).groups()
            at = datetime.datetime.fromisoformat(stamp).timestamp()
            if said.startswith(RESTART):
                for key, lines in self.processes.items():
                    if key[0] == instance:
                        lines.append((at, RESTART))
            elif tag.endswith("postscreen"):
                client = re.search(r"\[[\d.]+\]:\d+", said).group(0)
                self.processes[instance, "postscreen", client].append((at, said))
            elif tag.split("/")[-1] in ("smtpd", "smtp", "lmtp"):
                self.processes[instance, tag, pid].append((at, said))
            found = re.match(QUEUE_ID + ": (.*)", said)
            if found:
                self.mail[instance][found.group(1)].append((tag.split("/")[-1], found.group(2)))

    # --- sessions ---

    def sessions(self, lines):
        """Parts the lines of a process: one list a session."""
        part = []
        for at, said in lines:
            if said.startswith("connect from") or said == RESTART:
                yield part, at
                part = []
                if said == RESTART:
                    continue
            part.append((at, said))
            if said.startswith("disconnect from"):
                yield part, None
                part = []
        yield part, float("inf")

    def smtpd(self, lines, next_at):
        if not lines or any("orig_client=" in said for _, said in lines):
            return
        first, last = lines[0], lines[-1]
        end = min(next_at, last[0] + HOUR) if next_at is not None else last[0]
        if first[1].startswith("connect from"):
            self.add(first[0], "smtp_in_connections", 1)
        self.seconds(first[0], end, "smtp_in_connection_seconds")
        login, refused, ended = None, False, False
        for at, said in lines:
            found = re.search(r": client=.*sasl_username=(\S+)", said)
            if found:
                login = self.login(found.group(1))
            if said.startswith("warning: Illegal address"):
                self.add(at, "smtp_in_bad_commands", 1, login)
            if ENDS.match(said) and not ended:
                ended = True
                self.add(at, "smtp_in_terminations", 1, login)
            if "reject: " in said and "limit of" not in said and "552 5.3" not in said:
                refused |= bool(re.search(r"Relay access denied|blocked using|reject: EHLO", said))
        if next_at is None:
            self.summary(last, login, refused)

    def summary(self, line, login, refused):
        words = dict(re.findall(r"(\w+)=(\S+)", line[1]))
        failed = {}
        for name, value in words.items():
            good, _, everything = value.partition("/")
            failed[name] = int(everything or good) - int(good)
        self.add(line[0], "smtp_in_bad_commands", sum(failed.get(n, 0) for n in BAD), login)
        self.add(line[0], "smtp_in_auth_failed", failed.get("auth", 0))
        if refused and int(words.get("data", "0").split("/")[0]) == 0:
            self.add(line[0], "smtp_in_blocked", 1, login)

    def postscreen(self, lines):
        """A port may be used again: each CONNECT begins another."""
        starts = [n for n, line in enumerate(lines) if line[1].startswith("CONNECT")]
        for start, stop in zip(starts, starts[1:] + [len(lines)]):
            said = [line for line in lines[start:stop] if line[1] != RESTART]
            if not said[-1][1].startswith("DISCONNECT"):
                continue
            begin, end, words = said[0][0], said[-1][0], " ".join(line[1] for line in said)
            self.add(begin, "smtp_in_connections", 1)
            self.seconds(begin, end, "smtp_in_connection_seconds")
            if re.search("PREGREET|DNSBL|DENYLISTED", words) and "PASS" not in words:
                self.add(end, "smtp_in_blocked", 1)
            self.add(end, "smtp_in_terminations", int("HANGUP" in words))
            self.add(end, "smtp_in_bad_commands", words.count("NON-SMTP"))

    # --- messages ---

    def owner(self, instance, qid):
        """Who pays; None: nobody."""
        lines = self.mail[instance][qid]
        sender = next((re.match(r"from=<(.*?)>", said).group(1) for daemon, said in lines
                       if daemon in ("qmgr", "pickup") and said.startswith("from=")), "")
        for daemon, said in lines:
            if daemon == "pickup":
                return self.address(sender)
            if daemon == "smtpd" and said.startswith("client="):
                before = re.search(r"orig_queue_id=(\w+)", said)
                login = re.search(r"sasl_username=(\S+)", said)
                if before:
                    return self.owner(instance, before.group(1))
                return (self.login(login.group(1)) or self.address(sender)) if login else None
        return self.maker(instance, qid)

    def maker(self, instance, qid):
        """Of a message that another one was the cause of."""
        for parent, daemon, said in self.made[instance].get(qid, []):
            if daemon == "local":
                return self.address(re.search(r"to=<(.*?)>", said).group(1))
            failed = [re.search(r"to=<(.*?)>", line).group(1)
                      for _, line in self.mail[instance][parent] if "status=bounced" in line]
            return self.owner(instance, parent) or (self.address(failed[-1]) if failed else None)
        return None

    def find_made(self):
        self.made = collections.defaultdict(lambda: collections.defaultdict(list))
        for instance, ids in self.mail.items():
            for qid, lines in list(ids.items()):
                for daemon, said in lines:
                    found = re.search(r"(?:forwarded as|notification:) (\w+)", said)
                    if found:
                        self.made[instance][found.group(1)].append((qid, daemon, said))

    # --- deliveries ---

    def smtp(self, instance, lines):
        before, group, key = [], [], None
        for at, said in lines + [(0, RESTART)]:
            found = re.match(QUEUE_ID + r": (to=.*)", said)
            words = dict(re.findall(r"(\w+)=([^ ,]+)", found.group(2))) if found else {}
            times = words.get("delays", "").rpartition("/")
            now = (found.group(1), words.get("relay"), times[0], words.get("conn_use")) \
                if found else None
            same = group and now == key and float(times[2]) >= float(
                group[-1][2]["delays"].rpartition("/")[2])
            if group and not same and (found or said == RESTART or self.is_early(said)):
                self.delivery(instance, key, before, group)
                before, group = [], []
            is_inside = found and re.search(r"relay=\S+\[(private|127\.)", said)
            if said == RESTART or is_inside:
                if before:
                    self.delivery(instance, now if is_inside else self.last_id(before), before, [])
                before, group = [], []
            elif found:
                group.append((at, found.group(2), words))
                key = now
            elif self.is_early(said):
                before.append((at, said))

    @staticmethod
    def last_id(before):
        ids = [re.match(QUEUE_ID + ": ", said) for _, said in before]
        return (next((i.group(1) for i in ids if i), None),)

    @staticmethod
    def is_early(said):
        return said.startswith("connect to ") or bool(
            re.match(QUEUE_ID + ": " + EARLY.pattern, said))

    def delivery(self, instance, key, before, group):
        payer = self.owner(instance, key[0]) if key[0] else None
        aliases = [re.search(r"orig_to=<(.*?)>", said) for _, said, _ in group]
        if payer is None:
            hosted = [self.address(a.group(1)) for a in aliases if a]
            payer = next((h for h in hosted if h), ("_unattributed",))
        for at, said in before:
            self.early(at, said, payer)
        if group:
            self.group(instance, key, group, payer)

    def early(self, at, said, payer):
        if said.startswith("connect to "):
            self.add(at, "smtp_out_failed", 1, payer)
            return
        self.add(at, "smtp_out_connections", 1, payer)
        if "refused to talk to me" in said:
            self.add(at, "smtp_out_blocked", 1, payer)
        elif " said: " not in said:
            self.add(at, "smtp_out_terminations", 1, payer)

    @staticmethod
    def kind(said):
        if "refused to talk to me" in said:
            return "blocked"
        if "status=deferred (lost connection" in said:
            return "terminations"
        if re.search(r"said: 50[0-4]", said):
            return "bad_commands"
        if "status=bounced" in said and re.search(r"said: 5", said):
            return "rejected"
        return None

    def group(self, instance, key, group, payer):
        at, _, words = group[0]
        if words["relay"] == "none":
            if "dsn=4.4.3" in group[0][1]:
                self.add(at, "smtp_out_failed", 1, payer)
            return
        if "conn_use" not in words:
            self.add(at, "smtp_out_connections", 1, payer)
        parts = [round(float(x) * 1000) for x in group[-1][2]["delays"].split("/")]
        self.connect_ms[payer] += parts[2] + parts[3]
        seen = set()
        for time, said, _ in group:
            kind = self.kind(said)
            if kind and kind not in seen:
                seen.add(kind)
                self.add(time, "smtp_out_" + kind, 1, payer)
        if any("status=sent" in said or "while sending end of data" in said
               for _, said, _ in group):
            size = next((int(re.search(r"size=(\d+)", said).group(1))
                         for daemon, said in self.mail[instance][key[0]] if daemon == "qmgr"
                         and "size=" in said), 0)
            self.add(group[-1][0], "smtp_out_sent_bytes", size, payer)

    # --- all ---

    def run(self):
        self.find_made()
        for (instance, tag, _), lines in self.processes.items():
            if tag == "postscreen":
                self.postscreen(lines)
            elif tag.endswith("smtpd"):
                for part, next_at in self.sessions(lines):
                    self.smtpd(part, next_at)
            else:
                self.smtp(instance, lines)

    def domain_seconds(self):
        """Whole seconds of SMTP out of each domain, over the whole log."""
        sums = collections.Counter()
        for payer, ms in self.connect_ms.items():
            sums[payer[0]] += ms
        return {domain: ms // 1000 for domain, ms in sums.items() if ms >= 1000}


def counts(text, domains, logins):
    """({(hour, account, counter): amount}, {domain: seconds of SMTP out})"""
    counter = Counter(set(domains), logins)
    counter.read(text)
    counter.run()
    return dict(counter.counts), counter.domain_seconds()
