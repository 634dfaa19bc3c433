#!/usr/bin/env python3
"""The sample configuration and the manual say of settings what their table says."""

import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap
import tree

BUILD = os.environ["TG_BUILD"]
SOURCE = os.environ["TG_SOURCE"]
DOC = os.path.join(BUILD, "t/sys/settings_doc")
FILES = ("collect.db", "collect.id", "ledger.db", "ledger.id", "milter.sock", "networks.conf")
SETTING = re.compile(r"^( *)#([a-z0-9_]+ = )", re.M)


def doc(*arguments):
    return subprocess.run([DOC, *arguments], check=True, stdout=subprocess.PIPE, text=True).stdout


def read(path):
    with open(os.path.join(SOURCE, path)) as source:
        return source.read()


def loaded(text):
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as conf:
        conf.write(text)
        conf.flush()
        return doc("loaded", conf.name)


def faults_in(text):
    try:
        return [] if loaded(text) else ["nothing is loaded"]
    except subprocess.CalledProcessError as e:
        return [str(e)]


def bare(text):
    """The sample with every setting in force; a long value goes on in lines that begin with #."""
    text = SETTING.sub(r"\1\2", text)
    return re.sub(r"^#(?=[^ #\n]|  )", "", text, flags=re.M)


def unknown(page, names):
    """Names of settings that the page has and the table has not."""
    groups = {name.split(".")[0] for name in names if "." in name}
    known = set(names) | {name.rpartition(".")[0] for name in names} | set(FILES)
    named = re.findall(r"(?<![\w/.@-])((?:%s)\.[a-z_.]*[a-z_])(?![\w-])" % "|".join(groups),
                       read(page))
    return ["%s: no such setting: %s" % (page, name) for name in sorted(set(named) - known)]


def configurations(page, groups):
    """The displays of a page that begin with a group or a setting of the top."""
    for shown in re.findall(r"(?ms)^\.Bd -literal[^\n]*\n(.*?)^\.Ed$", read(page)):
        if re.match(r"(#[^\n]*\n)*(%s) *[:=]" % "|".join(groups), shown):
            yield shown.replace('@include "networks.conf"\n', "")


def check_examples(pages, names):
    groups = {name.split(".")[0] for name in names}
    found = [(page, text) for page in pages for text in configurations(page, groups)]
    tap.ok(len(found) >= 8, "examples of configuration are found", len(found))
    for page, text in found:
        tap.none(faults_in(text), "%s: %s" % (page, text.split("\n")[0]))


def main():
    sample, manual = read("etc/tollgate.conf"), read("doc/tollgate.conf.5")
    listed = re.search(r'\.\\" settings: begin\n(.*)\.\\" settings: end\n', manual, re.S).group(1)
    names = re.findall(r"^\.It Ic ([a-z0-9_.]+)", listed, re.M)

    pages = [p for p in tree.files() if re.match(r"doc/.*\.[1-9]$|README\.md$|NEWS$", p)]
    tap.none([f for p in pages for f in unknown(p, names)], "settings that the pages name exist")
    tap.ok(unknown("doc/tollgated.8", [n for n in names if n != "throttle.notify"]),
           "one that does not would be found")

    check_examples([p for p in pages if p.startswith("doc/")], names)

    tap.same(sample, doc("sample"), "etc/tollgate.conf is what settings_doc sample prints")
    tap.same(listed, doc("manual"), "doc/tollgate.conf.5 lists what settings_doc manual prints")
    tap.same(len(SETTING.findall(sample)), len(names), "the sample has as many settings")
    tap.same(loaded(bare(sample)), loaded(""), "the sample's values are the defaults")
    tap.same(loaded(sample), loaded(""), "the sample as it is changes nothing")
    tap.ok(loaded(bare(sample).replace('"250ms"', '"251ms"')) != loaded(""),
           "a value of the sample that differs would be seen")
    tap.ok(faults_in("node = 1;\n"), "an example that is no configuration would be found")


tap.run(main)
