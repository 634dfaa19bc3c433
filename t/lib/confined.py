"""A process confined as a systemd unit confines it, where no systemd runs: address families, system
calls, no new privileges. For preexec: unit(path) returns a function that binds the calling process.
"""

import ctypes
import errno
import os
import re
import struct

import proc

NUMBERS = "/usr/include/%s-linux-gnu/asm/unistd_64.h"
GENERIC = "/usr/include/asm-generic/unistd.h"
MACHINES = {"x86_64": (0xc000003e, NUMBERS % "x86_64"), "aarch64": (0xc00000b7, GENERIC)}
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, PR_SET_MDWE = 38, 22, 65
MODE_FILTER, REFUSE_EXEC_GAIN = 2, 1
ALLOW, ERRNO = 0x7fff0000, 0x00050000
LOAD, JUMP_EQUAL, RETURN = 0x20, 0x15, 0x06
AT_NUMBER, AT_ARCH, AT_FIRST_ARGUMENT = 0, 4, 16
FAMILIES = {"AF_UNIX": 1, "AF_INET": 2, "AF_INET6": 10, "AF_NETLINK": 16, "AF_PACKET": 17}


def values(text, name):
    """All values of a setting of the unit, in their order."""
    return re.findall(r"(?m)^%s=(.*)$" % name, text)


def call_numbers(header):
    found = re.findall(r"#define __NR(?:3264)?_(\w+)\s+(\d+)\b", proc.read_text(header))
    return {name: int(number) for name, number in found}


def calls_of_set(name):
    """The system calls of `@set`, through the sets that it contains; of a name, itself."""
    if name[0] != "@":
        return {name}
    code, out, err = proc.run(["systemd-analyze", "--no-pager", "syscall-filter", name])
    if code != 0:
        raise RuntimeError("systemd-analyze: " + err)
    members = [line.strip() for line in out.split("\n")[1:]]
    return set().union(*[calls_of_set(m) for m in members if m and m[0] != "#"])


def calls_allowed(text):
    allowed = set()
    for value in values(text, "SystemCallFilter"):
        calls = set().union(*[calls_of_set(name) for name in value.lstrip("~").split()])
        allowed = allowed - calls if value[0] == "~" else allowed | calls
    return allowed


def step(code, k, on_true=0, on_false=0):
    return struct.pack("<HBBI", code, on_true, on_false, k)


def allow_if_equal(number):
    return step(JUMP_EQUAL, number, 0, 1) + step(RETURN, ALLOW)


def program(text, arch, numbers):
    """socket(2) by its family, all else by its name; what is not allowed fails as under systemd."""
    families = [FAMILIES[f] for f in values(text, "RestrictAddressFamilies")[0].split()]
    calls = sorted(numbers[c] for c in calls_allowed(text) - {"socket"} if c in numbers)
    by_family = (step(LOAD, AT_FIRST_ARGUMENT) + b"".join(map(allow_if_equal, families)) +
                 step(RETURN, ERRNO | errno.EAFNOSUPPORT))
    return (step(LOAD, AT_ARCH) + step(JUMP_EQUAL, arch, 1, 0) +
            step(RETURN, ERRNO | errno.EPERM) + step(LOAD, AT_NUMBER) +
            step(JUMP_EQUAL, numbers["socket"], 0, len(by_family) // 8) + by_family +
            b"".join(map(allow_if_equal, calls)) + step(RETURN, ERRNO | errno.EPERM))


def unit(path):
    """A preexec function for that unit file."""
    arch, header = MACHINES[os.uname().machine]
    steps = program(proc.read_text(path), arch, call_numbers(header))
    room = ctypes.create_string_buffer(steps)
    libc = ctypes.CDLL(None, use_errno=True)

    def confine():
        head = ctypes.create_string_buffer(
            struct.pack("<HxxxxxxQ", len(steps) // 8, ctypes.addressof(room)))
        libc.prctl(PR_SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0)  # since Linux 6.3
        if (libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 or
                libc.prctl(PR_SET_SECCOMP, MODE_FILTER, head) != 0):
            raise OSError(ctypes.get_errno(), "seccomp")

    return confine
