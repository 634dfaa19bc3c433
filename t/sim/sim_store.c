#include "t/sim/sim_store.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"

#define PIPE_MAX 2400
#define LATE_MAX 8

/* A command with its words in one block. */
struct command {
    const struct script *script; /* NULL: an ordinary one */
    size_t keys, argc;
    struct slice *argv;
};

struct pipeline {
    struct command commands[PIPE_MAX];
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
    lua_State *lua;
    struct random_source *random;
    uint32_t faults;
    uint64_t connections, servers;
    int saved; /* in Lua's registry; LUA_NOREF: none */
    struct pipeline *late[LATE_MAX];
    size_t late_count;
} sim;

/* --- Redis in memory ------------------------------------------------------------------------- */

static int now_s(lua_State *lua)
{
    lua_pushnumber(lua, (lua_Number)(clock_unix_ms() / 1000));
    return 1;
}

void sim_store_begin(const char *lua_path, struct random_source *random)
{
    sim.lua = luaL_newstate();
    sim.random = random;
    sim.saved = LUA_NOREF;
    luaL_openlibs(sim.lua);
    lua_register(sim.lua, "now_s", now_s);
    if (luaL_dofile(sim.lua, lua_path) != 0) {
        (void)fprintf(stderr, "%s\n", lua_tostring(sim.lua, -1));
        exit(EX_NOINPUT);
    }
}

static redisReply *reply_of(int type)
{
    redisReply *reply = calloc(1, sizeof *reply);

    if (reply == NULL)
        abort();
    reply->type = type;
    return reply;
}

static redisReply *text_reply(int type, const char *text, size_t len)
{
    redisReply *reply = reply_of(type);

    reply->str = malloc(len + 1);
    if (reply->str == NULL)
        abort();
    memcpy(reply->str, text, len);
    reply->str[len] = '\0';
    reply->len = len;
    return reply;
}

static redisReply *take_reply(void);

static redisReply *take_array(void)
{
    redisReply *reply = reply_of(REDIS_REPLY_ARRAY);

    reply->elements = lua_objlen(sim.lua, -1);
    reply->element = calloc(reply->elements + 1, sizeof *reply->element);
    if (reply->element == NULL)
        abort();
    for (size_t i = 0; i < reply->elements; i++) {
        lua_rawgeti(sim.lua, -1, (int)i + 1);
        reply->element[i] = take_reply();
    }
    return reply;
}

/* {err = text}, {ok = text}, or an array. */
static redisReply *take_table(void)
{
    static const struct {
        const char *field;
        int type;
    } marked[] = {{"err", REDIS_REPLY_ERROR}, {"ok", REDIS_REPLY_STATUS}};

    for (size_t i = 0; i < sizeof marked / sizeof marked[0]; i++) {
        redisReply *reply = NULL;
        size_t len;
        const char *text;

        lua_getfield(sim.lua, -1, marked[i].field);
        text = lua_tolstring(sim.lua, -1, &len);
        if (text != NULL)
            reply = text_reply(marked[i].type, text, len);
        lua_pop(sim.lua, 1);
        if (reply != NULL)
            return reply;
    }
    return take_array();
}

/* What is on Lua's stack, as Redis answers it; taken off. */
static redisReply *take_reply(void)
{
    redisReply *reply;
    size_t len;

    switch (lua_type(sim.lua, -1)) {
    case LUA_TNUMBER:
        reply = reply_of(REDIS_REPLY_INTEGER);
        reply->integer = (long long)lua_tonumber(sim.lua, -1);
        break;
    case LUA_TSTRING: {
        const char *text = lua_tolstring(sim.lua, -1, &len);

        reply = text_reply(REDIS_REPLY_STRING, text, len);
        break;
    }
    case LUA_TTABLE:
        reply = take_table();
        break;
    default:
        reply = reply_of(REDIS_REPLY_NIL);
    }
    lua_pop(sim.lua, 1);
    return reply;
}

static void push_words(const struct command *c)
{
    lua_createtable(sim.lua, (int)c->argc, 0);
    for (size_t i = 0; i < c->argc; i++) {
        lua_pushlstring(sim.lua, c->argv[i].ptr != NULL ? c->argv[i].ptr : "", c->argv[i].len);
        lua_rawseti(sim.lua, -2, (int)i + 1);
    }
}

static redisReply *execute(const struct command *c)
{
    int arguments = 1;

    if (c->script != NULL) {
        lua_getglobal(sim.lua, "eval");
        lua_pushstring(sim.lua, c->script->source);
        lua_pushinteger(sim.lua, (lua_Integer)c->keys);
        arguments = 3;
    } else {
        lua_getglobal(sim.lua, "run");
    }
    push_words(c);
    if (lua_pcall(sim.lua, arguments, 1, 0) != 0) {
        (void)fprintf(stderr, "redis.lua: %s\n", lua_tostring(sim.lua, -1));
        abort();
    }
    return take_reply();
}

/* --- pipelines ------------------------------------------------------------------------------- */

static void command_set(struct command *c, size_t argc, const struct slice *argv)
{
    size_t bytes = argc * sizeof *argv;
    char *text;

    for (size_t i = 0; i < argc; i++)
        bytes += argv[i].len;
    *c = (struct command){.argc = argc, .argv = malloc(bytes + 1)};
    if (c->argv == NULL)
        abort();
    text = (char *)(c->argv + argc);
    for (size_t i = 0; i < argc; i++) {
        if (argv[i].len > 0)
            memcpy(text, argv[i].ptr, argv[i].len);
        c->argv[i] = (struct slice){text, argv[i].len};
        text += argv[i].len;
    }
}

static void pipeline_clear(struct pipeline *p)
{
    for (size_t i = 0; i < p->count; i++)
        free(p->commands[i].argv);
    p->count = 0;
}

static void pipeline_run(const struct pipeline *p, redisReply **replies)
{
    for (size_t i = 0; i < p->count; i++)
        replies[i] = execute(&p->commands[i]);
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
        freeReplyObject(execute(&p->commands[i]));
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

void sim_store_forget(void)
{
    luaL_unref(sim.lua, LUA_REGISTRYINDEX, sim.saved);
    sim.saved = LUA_NOREF;
}

void sim_store_save(void)
{
    sim_store_forget();
    lua_getglobal(sim.lua, "save");
    if (lua_pcall(sim.lua, 0, 1, 0) != 0)
        abort();
    sim.saved = luaL_ref(sim.lua, LUA_REGISTRYINDEX);
}

void sim_store_restore(void)
{
    if (sim.saved == LUA_NOREF)
        return;
    lua_getglobal(sim.lua, "restore");
    lua_rawgeti(sim.lua, LUA_REGISTRYINDEX, sim.saved);
    if (lua_pcall(sim.lua, 1, 0, 0) != 0)
        abort();
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
    sim_store_forget();
    sim_store_flush();
}

void sim_store_end(void)
{
    sim_store_reset();
    lua_close(sim.lua);
}

redisReply *sim_store_ask(size_t argc, const struct slice *argv)
{
    struct command c;
    redisReply *reply;

    command_set(&c, argc, argv);
    reply = execute(&c);
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
    command_set(&st->pipe.commands[st->pipe.count++], argc, argv);
}

void store_pipe_add_script(struct store *st, const struct script *script, size_t keys, size_t argc,
                           const struct slice *argv)
{
    store_pipe_add(st, argc, argv);
    st->pipe.commands[st->pipe.count - 1].script = script;
    st->pipe.commands[st->pipe.count - 1].keys = keys;
}

size_t store_pipe_count(const struct store *st)
{
    return st->pipe.count;
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
