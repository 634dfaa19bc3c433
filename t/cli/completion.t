#!/usr/bin/env python3
"""Completion in the shells themselves: bash, zsh and fish with the files that are installed."""

import os
import pty
import signal
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap

FILES = {"bash": "contrib/completion/tollgate", "zsh": "contrib/completion/_tollgate",
         "fish": "contrib/completion/tollgate.fish"}
BASH = """
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
_tollgate
printf '%s\\n' "${COMPREPLY[@]}"
"""
# zsh completes at a terminal alone; what it adds as a match goes into a file, too.
ZSHRC = """
PS1=; fpath=("$SCRIPTS" $fpath); autoload -U compinit; compinit -u -D
compadd() {
    local -a found
    if [[ ${@[1,(i)(-|--)]} != *-(O|A|D)\\ * ]]; then
        builtin compadd -A found "$@"
        print -rl -- $found >>"$CAUGHT"
    fi
    builtin compadd "$@"
}
caught() { _main_complete; print -r -- @END >>"$CAUGHT" }
zle -C caught complete-word caught; bindkey '^X' caught
"""
# What is typed, what has to be among the matches, and what must not be.
TYPED = (("", {"report", "limit", "usage", "help"}, {"completion", "--users"}),
         ("re", {"report", "release"}, {"limit"}),
         ("limit ", {"set", "unset", "show", "try"}, {"report"}),
         ("limit show ", {"example.com", "example.org"}, {"wild.example"}),
         ("limit try example.com --", {"--users", "--from", "--format"}, {"--sort"}),
         ("period ", {"list", "show", "close", "verify", "carry", "export"}, {"report"}),
         ("period export last --to ", {"csv", "json", "cloudevents"}, {"list"}),
         ("adjust ", {"add", "list", "revoke"}, {"report"}),
         ("adjust list ", {"example.com", "example.org"}, {"add"}),
         ("usage ex", {"example.com", "example.org"}, {"try"}),
         ("report smtp", {"smtp", "smtp-in-usage", "smtp-out-errors"}, {"imap-usage"}),
         ("report smtp --by ", {"node", "domain", "user"}, {"--by", "example.com"}),
         ("report smtp --domain ", {"example.com", "example.org"}, {"node"}),
         ("messages --class lo", {"local_sent", "local_received"}, {"in"}),
         ("help he", {"held"}, {"limit"}))


def tools(folder):
    """A tollgate that the shells find, with a configuration of its own."""
    proc.write_text(os.path.join(folder, "domains"),
                    "# ours\nexample.com\nexample.org owner.example\n.wild.example\n")
    proc.write_text(os.path.join(folder, "tollgate.conf"), 'node = "mx1"; state_dir = "%s";\n'
                    'hosted: { domains = ["file:%s/domains", "redis:domains"]; };\n' %
                    (folder, folder))
    path = os.path.join(folder, "bin")
    os.mkdir(path)
    proc.write_text(os.path.join(path, "tollgate"), '#!/bin/sh\nexec "%s/tollgate" -c "%s" "$@"\n' %
                    (proc.BUILD, os.path.join(folder, "tollgate.conf")))
    os.chmod(os.path.join(path, "tollgate"), 0o755)
    return {"PATH": path + ":" + os.environ["PATH"], "HOME": folder, "TERM": "dumb",
            "XDG_CONFIG_HOME": folder, "XDG_DATA_HOME": folder, "LC_ALL": "C.UTF-8"}


def complete(shell, typed, env, file):
    words = ("tollgate " + typed).split(" ")
    if shell == "bash":
        argv = ["bash", "--norc", "-c", BASH, "bash", file] + words
    elif shell == "fish":
        argv = ["fish", "-c", "source $argv[1]; complete -C $argv[2]", file, "tollgate " + typed]
    else:
        return complete_zsh(typed, env, file)
    code, out, err = proc.run(argv, env=env)
    return code, {line.split("\t")[0] for line in out.splitlines() if line}, err


def complete_zsh(typed, env, file):
    caught = os.path.join(env["HOME"], "caught")
    proc.write_text(caught, "")
    proc.write_text(os.path.join(env["HOME"], ".zshrc"), ZSHRC)
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvpe("zsh", ["zsh", "-i"], dict(os.environ, **env, ZDOTDIR=env["HOME"],
                                              SCRIPTS=os.path.dirname(file), CAUGHT=caught))
    os.write(terminal, ("tollgate " + typed + "\x18").encode())
    try:
        proc.wait_for("matches", lambda: "@END" in proc.read_text(caught))
    except TimeoutError:
        pass
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(terminal)
    lines = proc.read_text(caught).split("\n")
    return 0, {line.strip() for line in lines} - {"", "@END"}, "" if "@END" in lines else "no end"


def scripts(shell):
    code, out, err = proc.run([os.path.join(proc.BUILD, "tollgate"), "completion", shell])
    file = os.path.join(proc.BUILD, FILES[shell])
    tap.ok(code == 0 and out == proc.read_text(file), shell + ": as it is installed", err)
    return os.path.abspath(file)


def main():
    for shell in ("bash", "zsh", "fish"):
        tap.need(shell)
    env = tools(proc.scratch("completion"))
    for shell in ("bash", "zsh", "fish"):
        file = scripts(shell)
        for typed, there, absent in TYPED:
            code, found, err = complete(shell, typed, env, file)
            tap.ok(there <= found and not absent & found, "%s: tollgate %s" % (shell, typed),
                   code, sorted(found)[:20], err[:500])
    code, out, err = proc.run([os.path.join(proc.BUILD, "tollgate"), "completion", "tcsh"])
    tap.ok(code == 64 and "unknown shell" in err and not out, "no other shell", code, err)


tap.run(main)
