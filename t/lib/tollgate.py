"""The command `tollgate` with a configuration of its own and, if wanted, a clock that stands."""

import os

import proc
import tap


def golden(name, got):
    """The same as the file of that name in t/data/cli; TG_GOLDEN=write writes it anew."""
    path = os.path.join(proc.SOURCE, "t", "data", "cli", name)
    if os.environ.get("TG_GOLDEN") == "write":
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(got)
    with open(path, encoding="utf-8", newline="") as f:
        tap.same(got, f.read(), "as in t/data/cli/" + name)


def preload(folder, name):
    """Environment of a program with the library t/lib/NAME.c preloaded."""
    shim = os.path.join(folder, name + ".so")
    source = os.path.join(proc.SOURCE, "t/lib/%s.c" % name)
    compiler = os.environ.get("TG_CC", "cc")
    if not os.path.exists(shim):
        code, _, err = proc.run([compiler, "-shared", "-fPIC", "-o", shim, source, "-ldl"])
        if code != 0:
            raise RuntimeError(err)
    # The sanitizers want to come first in the list of libraries, but do not need to.
    sanitizers = "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")
    return {"LD_PRELOAD": shim, "ASAN_OPTIONS": sanitizers}


def stopped_clock(folder, now):
    """Environment of a program (or of Redis) for which the wall clock stands at that time."""
    return dict(preload(folder, "clock_shim"), TG_NOW=str(int(now.timestamp())))


class Tollgate:
    """Calls give exit code, stdout, stderr."""

    def __init__(self, folder, store_url, zone="UTC", now=None, more="", domains=""):
        self.conf = os.path.join(folder, "tollgate.conf")
        self.env = {"LC_ALL": "C.UTF-8", "COLUMNS": "", "TZ": ""}
        proc.write_text(os.path.join(folder, "domains"), domains)
        proc.write_text(self.conf, 'node = "mx1"; timezone = "%s"; state_dir = "%s/state";\n'
                        'store: { url = "%s"; };\nhosted: { domains = ["file:%s/domains"]; };\n%s\n'
                        % (zone, folder, store_url, folder, more))
        if now is not None:
            self.env.update(stopped_clock(folder, now))

    def __call__(self, *args, env=None, timeout_s=120):
        argv = [os.path.join(proc.BUILD, "tollgate")]
        if "-c" not in args:
            argv += ["-c", self.conf]
        return proc.run(argv + list(args), env=dict(self.env, **(env or {})), timeout_s=timeout_s)

    def good(self, *args, env=None):
        """stdout of a call that must succeed."""
        code, out, err = self(*args, env=env)
        if code != 0:
            tap.ok(False, "tollgate " + " ".join(args), code, err)
        return out
