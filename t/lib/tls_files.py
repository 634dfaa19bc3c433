"""Certificates for tests, made by the openssl command: an authority, and servers signed by it."""

import os
import subprocess


def _openssl(*arguments):
    subprocess.run(["openssl"] + list(arguments), check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def authority(folder):
    """Paths of certificate and key."""
    cert, key = os.path.join(folder, "ca.pem"), os.path.join(folder, "ca.key")
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key, "-out", cert, "-subj", "/CN=test authority", "-days", "30")
    return cert, key


def certificate(folder, name, ca, subject=None, days=30):
    """A certificate for that host, or for the subject ("IP:127.0.0.1"), signed by the authority;
    paths of certificate and key. days: negative for one that has expired."""
    cert, key = os.path.join(folder, name + ".pem"), os.path.join(folder, name + ".key")
    request, more = os.path.join(folder, name + ".csr"), os.path.join(folder, name + ".ext")
    with open(more, "w", encoding="ascii") as f:
        f.write("subjectAltName=%s\n" % (subject or "DNS:" + name))
    _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key, "-out", request, "-subj", "/CN=" + name)
    _openssl("x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial",
             "-out", cert, "-days", str(days), "-extfile", more)
    os.chmod(key, 0o644)
    return cert, key
