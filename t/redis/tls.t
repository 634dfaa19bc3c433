#!/usr/bin/env python3
"""A store over TLS: whom it trusts, whom it refuses, and what it then says."""

import os
import shutil
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import redis_fleet
import tap
import tls_files

BIG = 200000


def url(server, host="127.0.0.1"):
    return "rediss://%s:%d" % (host, server.port)


def refused(what, server, tls, wanted, host="127.0.0.1"):
    store = redis_fleet.Store(url(server, host), tls=tls)
    error = store.error("PING")
    tap.ok(all(w in error for w in wanted), what, error)
    store.close()


def check_good(server, tls):
    store = redis_fleet.Store(url(server), tls=tls.words())
    tap.same(store("SET k v", "GET k", "script n 2"), ["OK", "v", 2], "commands over TLS")
    words = ["SET big%d %s" % (i, "x" * BIG) for i in range(20)]
    tap.same(store(*words), ["OK"] * 20, "4 MB of commands")
    got = store(*["GET big%d" % i for i in range(20)])
    tap.ok(all(len(r) == BIG for r in got), "4 MB of replies")
    store(*["SET f%d %d" % (i, i) for i in range(60)])
    tap.same(store.try_("flow f 60 5000").get("taken"), 5000, "a flow of several batches")
    store("CONFIG SET timeout 1")
    proc.wait_for("the end of idle connections", lambda: server.do("CLIENT", "LIST").count(
        "\n") == 1)
    tap.same(store("GET k"), ["v"], "the server closes an idle connection, and nobody notices")
    tap.same(store.last["generation"], 2, "it is another one")
    store("CONFIG SET timeout 0")
    server.freeze()
    begin = time.monotonic()
    error = store.error("GET k", timeout_ms=200)
    tap.ok("no answer in time" in error and time.monotonic() - begin < 5, "a stall", error)
    server.thaw()
    tap.same(store.good("GET k"), ["v"], "and after it")
    tap.same(store.close(), 0, "an orderly end")


def check_names(folder, tls):
    """A certificate with a name, reached by an address."""
    named = redis_fleet.Tls(folder)
    named.server = tls_files.certificate(folder, "redis.example.com", tls.ca)
    named.ca, named.client = tls.ca, tls.client
    server = redis_fleet.Server(folder, tls=named)
    refused("another name", server, tls.words(), ["another name", "store.tls.server_name"])
    refused("a name that the certificate lacks", server, tls.words("mail.example.com"),
            ["another name"])
    store = redis_fleet.Store(url(server), tls=tls.words("redis.example.com"))
    tap.same(store("PING"), ["PONG"], "the name that is set")
    store.close()
    server.stop()


def check_expired(folder, tls):
    old = redis_fleet.Tls(folder)
    old.server = tls_files.expired(folder, "old", tls.ca, "IP:127.0.0.1")
    old.ca = tls.ca
    server = redis_fleet.Server(folder, tls=old)
    refused("an expired certificate", server, tls.words(), ["not valid now", "expired", "renew"])
    server.stop()


def check_clients(server, tls):
    refused("no client certificate", server, [tls.ca[0], "", "", ""],
            ["client certificate", "store.tls.cert_file"])
    refused("no authority", server, ["", tls.client[0], tls.client[1], ""],
            ["rejected", "store.tls.ca_file"])
    refused("a key that is not the certificate's", server,
            [tls.ca[0], tls.client[0], tls.server[1], ""], ["store.tls.key_file"])
    refused("a file that is not there", server, ["/nonexistent/ca.pem", "", "", ""],
            ["store.tls.ca_file", "/nonexistent/ca.pem"])


def check_versions(folder, tls):
    server = redis_fleet.Server(folder, ["--tls-protocols", "TLSv1.1", "--tls-ciphers",
                                         "DEFAULT:@SECLEVEL=0"], tls=tls)
    refused("TLS 1.1", server, tls.words(), ["TLS", "1.2 or later"])
    server.stop()
    server = redis_fleet.Server(folder, ["--tls-protocols", "TLSv1.2"], tls=tls)
    store = redis_fleet.Store(url(server), tls=tls.words())
    tap.same(store("PING"), ["PONG"], "TLS 1.2")
    store.close()
    server.stop()
    plain = redis_fleet.Server(folder)
    refused("a server without TLS", plain, tls.words(), ["is it a TLS port"])
    plain.stop()


def check_users(folder, tls):
    server = redis_fleet.Server(folder, tls=tls)
    server.do("ACL", "SETUSER", "mail", "on", ">s3cret", "~tg:*", "+@all")
    server.do("ACL", "SETUSER", "default", "off")
    secret = os.path.join(folder, "secret")
    store = redis_fleet.Store(url(server), "mail", secret, tls.words())
    tap.ok(secret in store.error("PING"), "a password file that is not there", store.last)
    proc.write_text(secret, "wrong\n")
    proc.wait_for("a refusal", lambda: "login rejected" in store.error("PING"))
    tap.ok("WRONGPASS" in store.last["error"], "a wrong password", store.last)
    proc.write_text(secret, "s3cret\n")
    tap.same(store.good("SET tg:x 1"), ["OK"], "user and password")
    tap.ok("NOPERM" in store("GET other")[0], "may do what he may", store.last)
    store.close()
    server.stop()


def check_renewal(folder, server, tls):
    """Files that were replaced are read again, without a restart."""
    paths = [os.path.join(folder, n) for n in ("renewed-ca.pem", "renewed.pem", "renewed.key")]
    other = tls_files.authority(proc.scratch("other-ca"))
    for source, path in zip((other[0], tls.client[0], tls.client[1]), paths):
        shutil.copy(source, path)
    store = redis_fleet.Store(url(server), tls=paths + [""])
    tap.ok("rejected" in store.error("PING"), "an authority that did not sign", store.last)
    shutil.copy(tls.ca[0], paths[0] + ".new")
    os.rename(paths[0] + ".new", paths[0])
    tap.same(store.good("PING"), ["PONG"], "the right one, put in its place")
    store.close()


def main():
    tap.need("redis-server", "openssl")
    folder = proc.scratch("tls")
    tls = redis_fleet.Tls(folder)
    server = redis_fleet.Server(folder, tls=tls)
    check_good(server, tls)
    check_clients(server, tls)
    check_renewal(folder, server, tls)
    server.stop()
    check_names(proc.scratch("tls-names"), tls)
    check_expired(proc.scratch("tls-old"), tls)
    check_versions(folder, tls)
    check_users(folder, tls)


tap.run(main)
