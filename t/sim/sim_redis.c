#include "t/sim/sim_redis.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"

#define SCRIPTS_MAX 16
#define GARBAGE_KB  32768

struct compiled {
    const char *source;
    int ref; /* in Lua's registry */
};

static struct {
    lua_State *lua;
    int saved; /* in Lua's registry; LUA_NOREF: none */
    int state; /* as it was last asked for, the same */
    struct compiled scripts[SCRIPTS_MAX];
    size_t script_count;
} redis;

static int now_s(lua_State *lua)
{
    lua_pushnumber(lua, (lua_Number)(clock_unix_ms() / 1000));
    return 1;
}

void sim_redis_begin(const char *lua_path)
{
    redis.lua = luaL_newstate();
    redis.saved = redis.state = LUA_NOREF;
    luaL_openlibs(redis.lua);
    lua_register(redis.lua, "now_s", now_s);
    if (luaL_dofile(redis.lua, lua_path) != 0) {
        (void)fprintf(stderr, "%s\n", lua_tostring(redis.lua, -1));
        exit(EX_NOINPUT);
    }
}

void sim_redis_end(void)
{
    lua_close(redis.lua);
}

/* --- replies -------------------------------------------------------------------------------------
 */

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

    reply->elements = lua_objlen(redis.lua, -1);
    reply->element = calloc(reply->elements + 1, sizeof *reply->element);
    if (reply->element == NULL)
        abort();
    for (size_t i = 0; i < reply->elements; i++) {
        lua_rawgeti(redis.lua, -1, (int)i + 1);
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

        lua_getfield(redis.lua, -1, marked[i].field);
        text = lua_tolstring(redis.lua, -1, &len);
        if (text != NULL)
            reply = text_reply(marked[i].type, text, len);
        lua_pop(redis.lua, 1);
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

    switch (lua_type(redis.lua, -1)) {
    case LUA_TNUMBER:
        reply = reply_of(REDIS_REPLY_INTEGER);
        reply->integer = (long long)lua_tonumber(redis.lua, -1);
        break;
    case LUA_TSTRING: {
        const char *text = lua_tolstring(redis.lua, -1, &len);

        reply = text_reply(REDIS_REPLY_STRING, text, len);
        break;
    }
    case LUA_TTABLE:
        reply = take_table();
        break;
    default:
        reply = reply_of(REDIS_REPLY_NIL);
    }
    lua_pop(redis.lua, 1);
    return reply;
}

/* --- commands ------------------------------------------------------------------------------------
 */

void sim_command_set(struct sim_command *c, size_t argc, const struct slice *argv)
{
    size_t text_len = argc;
    char *text;

    for (size_t i = 0; i < argc; i++)
        text_len += argv[i].len;
    *c = (struct sim_command){
        .argc = argc, .text_len = text_len, .argv = malloc(argc * sizeof *argv + text_len)};
    if (c->argv == NULL)
        abort();
    text = (char *)(c->argv + argc);
    for (size_t i = 0; i < argc; i++) {
        if (argv[i].len > 0)
            memcpy(text, argv[i].ptr, argv[i].len);
        c->argv[i] = (struct slice){text, argv[i].len};
        text += argv[i].len;
        *text++ = '\0';
    }
}

static void push_words(const struct sim_command *c)
{
    lua_createtable(redis.lua, (int)c->argc, 0);
    for (size_t i = 0; i < c->argc; i++) {
        lua_pushlstring(redis.lua, c->argv[i].ptr != NULL ? c->argv[i].ptr : "", c->argv[i].len);
        lua_rawseti(redis.lua, -2, (int)i + 1);
    }
}

/* Compiled once. */
static void push_script(const struct script *script)
{
    size_t i = 0;

    while (i < redis.script_count && redis.scripts[i].source != script->source)
        i++;
    if (i == SCRIPTS_MAX)
        abort();
    if (i == redis.script_count) {
        if (luaL_loadstring(redis.lua, script->source) != 0)
            abort();
        redis.scripts[redis.script_count++] =
            (struct compiled){script->source, luaL_ref(redis.lua, LUA_REGISTRYINDEX)};
    }
    lua_rawgeti(redis.lua, LUA_REGISTRYINDEX, redis.scripts[i].ref);
}

static void call(int arguments)
{
    if (lua_pcall(redis.lua, arguments, 1, 0) == 0)
        return;
    (void)fprintf(stderr, "redis.lua: %s\n", lua_tostring(redis.lua, -1));
    abort();
}

/* The words behind the key, as one text. */
static void push_asked(const struct sim_command *c)
{
    size_t key_len = c->argv[0].len + 1;

    lua_pushlstring(redis.lua, c->argv[0].ptr + key_len, c->text_len - key_len);
}

/* Whether the answer is known, and on the stack. */
static bool is_answered(const struct sim_command *c)
{
    lua_getglobal(redis.lua, "answer");
    push_script(c->script);
    lua_pushlstring(redis.lua, c->argv[0].ptr, c->argv[0].len);
    push_asked(c);
    call(3);
    if (!lua_isnil(redis.lua, -1))
        return true;
    lua_pop(redis.lua, 1);
    return false;
}

redisReply *sim_redis_run(const struct sim_command *c)
{
    if (c->script == NULL) {
        lua_getglobal(redis.lua, "run");
        push_words(c);
        call(1);
    } else if (!is_answered(c)) {
        lua_getglobal(redis.lua, "eval");
        push_script(c->script);
        push_asked(c);
        push_words(c);
        call(3);
    }
    return take_reply();
}

/* --- all it has ----------------------------------------------------------------------------------
 */

void sim_redis_forget(void)
{
    luaL_unref(redis.lua, LUA_REGISTRYINDEX, redis.saved);
    redis.saved = LUA_NOREF;
}

void sim_redis_save(void)
{
    sim_redis_forget();
    lua_getglobal(redis.lua, "save");
    call(0);
    redis.saved = luaL_ref(redis.lua, LUA_REGISTRYINDEX);
}

void sim_redis_restore(void)
{
    if (redis.saved == LUA_NOREF)
        return;
    lua_getglobal(redis.lua, "restore");
    lua_rawgeti(redis.lua, LUA_REGISTRYINDEX, redis.saved);
    call(1);
    lua_pop(redis.lua, 1);
}

bool sim_redis_is_quiet(void)
{
    bool is_same;

    lua_getglobal(redis.lua, "state");
    call(0);
    lua_rawgeti(redis.lua, LUA_REGISTRYINDEX, redis.state);
    is_same = lua_rawequal(redis.lua, -1, -2) != 0;
    lua_pop(redis.lua, 1);
    luaL_unref(redis.lua, LUA_REGISTRYINDEX, redis.state);
    redis.state = luaL_ref(redis.lua, LUA_REGISTRYINDEX);
    return is_same;
}

void sim_redis_clean(void)
{
    if (lua_gc(redis.lua, LUA_GCCOUNT, 0) > GARBAGE_KB)
        (void)lua_gc(redis.lua, LUA_GCCOLLECT, 0);
    (void)lua_gc(redis.lua, LUA_GCSTOP, 0);
}
