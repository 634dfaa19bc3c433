#include "t/sim/sim_store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "t/sim/sim_redis.h"

#define PIPE_MAX 2400
#define LATE_MAX 8

struct pipeline {
    struct sim_command commands[PIPE_MAX];
    size_t count;
};

struct store {
    struct pipeline pipe;
    const struct sim_disk *disk; /* NULL: none */
    bool is_connected;
    uint64_t generation, server;
    char run_id[32];
};

static struct {
    struct random_source *random;
    uint32_t faults;
    uint64_t connections, servers;
    struct pipeline *late[LATE_MAX];
    size_t late_count;
} sim;

void sim_store_begin(const char *lua_path, struct random_source *random)
{
    sim.random = random;
    sim_redis_begin(lua_path);
}

/* --- pipelines ------------------------------------------------------------------------------- */

static void pipeline_clear(struct pipeline *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->commands[i].argv);
    p->count = 0;
}

static void pipeline_run(const struct pipeline *p, redisReply **replies)
{
    for (size_t i = 0; i < p->count; i++)
        replies[i] = sim_redis_run(&p->commands[i]);
}

static void replies_drop(redisReply **replies, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        freeReplyObject(replies[i]);
        replies[i] = NULL;
    }
}

/* Without anybody who waits for the answers. */
static void pipeline_run_late(const struct pipeline *p)
{
    for (size_t i = 0; i < p->count; i++)
        freeReplyObject(sim_redis_run(&p->commands[i]));
}

/* Moves the commands away; they arrive later. */
static void keep_late(struct pipeline *p)
{
    struct pipeline *late = malloc(sizeof *late);

    if (late == NULL)
        abort();
    if (sim.late_count == LATE_MAX)
        sim_store_deliver();
    *late = *p;
    p->count = 0;
    sim.late[sim.late_count++] = late;
}

void sim_store_deliver(void)
{
    for (size_t i = 0; i < sim.late_count; i++) {
        pipeline_run_late(sim.late[i]);
        pipeline_clear(sim.late[i]);
        free(sim.late[i]);
    }
    sim.late_count = 0;
}

/* --- what happens to the server -------------------------------------------------------------- */

void sim_store_faults(uint32_t percent)
{
    sim.faults = percent;
}

void sim_store_flush(void)
{
    freeReplyObject(sim_store_ask(1, (struct slice[]){SLICE("FLUSHALL")}));
}

void sim_store_promote(void)
{
    sim.servers++;
}

void sim_store_reset(void)
{
    for (size_t i = 0; i < sim.late_count; i++) {
        pipeline_clear(sim.late[i]);
        free(sim.late[i]);
    }
    sim.late_count = 0;
    sim.faults = 0;
    sim_redis_forget();
    sim_store_flush();
    sim_redis_clean();
}

void sim_store_end(void)
{
    sim_store_reset();
    sim_redis_end();
}

redisReply *sim_store_ask(size_t argc, const struct slice *argv)
{
    struct sim_command c;
    redisReply *reply;

    sim_command_set(&c, argc, argv);
    reply = sim_redis_run(&c);
    free(c.argv);
    return reply;
}

/* --- lib/redis/store.h ----------------------------------------------------------------------- */

struct store *store_new(const struct settings *s, struct err *err)
{
    struct store *st = calloc(1, sizeof *st);

    (void)s;
    (void)err;
    if (st == NULL)
        abort();
    return st;
}

struct store *store_new_beside(const struct store *peer, const struct settings *s, struct err *err)
{
    (void)peer;
    return store_new(s, err);
}

void store_free(struct store *st)
{
    if (st != NULL)
        pipeline_clear(&st->pipe);
    free(st);
}

void sim_store_tie(struct store *st, const struct sim_disk *disk)
{
    st->disk = disk;
}

static int away(struct store *st, struct err *err)
{
    st->is_connected = false;
    return err_set(err, EX_UNAVAILABLE, "the simulated redis is away");
}

/* Lost on the way there, on the way back, or late. */
static int trip_fails(struct store *st, redisReply **replies, struct err *err)
{
    switch (random_below(sim.random, 3)) {
    case 0:
        break;
    case 1:
        pipeline_run(&st->pipe, replies);
        replies_drop(replies, st->pipe.count);
        break;
    default:
        keep_late(&st->pipe);
    }
    return away(st, err);
}

int store_pipe_run(struct store *st, redisReply **replies, int64_t timeout_ms, struct err *err)
{
    struct err unseen;
    int rc = 0;

    (void)timeout_ms;
    err = err != NULL ? err : &unseen;
    if (sim.late_count > 0 && random_below(sim.random, 3) == 0)
        sim_store_deliver();
    if (!st->is_connected || st->server != sim.servers) {
        st->is_connected = true;
        st->generation = ++sim.connections;
        st->server = sim.servers;
        (void)snprintf(st->run_id, sizeof st->run_id, "sim%llu", (unsigned long long)sim.servers);
    }
    if (st->disk != NULL && sim_disk_is_dead(st->disk))
        rc = away(st, err);
    else if (sim.faults > 0 && random_below(sim.random, 100) < sim.faults)
        rc = trip_fails(st, replies, err);
    else
        pipeline_run(&st->pipe, replies);
    pipeline_clear(&st->pipe);
    return rc;
}

void store_pipe_add(struct store *st, size_t argc, const struct slice *argv)
{
    if (st->pipe.count == PIPE_MAX)
        abort();
    sim_command_set(&st->pipe.commands[st->pipe.count++], argc, argv);
}

void store_pipe_add_script(struct store *st, const struct script *script, size_t keys, size_t argc,
                           const struct slice *argv)
{
    store_pipe_add(st, argc, argv);
    st->pipe.commands[st->pipe.count - 1].script = script;
    if (keys != 1)
        abort(); /* redis.lua */
}

size_t store_pipe_count(const struct store *st)
{
    return st->pipe.count;
}

void store_pipe_trust_scripts(struct store *st)
{
    (void)st;
}

bool store_is_noscript(const redisReply *reply)
{
    (void)reply;
    return false;
}

void store_pipe_reset(struct store *st)
{
    pipeline_clear(&st->pipe);
}

redisReply *store_command(struct store *st, size_t argc, const struct slice *argv,
                          int64_t timeout_ms, struct err *err)
{
    redisReply *reply;

    store_pipe_add(st, argc, argv);
    return store_pipe_run(st, &reply, timeout_ms, err) == 0 ? reply : NULL;
}

redisReply *store_script(struct store *st, const struct script *script, size_t keys, size_t argc,
                         const struct slice *argv, int64_t timeout_ms, struct err *err)
{
    redisReply *reply;

    store_pipe_add_script(st, script, keys, argc, argv);
    return store_pipe_run(st, &reply, timeout_ms, err) == 0 ? reply : NULL;
}

uint64_t store_generation(const struct store *st)
{
    return st->generation;
}

const char *store_run_id(const struct store *st)
{
    return st->run_id;
}

bool store_is_worth_trying(const struct store *st)
{
    (void)st;
    return true;
}

bool store_is_partly_there(const struct store *st)
{
    (void)st;
    return false;
}

const char *store_where(const struct store *st)
{
    (void)st;
    return "memory";
}
