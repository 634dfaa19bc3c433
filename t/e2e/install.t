#!/usr/bin/env python3
"""README's steps: what `make install` puts where, and a first configuration that passes -t."""

import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree

NO_MAKE = {"MAKEFLAGS": "", "MAKELEVEL": "", "MFLAGS": ""}  # this test may be run by make itself
OURS = re.compile(r"/usr/share/tollgate/[\w./-]*\w|/etc/tollgate/tollgate\.conf")


def install(root):
    code, out, err = proc.run(["make", "-C", tree.BUILD, "install", "DESTDIR=" + root,
                               "sysconfdir=/etc"], env=NO_MAKE, timeout_s=600)
    tap.ok(code == 0, "make install", out[-2000:], err[-2000:])


def prefix():
    """That of the build; the pages have /usr."""
    makefile = proc.read_text(os.path.join(tree.BUILD, "Makefile"))
    return re.search(r"(?m)^prefix = (.*)$", makefile).group(1)


def check_samples(root):
    """The files that name installed paths name those that are there."""
    share = root + prefix() + "/share/tollgate/"
    dovecot = proc.read_text(share + "90-tollgate.conf")
    named = re.search(r"script-login (\S+)", dovecot).group(1)
    tap.ok(os.access(root + named, os.X_OK), "Dovecot's sample names the script", dovecot)


def step_two(text, root, postfix):
    """The installed configuration with README's lines in the group hosted, for no other account
    and no other folder than this test has."""
    sources = re.findall(r"(?m)^ +((?:domains|forwards) = .*;)$", tree.read("README.md").decode())
    tap.same(len(sources), 2, "README has two lines for the group hosted")
    text = text.replace("hosted: {\n", "hosted: {\n" + "\n".join(sources) + "\n")
    text = text.replace("milter: {\n", 'milter: {\nsocket = "unix:%s/m"; group = "";\n' % root)
    text += '\nuser = "";\nstate_dir = "%s/state";\n' % root
    return text.replace("/etc/postfix", postfix)


def main():
    tap.need("make", "postconf", "postmap")
    root = proc.scratch("install")
    install(root)
    pages = tree.read("README.md").decode() + tree.read("doc/tollgated.8").decode()
    named = set(OURS.findall(pages))
    tap.ok(len(named) >= 3, "paths are named", named)
    tap.none([p for p in sorted(named)
              if not os.path.exists(root + re.sub("^/usr(?=/)", prefix(), p))],
             "each of them is installed")
    check_samples(root)

    postfix = os.path.join(root, "postfix")
    os.mkdir(postfix)
    proc.write_text(os.path.join(postfix, "main.cf"),
                    "compatibility_level = 3.6\nmydestination = example.com\nalias_maps =\n")
    proc.write_text(os.path.join(postfix, "master.cf"), "")
    installed = proc.read_text(root + "/etc/tollgate/tollgate.conf")
    conf = os.path.join(root, "tollgate.conf")
    proc.write_text(conf, step_two(installed, root, postfix))
    code, out, err = proc.run([os.path.join(tree.BUILD, "tollgated"), "-t", "-c", conf])
    tap.same((code, out + err), (0, ""), "tollgated -t finds no fault in it")


tap.run(main)
