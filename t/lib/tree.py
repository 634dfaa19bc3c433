"""The source tree and its files, for the checks of style."""

import os
import subprocess

SOURCE = os.environ.get("TG_SOURCE", os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__)))))
BUILD = os.environ.get("TG_BUILD", SOURCE)

FOLDERS = (".ci", "cli", "collect", "contrib", "doc", "etc", "lib", "milter", "relay", "t", "web")
TOP_FILES = ("COPYING", "HACKING", "Makefile.am", "NEWS", "README.md", "configure.ac", ".gitignore")
GENERATED = (".o", ".a", ".Po", ".lua.c", ".css.c", ".js.c", ".svg.c", ".pyc", ".log", ".trs")


def files():
    """Paths of all text files of the project, relative to SOURCE, sorted."""
    found = [name for name in TOP_FILES if os.path.exists(os.path.join(SOURCE, name))]
    for folder in FOLDERS:
        for at, folders, names in os.walk(os.path.join(SOURCE, folder)):
            folders[:] = [f for f in folders if f not in (".deps", "__pycache__")]
            for name in names:
                path = os.path.relpath(os.path.join(at, name), SOURCE)
                if not name.endswith(GENERATED) and is_text(path):
                    found.append(path)
    return sorted(found)


def read(path):
    with open(os.path.join(SOURCE, path), "rb") as f:
        return f.read()


def lines(path):
    """Pairs of line number and text."""
    return list(enumerate(read(path).decode("utf-8", "replace").split("\n"), 1))


def is_text(path):
    try:
        return b"\0" not in read(path)[:4096]
    except OSError:
        return False


def is_code(path):
    return path.endswith((".c", ".h"))


def interpreter(path):
    """The last word of the first line's `#!`, or ''."""
    first = read(path)[:200].split(b"\n")[0].decode("utf-8", "replace")
    return os.path.basename(first.split()[-1]) if first.startswith("#!") else ""


def is_shell(path):
    return path.endswith(".sh") or interpreter(path) in ("bash", "sh")


def is_python(path):
    return path.endswith(".py") or interpreter(path) == "python3"


def output(*command):
    """Exit code and text (both streams) of a command run in SOURCE."""
    p = subprocess.run(command, cwd=SOURCE, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                       stderr=subprocess.STDOUT, check=False)
    return p.returncode, p.stdout.decode("utf-8", "replace")
