"""Sleeps of a program that end when the test says so, and last exactly as long as it wanted by its
own monotonic clock (t/lib/pace_shim.c)."""

import os
import select

import proc
from tollgate import preload


class Pace:
    def __init__(self, folder):
        path = os.path.join(folder, "pace")
        self.env = dict(preload(folder, "pace_shim"), TG_PACE=path)
        self.asleep, self.awake = (self._pipe(path + end) for end in (".asleep", ".awake"))

    @staticmethod
    def _pipe(path):
        if not os.path.exists(path):
            os.mkfifo(path)
        return os.open(path, os.O_RDWR)  # no end waits for the other

    def wait_asleep(self):
        if not select.select([self.asleep], [], [], 20 * proc.PATIENCE)[0]:
            raise TimeoutError("the program does not sleep")
        os.read(self.asleep, 1)

    def wake(self):
        os.write(self.awake, b"\n")
