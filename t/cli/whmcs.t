#!/usr/bin/env python3
"""The module of contrib/whmcs, in PHP with a database that notes what it is told."""

import datetime
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import proc
import tap
import tree
from counted import Counted
from redis_server import RedisServer
from tollgate import Tollgate

UTC = datetime.timezone.utc
# Services as WHMCS has them, kept in a file; argv[4]: the update that kills PHP before it is done.
WORLD = r"""<?php
namespace Illuminate\Database\Capsule;
class Manager {
    public static $rows = [], $left = 0;
    private $where = [];
    public static function table($name) { assert($name === 'tblhosting'); return new self; }
    public function where($field, $value) { $this->where[$field] = $value; return $this; }
    private function found() { return array_filter(self::$rows, function ($row) {
        return array_intersect_assoc($this->where, $row) == $this->where; }); }
    public function get($fields) { return array_map(function ($row) { return (object) $row; },
                                                    array_values($this->found())); }
    public function update($values) { global $argv;
        unset($values['lastupdate']);
        if (--self::$left === 0) posix_kill(getmypid(), 9);
        foreach ($this->found() as $i => $row)
            self::$rows[$i] = $values + $row;
        file_put_contents($argv[3], json_encode(self::$rows)); }
}
require $argv[1];
Manager::$rows = json_decode(file_get_contents($argv[3]), true);
Manager::$left = (int) $argv[4];
try {
    \tollgate_UsageUpdate(['serverid' => 3, 'serveraccesshash' => $argv[2] . "\n"]);
} catch (\RuntimeException $e) { echo $e->getMessage(); exit(1); }
"""
SERVICES = (("a.example", 3), ("Example.COM", 3), ("idle.example", 3), ("example.com", 9))
OLD, WANT = [77] * 4, [0, 2, 0, 77]


class World:
    def __init__(self, folder):
        self.script = os.path.join(folder, "world.php")
        self.services = os.path.join(folder, "services")
        proc.write_text(self.script, WORLD)
        self.forget()

    def forget(self):
        proc.write_text(self.services, json.dumps(
            [{"id": n, "domain": d, "server": s, "bwusage": 77}
             for n, (d, s) in enumerate(SERVICES)]))

    def update(self, path, killed_at=0):
        """Exit code and what was said."""
        code, out, err = proc.run([
            "php", "-d", "error_reporting=-1", self.script,
            os.path.join(tree.SOURCE, "contrib/whmcs/tollgate.php"), path, self.services,
            str(killed_at)])
        tap.same(err, "", "PHP has nothing to say")
        return code, out

    def usage(self):
        return [row["bwusage"] for row in json.loads(proc.read_text(self.services))]


def killed(world, path):
    for step in range(1, 10):
        world.forget()
        code, _ = world.update(path, step)
        again = world.update(path)
        if code == 0 or (again, world.usage()) != ((0, ""), WANT):
            break
    tap.same((code, step, world.usage()), (0, 4, WANT), "killed at each of its updates: the same")


def cut(world, path, text):
    """A file that an export which was killed has left."""
    world.forget()
    faults = []
    for size in range(0, len(text) - 2, len(text) // 10):
        proc.write_text(path, text[:size])
        code, said = world.update(path)
        if code != 1 or "no export" not in said or world.usage() != OLD:
            faults.append((size, code, said))
    tap.none(faults, "a part of the file changes nothing")


def main():
    tap.need("redis-server", "php")
    folder = proc.scratch("whmcs")
    server = RedisServer(folder)
    counted = Counted()
    november = datetime.datetime(2025, 11, 20, tzinfo=UTC)
    counted.add(november, "example.com", {"in_bytes": 1048576, "out_bytes": 1, "in_messages": 9})
    counted.add(november, "a.example", {"out_bytes": 5})
    counted.write(server.connect(), {"mx1": int(datetime.datetime.now(UTC).timestamp())})
    tollgate = Tollgate(folder, server.url)
    tollgate.good("adjust", "add", "a.example", "out_bytes", "-9", "--period", "2025-11",
                  "--reason", "a credit")
    tollgate.good("period", "close", "2025-11")
    path = os.path.join(folder, "tollgate.json")
    proc.write_text(path, tollgate.good("period", "export", "2025-11", "--to", "whmcs"))
    world = World(folder)
    text = proc.read_text(path)
    for times in ("once", "twice"):
        tap.same((world.update(path), world.usage()), ((0, ""), WANT),
                 "each service of the server has its traffic, told " + times)
    killed(world, path)
    cut(world, path, text)
    for name, other in (("other", '{"items": []}'),
                        ("item", '{"hash": "x", "items": [{"account": "a.example"}]}')):
        proc.write_text(path, other)
        code, said = world.update(path)
        tap.ok(code == 1 and "no export" in said and world.usage() == OLD,
               name + ": nothing is changed", said)
    code, said = world.update(path + ".none")
    tap.ok(code == 1 and "cannot read" in said, "no file", said)
    server.stop()


tap.run(main)
