#include "lib/redis/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include <openssl/evp.h>

#include "lib/core/store_url.h"
#include "lib/redis/link.h"
#include "lib/sys/clock.h"

#define PIPE_MAX_BYTES     ((size_t)64 << 20)
#define PIPE_KEEP_BYTES    ((size_t)1 << 20) /* a larger buffer is not kept for the next pipeline */
#define PAUSE_MIN_MS       50
#define PAUSE_MAX_MS       5000
#define PASSWORD_MAX_BYTES 4096
#define SCRIPTS_MAX        8 /* different scripts in one pipeline */
#define SHA1_HEX_SIZE      41

/* A script whose source is in the pipeline being built. */
struct known_script {
    const struct script *script;
    char sha1[SHA1_HEX_SIZE];
};

struct store {
    struct arena arena; /* of the texts below */
    struct store_url url;
    struct endpoint endpoint;
    struct slice username;
    const char *password_file;
    char where[ENDPOINT_TEXT];

    struct redis_link redis;
    uint64_t generation;
    char run_id[LINK_RUN_ID_SIZE];
    int64_t pause_ms, next_try_ms; /* 0: the last call went well */
    char last_error[256];

    struct buf out; /* the pipeline */
    size_t count;
    struct known_script scripts[SCRIPTS_MAX];
    size_t script_count;
};

/* --- making one
 * ----------------------------------------------------------------------------------- */

static int set_endpoint(struct store *st, const struct settings *s, struct err *err)
{
    struct buf path;

    if (st->url.scheme == STORE_TCP) {
        st->endpoint = (struct endpoint){
            .kind = ENDPOINT_TCP, .host = st->url.host.ptr, .port = st->url.port.ptr};
        return 0;
    }
    buf_init(&path, 4096);
    if (st->url.scheme == STORE_UNIX)
        buf_add(&path, st->url.path);
    else
        buf_addf(&path, "%s/redis/redis.sock", s->state_dir);
    st->endpoint = (struct endpoint){.kind = ENDPOINT_UNIX,
                                     .path = arena_copy(&st->arena, buf_slice(&path)).ptr};
    if (path.failed || st->endpoint.path == NULL) {
        st->endpoint.path = NULL;
        (void)err_set(err, EX_OSERR, "store: out of memory, or a path that is too long");
    }
    buf_fini(&path);
    return st->endpoint.path != NULL ? 0 : -1;
}

static int set_up(struct store *st, const struct settings *s, struct err *err)
{
    struct slice username = SLICE_NONE, password_file = SLICE_NONE;

    if (store_url_parse(slice_str(s->store.url), &st->arena, &st->url, err) != 0)
        return -1;
    if (st->url.scheme != STORE_PRIVATE) { /* the private server needs no password */
        username = slice_str(s->store.username);
        password_file = slice_str(s->store.password_file);
    }
    st->username = arena_copy(&st->arena, username);
    st->password_file = arena_copy(&st->arena, password_file).ptr;
    if (st->username.ptr == NULL || st->password_file == NULL)
        return err_set(err, EX_OSERR, "store: out of memory");
    if (st->username.len == 0)
        st->username = st->url.username;
    if (set_endpoint(st, s, err) != 0)
        return -1;
    transport_endpoint_text(&st->endpoint, st->where);
    return 0;
}

struct store *store_new(const struct settings *s, struct err *err)
{
    struct store *st = calloc(1, sizeof *st);

    if (st == NULL) {
        (void)err_set(err, EX_OSERR, "store: out of memory");
        return NULL;
    }
    arena_init(&st->arena, 65536);
    buf_init(&st->out, PIPE_MAX_BYTES);
    st->redis = LINK_CLOSED;
    if (set_up(st, s, err) == 0)
        return st;
    store_free(st);
    return NULL;
}

void store_free(struct store *st)
{
    if (st == NULL)
        return;
    link_close(&st->redis);
    buf_fini(&st->out);
    arena_fini(&st->arena);
    free(st);
}

/* --- connecting
 * ----------------------------------------------------------------------------------- */

static int bad_password(const struct store *st, struct err *err, const char *what)
{
    return err_set(err, EX_CONFIG, "store.password_file %s: %s", st->password_file, what);
}

/* The password: the file's first line, else the URL's. */
static int read_password(const struct store *st, char text[PASSWORD_MAX_BYTES],
                         struct slice *password, struct err *err)
{
    struct slice rest;
    ssize_t n;
    int fd;

    *password = st->url.password;
    if (st->password_file[0] == '\0')
        return 0;
    fd = open(st->password_file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return bad_password(st, err, strerror(errno));
    n = read(fd, text, PASSWORD_MAX_BYTES);
    (void)close(fd);
    if (n < 0)
        return bad_password(st, err, strerror(errno));
    rest = (struct slice){text, (size_t)n};
    (void)slice_cut(&rest, '\n', password);
    *password = slice_trim(*password);
    if (password->len == 0 || n == PASSWORD_MAX_BYTES)
        return bad_password(st, err, "the first line has to be the password, and nothing else");
    return 0;
}

static int open_link(struct store *st, int64_t deadline_ms, struct err *err)
{
    char text[PASSWORD_MAX_BYTES];
    struct link_login login = {.username = st->username, .db = st->url.db};
    int result = read_password(st, text, &login.password, err);

    if (result == 0)
        result = link_open(&st->redis, &st->endpoint, &login, deadline_ms, err);
    explicit_bzero(text, sizeof text);
    if (result != 0)
        return -1;
    st->generation++;
    memcpy(st->run_id, st->redis.run_id, sizeof st->run_id);
    return 0;
}

/* The call succeeded: no pause before the next connection. */
static void settle(struct store *st)
{
    st->pause_ms = 0;
    st->next_try_ms = 0;
}

/* It failed: the pause begins, longer each time. *err gets the server's name before it. */
static int back_off(struct store *st, struct err *err)
{
    link_close(&st->redis);
    st->pause_ms = st->pause_ms == 0 ? PAUSE_MIN_MS : st->pause_ms * 2;
    if (st->pause_ms > PAUSE_MAX_MS)
        st->pause_ms = PAUSE_MAX_MS;
    st->next_try_ms = clock_monotonic_ms() + st->pause_ms;
    (void)snprintf(st->last_error, sizeof st->last_error, "%.255s", err->text);
    if (st->url.scheme == STORE_PRIVATE)
        return err_prefix(err, "redis at %s (tollgated runs it)", st->where);
    return err_prefix(err, "redis at %s", st->where);
}

/* An idle connection that the server has closed meanwhile is made again at once; that is no
 * failure. */
static int be_connected(struct store *st, int64_t deadline_ms, struct err *err)
{
    if (transport_is_open(&st->redis.transport) && transport_is_stale(&st->redis.transport))
        link_close(&st->redis);
    if (transport_is_open(&st->redis.transport))
        return 0;
    if (!store_is_worth_trying(st))
        return err_set(err, EX_UNAVAILABLE, "redis at %s is unreachable: %s", st->where,
                       st->last_error);
    if (open_link(st, deadline_ms, err) != 0)
        return back_off(st, err);
    return 0;
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
    return st->next_try_ms == 0 || transport_is_open(&st->redis.transport) ||
           clock_monotonic_ms() >= st->next_try_ms;
}

const char *store_where(const struct store *st)
{
    return st->where;
}

/* --- running commands
 * ----------------------------------------------------------------------------- */

void store_pipe_add(struct store *st, size_t argc, const struct slice *argv)
{
    link_command_add(&st->out, argc, argv);
    st->count++;
}

size_t store_pipe_count(const struct store *st)
{
    return st->count;
}

void store_pipe_reset(struct store *st)
{
    if (st->out.room > PIPE_KEEP_BYTES)
        buf_fini(&st->out);
    buf_reset(&st->out);
    st->count = 0;
    st->script_count = 0;
}

static int run(struct store *st, redisReply **replies, int64_t timeout_ms, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;

    if (st->out.failed)
        return err_set(err, EX_SOFTWARE, "redis: out of memory, or commands of more than %zu MB",
                       PIPE_MAX_BYTES >> 20);
    if (be_connected(st, deadline_ms, err) != 0)
        return -1;
    if (link_trip(&st->redis, buf_slice(&st->out), replies, st->count, deadline_ms, err) != 0)
        return back_off(st, err);
    settle(st);
    return 0;
}

int store_pipe_run(struct store *st, redisReply **replies, int64_t timeout_ms, struct err *err)
{
    struct err unseen;
    int result = st->count == 0 ? 0 : run(st, replies, timeout_ms, err != NULL ? err : &unseen);

    store_pipe_reset(st);
    return result;
}

redisReply *store_command(struct store *st, size_t argc, const struct slice *argv,
                          int64_t timeout_ms, struct err *err)
{
    redisReply *reply;

    TG_ASSERT(st->count == 0);
    store_pipe_add(st, argc, argv);
    return store_pipe_run(st, &reply, timeout_ms, err) == 0 ? reply : NULL;
}

/* --- scripts
 * -------------------------------------------------------------------------------------- */

static void script_sha1(const struct script *script, char hex[SHA1_HEX_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    TG_ASSERT(EVP_Digest(script->source, strlen(script->source), digest, &len, EVP_sha1(), NULL) ==
              1);
    for (unsigned i = 0; i < len; i++)
        (void)snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
}

static void add_call(struct store *st, struct slice command, struct slice script, size_t keys,
                     size_t argc, const struct slice *argv)
{
    struct slice *all = calloc(argc + 3, sizeof *all);
    char number[24];

    if (all == NULL) {
        st->out.failed = true;
        st->count++;
        return;
    }
    (void)snprintf(number, sizeof number, "%zu", keys);
    all[0] = command;
    all[1] = script;
    all[2] = slice_str(number);
    if (argc > 0)
        memcpy(all + 3, argv, argc * sizeof *argv);
    store_pipe_add(st, argc + 3, all);
    free(all);
}

void store_pipe_add_script(struct store *st, const struct script *script, size_t keys, size_t argc,
                           const struct slice *argv)
{
    struct known_script *known;

    for (size_t i = 0; i < st->script_count; i++)
        if (st->scripts[i].script == script) {
            add_call(st, SLICE("EVALSHA"), slice_str(st->scripts[i].sha1), keys, argc, argv);
            return;
        }
    add_call(st, SLICE("EVAL"), slice_str(script->source), keys, argc, argv);
    if (st->script_count == SCRIPTS_MAX)
        return; /* the source is sent each time: slower, but correct */
    known = &st->scripts[st->script_count++];
    known->script = script;
    script_sha1(script, known->sha1);
}

static bool is_noscript(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR &&
           slice_starts_nocase(link_reply_text(reply), SLICE("NOSCRIPT"));
}

redisReply *store_script(struct store *st, const struct script *script, size_t keys, size_t argc,
                         const struct slice *argv, int64_t timeout_ms, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    char sha1[SHA1_HEX_SIZE];
    redisReply *reply;

    TG_ASSERT(st->count == 0);
    script_sha1(script, sha1);
    add_call(st, SLICE("EVALSHA"), slice_str(sha1), keys, argc, argv);
    if (store_pipe_run(st, &reply, timeout_ms, err) != 0)
        return NULL;
    if (!is_noscript(reply))
        return reply;
    freeReplyObject(reply);
    add_call(st, SLICE("EVAL"), slice_str(script->source), keys, argc, argv);
    timeout_ms = deadline_ms - clock_monotonic_ms();
    return store_pipe_run(st, &reply, timeout_ms, err) == 0 ? reply : NULL;
}
