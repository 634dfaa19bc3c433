"""System calls that are counted and that fail, in a program started with the environment that
Faults has (t/lib/fault_shim.c)."""

import os

import proc


class Faults:
    def __init__(self, folder):
        self.folder = folder
        shim = os.path.join(folder, "fault.so")
        code, _, err = proc.run([os.environ.get("TG_CC", "cc"), "-shared", "-fPIC", "-o", shim,
                                 os.path.join(proc.SOURCE, "t/lib/fault_shim.c"), "-ldl"])
        if code != 0:
            raise RuntimeError(err)
        # The sanitizers want to come first in the list of libraries, but do not need to.
        sanitizers = "verify_asan_link_order=0:" + os.environ.get("ASAN_OPTIONS", "")
        self.env = {"LD_PRELOAD": shim, "TG_FAULTS": folder, "ASAN_OPTIONS": sanitizers}

    def fail(self, call, text=""):
        """`text`: only for paths that contain it; or the number that the call needs."""
        proc.write_text(os.path.join(self.folder, call), str(text))

    def mend(self, call):
        os.unlink(os.path.join(self.folder, call))

    def calls(self):
        """Lines "CALL PATH", in their order."""
        return proc.read_text(os.path.join(self.folder, "calls")).splitlines()
