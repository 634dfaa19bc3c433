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
WORLD = r"""<?php
namespace Illuminate\Database\Capsule;
class Manager {
    public static $told = [];
    private $where = [];
    public static function table($name) { $t = new self; $t->where[] = $name; return $t; }
    public function where($field, $value) { $this->where[] = [$field, $value]; return $this; }
    public function update($values) { unset($values['lastupdate']);
        self::$told[] = [$this->where, $values]; return 1; }
}
require $argv[1];
try {
    for ($i = 0; $i < 2; $i++)
        \tollgate_UsageUpdate(['serverid' => 3, 'serveraccesshash' => $argv[2] . "\n"]);
} catch (\RuntimeException $e) { echo json_encode(['said' => $e->getMessage()]); exit(1); }
echo json_encode(Manager::$told);
"""


def update(folder, path):
    world = os.path.join(folder, "world.php")
    proc.write_text(world, WORLD)
    code, out, err = proc.run(["php", "-d", "error_reporting=-1", world,
                               os.path.join(tree.SOURCE, "contrib/whmcs/tollgate.php"), path])
    tap.same(err, "", "PHP has nothing to say")
    return code, json.loads(out)


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
    code, told = update(folder, path)
    want = [[["tblhosting", ["server", 3], ["domain", d]], {"bwusage": n}]
            for d, n in (("a.example", 0), ("example.com", 2))]
    tap.same((code, told), (0, want + want), "each service has its traffic, as often as it is told")
    for name, text in (("empty", ""), ("other", '{"items": []}'),
                       ("item", '{"hash": "x", "items": [{"account": "a.example"}]}')):
        proc.write_text(path, text)
        code, told = update(folder, path)
        tap.ok(code == 1 and "no export" in told["said"], name + ": nothing is changed", told)
    code, told = update(folder, path + ".none")
    tap.ok(code == 1 and "cannot read" in told["said"], "no file", told)
    server.stop()


tap.run(main)
