"""Redis servers on ports of 127.0.0.1, with TLS if wanted: alone, watched by sentinels, or as a
cluster of masters and replicas. And a store to talk to them, t/redis/store_probe."""

import json
import os
import queue
import signal
import ssl
import subprocess
import threading
import time

import proc
import redis_server
import tls_files

PROBE = os.path.join(proc.BUILD, "t/redis/store_probe")
PIPELINE_PROBE = os.path.join(proc.BUILD, "t/redis/pipeline_probe")
SLOTS = 16384
# After how long others take a server for dead. A machine with much else to do lets one stand still
# for seconds, which must not cost it its office; one that is killed is to be missed soon.
PATIENT_MS, SOON_MS = 15000, 500


class Tls:
    """An authority, a certificate of the servers (of the address 127.0.0.1) and one for clients."""

    def __init__(self, folder):
        self.folder = folder
        self.ca = tls_files.authority(folder)
        self.server = tls_files.certificate(folder, "server", self.ca, "IP:127.0.0.1")
        self.client = tls_files.certificate(folder, "client", self.ca)

    def server_options(self, port, auth_clients="yes"):
        return ["--port", "0", "--tls-port", str(port), "--tls-cert-file", self.server[0],
                "--tls-key-file", self.server[1], "--tls-ca-cert-file", self.ca[0],
                "--tls-auth-clients", auth_clients, "--tls-replication", "yes"]

    def context(self):
        context = ssl.create_default_context(cafile=self.ca[0])
        context.load_cert_chain(*self.client)
        return context

    def settings(self):
        return {"ca_file": self.ca[0], "cert_file": self.client[0], "key_file": self.client[1]}

    def words(self, server_name=""):
        return [self.ca[0], self.client[0], self.client[1], server_name]


def free_port():
    """One that is free with that 10,000 above, where servers of a cluster talk to one another; both
    below those that the kernel gives to clients."""
    while True:
        port = proc.free_port()
        if port < 22000 and proc.take_port(port + 10000):
            return port


class Server:
    """A redis-server of its own folder and port; more: further options."""

    def __init__(self, folder, more=(), tls=None):
        self.tls, self.more, self.daemon = tls, list(more), None
        for attempt in range(5):
            self.port = free_port()
            self.folder = os.path.join(folder, str(self.port))
            self.address = ("127.0.0.1", self.port)
            self.name = "127.0.0.1:%d" % self.port
            os.makedirs(self.folder, exist_ok=True)
            try:
                self.start()
                return
            except RuntimeError:  # another test has taken the port meanwhile
                if attempt == 4:
                    raise

    def options(self):
        port = self.tls.server_options(self.port) if self.tls else ["--port", str(self.port)]
        return port + ["--bind", "127.0.0.1", "--dir", self.folder]

    def argv(self):
        return (["redis-server"] + self.options() + ["--save", "", "--appendonly", "no",
                "--repl-diskless-sync-delay", "0"] + self.more)

    def start(self):
        self.daemon = proc.Daemon(self.argv(), os.path.join(self.folder, "log"))
        self.daemon.until("redis-server " + self.name, lambda: proc.can_connect(self.address))

    def stop(self):
        if self.daemon.is_running():
            self.daemon.stop()

    def kill(self):
        self.daemon.kill()

    def freeze(self):
        self.daemon.signal(signal.SIGSTOP)

    def thaw(self):
        self.daemon.signal(signal.SIGCONT)

    def connect(self):
        return redis_server.Redis(self.address, tls=self.tls.context() if self.tls else None)

    def do(self, *words):
        """One command over a connection of its own."""
        connection = self.connect()
        try:
            return connection(*words)
        finally:
            connection.close()

    def role(self):
        try:
            return self.do("ROLE")[0]
        except (OSError, redis_server.RedisError):
            return None


class Sentinel(Server):
    """A sentinel of the master `watched`, under the name mail."""

    def __init__(self, folder, watched, tls=None):
        self.watched = watched
        super().__init__(folder, tls=tls)

    def argv(self):
        conf = os.path.join(self.folder, "sentinel.conf")
        if not os.path.exists(conf):
            proc.write_text(conf, "sentinel monitor mail 127.0.0.1 %d 2\n"
                            "sentinel down-after-milliseconds mail %d\n"
                            "sentinel failover-timeout mail 3000\n" % (
                                self.watched.port, PATIENT_MS))
        return ["redis-server", conf, "--sentinel"] + self.options()

    def start(self):
        super().start()
        for name in ("INFO-PERIOD", "PING-PERIOD", "ASK-PERIOD", "PUBLISH-PERIOD"):
            self.do("SENTINEL", "DEBUG", name, "500")

    def master_port(self):
        return int(self.do("SENTINEL", "get-master-addr-by-name", "mail")[1])


class Watched:
    """A master, its replica and three sentinels, all knowing one another."""

    def __init__(self, folder, tls=None):
        self.master = Server(folder, tls=tls)
        self.replica = Server(folder, ["--replicaof", "127.0.0.1 %d" % self.master.port], tls=tls)
        proc.wait_for("a replica in step",
                      lambda: "state=online" in self.master.do("INFO", "replication"))
        self.sentinels = [Sentinel(folder, self.master, tls) for _ in range(3)]
        proc.wait_for("sentinels that know all", lambda: all(map(self.knows_all, self.sentinels)))
        scheme = "rediss+sentinel" if tls else "sentinel"
        self.url = "%s://%s/mail" % (scheme, ",".join(s.name for s in self.sentinels))

    @staticmethod
    def knows_all(sentinel):
        return (len(sentinel.do("SENTINEL", "sentinels", "mail")) == 2 and
                len(sentinel.do("SENTINEL", "replicas", "mail")) == 1)

    def is_master(self, wanted):
        """Is it the master, and do all sentinels say so?"""
        return wanted.role() == "master" and all(
            s.master_port() == wanted.port for s in self.sentinels)

    def _missed_after(self, ms):
        for sentinel in self.sentinels:
            sentinel.do("SENTINEL", "SET", "mail", "down-after-milliseconds", ms)

    def kill(self, master):
        """The sentinels are to miss it soon."""
        self._missed_after(SOON_MS)
        master.kill()

    def wait_master(self, wanted):
        """And they are patient with it."""
        proc.wait_for("the new master", lambda: self.is_master(wanted), 60)
        self._missed_after(PATIENT_MS)

    def fail_over(self, master, wanted):
        """On demand, which a sentinel refuses while it does not know enough of the replica, and
        which comes to nothing on a machine that is slow: then once more."""
        for _ in range(20):
            try:
                if self.sentinels[0].master_port() == master.port:
                    self.sentinels[0].do("SENTINEL", "FAILOVER", "mail")
                proc.wait_for("the other master", lambda: self.is_master(wanted), 10)
                break
            except (redis_server.RedisError, TimeoutError):
                time.sleep(0.5)
        self.wait_master(wanted)
        proc.wait_for("a replica", lambda: master.role() == "slave", 180)

    def rejoin(self, server, master):
        """One that was away becomes what the sentinels would make of it, sooner or later."""
        server.do("REPLICAOF", *master.name.split(":"))
        proc.wait_for("a replica", lambda: server.role() == "slave", 60)

    def stop(self):
        for server in self.sentinels + [self.replica, self.master]:
            server.stop()


class Cluster:
    """masters with a third of the slots each, and as many replicas."""

    def __init__(self, folder, masters=3, tls=None, replicas=True):
        options = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(PATIENT_MS),
                   "--cluster-replica-validity-factor", "0"]
        if tls:
            options += ["--tls-cluster", "yes"]
        count = masters * 2 if replicas else masters
        self.servers = [Server(folder, options, tls) for _ in range(count)]
        self.masters, self.replicas = self.servers[:masters], self.servers[masters:]
        self.ids = {s: s.do("CLUSTER", "MYID") for s in self.servers}
        self._meet()
        for master, replica in zip(self.masters, self.replicas):
            proc.wait_for("a known master",
                          lambda m=master, r=replica: self.ids[m] in r.do("CLUSTER", "NODES"))
            replica.do("CLUSTER", "REPLICATE", self.ids[master])
        proc.wait_for("a cluster", lambda: all(map(self._is_whole, self.servers)), timeout_s=60)
        for master in self.masters if replicas else []:
            proc.wait_for("a replica in step",
                          lambda m=master: "state=online" in m.do("INFO", "replication"))
        self.url = "%s://%s" % ("rediss+cluster" if tls else "cluster",
                                ",".join(s.name for s in self.masters))

    def _meet(self):
        for i, master in enumerate(self.masters):
            first = SLOTS * i // len(self.masters)
            last = SLOTS * (i + 1) // len(self.masters) - 1
            master.do("CLUSTER", "ADDSLOTSRANGE", first, last)
        for epoch, server in enumerate(self.servers):
            server.do("CLUSTER", "SET-CONFIG-EPOCH", epoch + 1)
        for server in self.servers[1:]:
            server.do("CLUSTER", "MEET", "127.0.0.1", self.servers[0].port)

    def _is_whole(self, server):
        nodes = server.do("CLUSTER", "NODES")
        return ("cluster_state:ok" in server.do("CLUSTER", "INFO") and
                nodes.count("slave") == len(self.replicas) and "handshake" not in nodes)

    def _missed_after(self, ms):
        for server in self.servers:
            if server.daemon.is_running():
                server.do("CONFIG", "SET", "cluster-node-timeout", ms)

    def kill(self, master):
        """The others are to miss it soon."""
        self._missed_after(3 * SOON_MS)
        master.kill()

    def wait_master(self, replica):
        """And they are patient with it."""
        proc.wait_for("a new master", lambda: replica.role() == "master", 60)
        self._missed_after(PATIENT_MS)

    @staticmethod
    def fail_over(replica):
        """On demand; a demand that is not met in 5 s is dropped by the servers."""
        def has_taken_over():
            if replica.role() != "master":
                replica.do("CLUSTER", "FAILOVER")
                time.sleep(0.5)
            return replica.role() == "master"
        proc.wait_for("the other master", has_taken_over, 60)

    def owner(self, slot):
        """The living server that serves the slot."""
        for server in self.servers:
            if server.daemon.is_running() and server.role() == "master":
                for first, last, master, *_ in server.do("CLUSTER", "SLOTS"):
                    if first <= slot <= last and master[1] == server.port:
                        return server
        return None

    def slot(self, key):
        return self.masters[0].do("CLUSTER", "KEYSLOT", key)

    def begin_move(self, slot, source, target):
        target.do("CLUSTER", "SETSLOT", slot, "IMPORTING", self.ids[source])
        source.do("CLUSTER", "SETSLOT", slot, "MIGRATING", self.ids[target])

    @staticmethod
    def move_keys(slot, source, target, count=100):
        """Moves some of the slot's keys; how many."""
        keys = source.do("CLUSTER", "GETKEYSINSLOT", slot, count)
        if keys:
            source.do("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
        return len(keys)

    def end_move(self, slot, target):
        for server in [target] + [s for s in self.servers if s is not target]:
            if server.daemon.is_running() and server.role() == "master":
                server.do("CLUSTER", "SETSLOT", slot, "NODE", self.ids[target])

    def move(self, slot, source, target):
        self.begin_move(slot, source, target)
        while self.move_keys(slot, source, target):
            pass
        self.end_move(slot, target)

    def stop(self):
        for server in self.servers:
            server.stop()


class Store:
    """A struct store in a process of its own. A call runs commands, each a text of words, as one
    pipeline: replies, or an exception with the error; .last is all that was said."""

    def __init__(self, url, username="", password_file="", tls=("", "", "", "")):
        self.process = subprocess.Popen(
            [PROBE, url, username, password_file] + list(tls), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, preexec_fn=proc._end_with_parent)
        self.last = None

    def try_(self, *commands, timeout_ms=5000):
        self.process.stdin.write("%d %s\n" % (timeout_ms, " ; ".join(commands)))
        self.process.stdin.flush()
        self.last = json.loads(self.process.stdout.readline())
        return self.last

    def __call__(self, *commands, timeout_ms=5000):
        said = self.try_(*commands, timeout_ms=timeout_ms)
        if "error" in said:
            raise RuntimeError(said["error"])
        return said["replies"]

    def error(self, *commands, timeout_ms=5000):
        return self.try_(*commands, timeout_ms=timeout_ms).get("error", "")

    def good(self, *commands, timeout_ms=1000):
        """Until it goes well: after a failure a store pauses."""
        proc.wait_for("an answer to " + commands[0],
                      lambda: "replies" in self.try_(*commands, timeout_ms=timeout_ms), 30)
        return self.last["replies"]

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait()


class Pipeline:
    """A struct pipeline in a process of its own: trips are begun, several at once, and each answer
    is asked for by its trip's number."""

    def __init__(self, url, timeout_ms=60000, username="", password_file="", tls=("", "", "", "")):
        self.process = subprocess.Popen(
            [PIPELINE_PROBE, url, str(timeout_ms), username, password_file] + list(tls),
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            preexec_fn=proc._end_with_parent)
        self.count, self.ended, self.timeout_ms = 0, {}, timeout_ms
        self.said = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        """The probe must not wait for a reader."""
        for line in self.process.stdout:
            self.said.put(json.loads(line))

    def begin(self, *trips, timeout_ms=None):
        """Their numbers. A trip is a text: commands with " ; " between."""
        numbers = range(self.count + 1, self.count + 1 + len(trips))
        self.count += len(trips)
        self.process.stdin.write("".join(
            "%d %d %s\n" % (number, timeout_ms or self.timeout_ms, trip)
            for number, trip in zip(numbers, trips)))
        self.process.stdin.flush()
        return list(numbers)

    def end(self, number):
        while number not in self.ended:
            said = self.said.get(timeout=120)
            self.ended[said["id"]] = said
        return self.ended.pop(number)

    def many(self, *trips, timeout_ms=None):
        return [self.end(number) for number in self.begin(*trips, timeout_ms=timeout_ms)]

    def __call__(self, trip, timeout_ms=None):
        """Replies, or the text of the error."""
        said = self.many(trip, timeout_ms=timeout_ms)[0]
        return said.get("error", said["replies"])

    def good(self, trip):
        """Until it goes well: after a failure the breaker is open."""
        return proc.wait_for("an answer to " + trip,
                             lambda: [r] if isinstance(r := self(trip), list) else None, 30)[0]

    def close(self):
        self.process.stdin.close()
        return self.process.wait()
