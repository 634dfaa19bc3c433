"""Certificates for tests, made by the openssl command: an authority, and servers signed by it. They
have the extensions that RFC 5280 asks for: Python 3.13 and later refuse others."""

import os
import subprocess

AUTHORITY = """\
[ca]
default_ca = test
[test]
database = {index}
new_certs_dir = {folder}
rand_serial = yes
default_md = sha256
policy = any
[any]
commonName = supplied
"""


def _openssl(*arguments):
    subprocess.run(["openssl"] + list(arguments), check=True, stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL)


def authority(folder):
    """Paths of certificate and key."""
    cert, key = os.path.join(folder, "ca.pem"), os.path.join(folder, "ca.key")
    _openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key, "-out", cert, "-subj", "/CN=test authority", "-days", "30",
             "-addext", "keyUsage=critical,keyCertSign,cRLSign")
    return cert, key


def _request(folder, name, subject):
    """Paths of certificate, key, request and extensions of a server."""
    cert, key, request, more = (os.path.join(folder, name + end)
                                for end in (".pem", ".key", ".csr", ".ext"))
    with open(more, "w", encoding="ascii") as f:
        f.write("subjectAltName=%s\nsubjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n"
                % (subject or "DNS:" + name))
    _openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-keyout", key, "-out", request, "-subj", "/CN=" + name)
    os.chmod(key, 0o644)
    return cert, key, request, more


def certificate(folder, name, ca, subject=None):
    """A certificate for that host, or for the subject ("IP:127.0.0.1"), signed by the authority;
    paths of certificate and key."""
    cert, key, request, more = _request(folder, name, subject)
    _openssl("x509", "-req", "-in", request, "-CA", ca[0], "-CAkey", ca[1], "-CAcreateserial",
             "-out", cert, "-days", "30", "-extfile", more)
    return cert, key


def expired(folder, name, ca, subject=None):
    """The same, but it has expired. `openssl x509' of 3.0 cannot tell it so, that of 3.5 refuses
    -days -1; `openssl ca' takes dates in both."""
    cert, key, request, more = _request(folder, name, subject)
    config, index = os.path.join(folder, name + ".cnf"), os.path.join(folder, name + ".index")
    open(index, "w", encoding="ascii").close()
    with open(config, "w", encoding="ascii") as f:
        f.write(AUTHORITY.format(index=index, folder=folder))
    _openssl("ca", "-batch", "-notext", "-config", config, "-in", request, "-cert", ca[0],
             "-keyfile", ca[1], "-out", cert, "-extfile", more,
             "-startdate", "20200101000000Z", "-enddate", "20200201000000Z")
    return cert, key
