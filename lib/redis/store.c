#include "lib/redis/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include <openssl/evp.h>

#include "lib/redis/store_work.h"
#include "lib/sys/clock.h"

#define PIPE_MAX_BYTES  ((size_t)64 << 20)
#define KEYED_BYTES     ((size_t)1 << 16)
#define PIPE_KEEP_BYTES ((size_t)1 << 20) /* a larger buffer is not kept for the next pipeline */

/* --- making one ------------------------------------------------------------------------------ */

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "store: out of memory");
}

static int set_socket(struct store *st, const struct settings *s, struct err *err)
{
    struct buf path;

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

static int set_endpoint(struct store *st, const struct settings *s, struct err *err)
{
    if (st->url.scheme == STORE_PRIVATE || st->url.scheme == STORE_UNIX) {
        if (set_socket(st, s, err) != 0)
            return -1;
    } else {
        st->endpoint = store_endpoint(st, st->url.hosts[0].host.ptr, st->url.hosts[0].port.ptr);
    }
    transport_endpoint_text(&st->endpoint, st->where);
    if (st->url.scheme != STORE_CLUSTER)
        return 0;
    (void)snprintf(st->where, sizeof st->where, "the cluster of %.250s:%.8s", st->endpoint.host,
                   st->endpoint.port);
    st->cluster = cluster_new();
    return st->cluster != NULL ? 0 : no_memory(err);
}

/* `peer`, which may be NULL, has read the same settings and shares what its files hold. */
static int set_tls(struct store *st, const struct settings *s, const struct store *peer,
                   struct err *err)
{
    struct transport_tls_config config = {s->store.tls.ca_file, s->store.tls.cert_file,
                                          s->store.tls.key_file, s->store.tls.server_name};

    if (!st->url.tls)
        return 0;
    st->tls = peer != NULL ? transport_tls_share(peer->tls) : transport_tls_new(&config, err);
    return st->tls != NULL ? 0 : -1;
}

static int set_up(struct store *st, const struct settings *s, const struct store *peer,
                  struct err *err)
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
        return no_memory(err);
    if (st->username.len == 0)
        st->username = st->url.username;
    if (set_tls(st, s, peer, err) != 0)
        return -1;
    return set_endpoint(st, s, err);
}

struct store *store_new(const struct settings *s, struct err *err)
{
    return store_new_beside(NULL, s, err);
}

struct store *store_new_beside(const struct store *peer, const struct settings *s, struct err *err)
{
    struct store *st = calloc(1, sizeof *st);

    if (st == NULL) {
        (void)no_memory(err);
        return NULL;
    }
    arena_init_small(&st->arena, 65536); /* a URL and a name; there may be 64 of them */
    buf_init(&st->out, PIPE_MAX_BYTES);
    st->redis = LINK_CLOSED;
    if (set_up(st, s, peer, err) == 0)
        return st;
    store_free(st);
    return NULL;
}

void store_free(struct store *st)
{
    if (st == NULL)
        return;
    link_close(&st->redis);
    cluster_free(st->cluster);
    transport_tls_free(st->tls);
    buf_fini(&st->out);
    free(st->calls);
    arena_fini(&st->arena);
    free(st);
}

/* --- its state ------------------------------------------------------------------------------- */

uint64_t store_generation(const struct store *st)
{
    return st->generation;
}

const char *store_run_id(const struct store *st)
{
    return st->run_id;
}

bool store_is_partly_there(const struct store *st)
{
    return st->cluster != NULL && cluster_has_open(st->cluster);
}

size_t store_server_count(const struct store *st)
{
    size_t count = 0;

    while (st->cluster != NULL && cluster_master(st->cluster, count) != NULL)
        count++;
    return count > 0 ? count : 1;
}

bool store_server_is_of_cluster(const struct store *st)
{
    return st->cluster != NULL;
}

const char *store_server_choose(struct store *st, size_t i)
{
    struct cluster_node *n = st->cluster != NULL ? cluster_master(st->cluster, i) : NULL;
    struct endpoint e;

    if (n == NULL)
        return st->where;
    st->server = i + 1;
    e = store_endpoint(st, n->host, n->port);
    transport_endpoint_text(&e, st->server_name);
    return st->server_name;
}

const char *store_where(const struct store *st)
{
    return st->where;
}

/* --- running commands ------------------------------------------------------------------------ */

/* Notes what a cluster needs to know of the command that ends *out now. */
static void call_note(struct store *st, size_t begin, const struct script *script, size_t argc,
                      const struct slice *argv)
{
    if (st->count == st->calls_room) {
        size_t room = st->calls_room * 2 + 16;
        struct store_call *more = realloc(st->calls, room * sizeof *more);

        if (more == NULL) {
            st->out.failed = true;
            return;
        }
        st->calls = more;
        st->calls_room = room;
    }
    st->calls[st->count] = (struct store_call){.begin = begin,
                                               .end = st->out.len,
                                               .slot = hash_slot_of_command(argc, argv),
                                               .script = script,
                                               .words = argc};
}

static void add_command(struct store *st, const struct script *script, size_t argc,
                        const struct slice *argv)
{
    size_t begin = st->out.len;

    link_command_add(&st->out, argc, argv);
    if (st->cluster != NULL)
        call_note(st, begin, script, argc, argv);
    st->count++;
}

void store_pipe_add(struct store *st, size_t argc, const struct slice *argv)
{
    add_command(st, NULL, argc, argv);
}

void store_keyed_init(struct store_keyed *k, size_t argc, const struct slice *argv)
{
    TG_ASSERT(argc >= 2);
    buf_init(&k->head, KEYED_BYTES);
    buf_init(&k->tail, KEYED_BYTES);
    k->name = argv[0];
    link_head_add(&k->head, argc);
    link_word_add(&k->head, argv[0]);
    for (size_t i = 2; i < argc; i++)
        link_word_add(&k->tail, argv[i]);
}

void store_keyed_fini(struct store_keyed *k)
{
    buf_fini(&k->head);
    buf_fini(&k->tail);
}

void store_pipe_add_keyed(struct store *st, const struct store_keyed *k, struct slice key)
{
    size_t begin = st->out.len;

    st->out.failed = st->out.failed || k->head.failed || k->tail.failed;
    buf_add(&st->out, buf_slice(&k->head));
    link_word_add(&st->out, key);
    buf_add(&st->out, buf_slice(&k->tail));
    if (st->cluster != NULL)
        call_note(st, begin, NULL, 2, (const struct slice[]){k->name, key});
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
    st->server = 0;
}

/* A server that was made a replica cannot be used; the sentinels know which one is the master. */
static int check_master(struct store *st, redisReply **replies, struct err *err)
{
    size_t i = 0;

    if (st->url.scheme != STORE_SENTINEL)
        return 0;
    while (i < st->count && !cluster_map_is_read_only(replies[i]))
        i++;
    if (i == st->count)
        return 0;
    for (i = 0; i < st->count; i++)
        freeReplyObject(replies[i]);
    return err_set(err, EX_UNAVAILABLE, "READONLY: the server is no master any more");
}

/* Which scripts the server has had over this connection, as far as the last pipeline tells; none
 * where somebody has emptied its list (SCRIPT FLUSH). */
static void scripts_note(struct store *st, redisReply **replies)
{
    size_t i = 0;

    while (i < st->count && !store_is_noscript(replies[i]))
        i++;
    st->known_count = i == st->count ? st->script_count : 0;
}

static int run_link(struct store *st, redisReply **replies, int64_t deadline_ms, struct err *err)
{
    st->known_count = 0;
    if (store_be_connected(st, deadline_ms, err) != 0)
        return -1;
    if (link_trip(&st->redis, buf_slice(&st->out), replies, st->count, deadline_ms, err) != 0 ||
        check_master(st, replies, err) != 0)
        return store_back_off(st, err);
    scripts_note(st, replies);
    store_settle(st);
    return 0;
}

static int run(struct store *st, redisReply **replies, int64_t timeout_ms, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;

    if (st->out.failed)
        return err_set(err, EX_SOFTWARE, "redis: out of memory, or commands of more than %zu MB",
                       PIPE_MAX_BYTES >> 20);
    if (st->cluster != NULL)
        return store_cluster_run(st, replies, deadline_ms, err);
    return run_link(st, replies, deadline_ms, err);
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

/* --- scripts --------------------------------------------------------------------------------- */

void store_script_digest(const struct script *script, char hex[STORE_SHA1_HEX_SIZE])
{
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned len = 0;

    TG_ASSERT(EVP_Digest(script->source, strlen(script->source), digest, &len, EVP_sha1(), NULL) ==
              1);
    for (unsigned i = 0; i < len; i++)
        (void)snprintf(hex + (size_t)2 * i, 3, "%02x", digest[i]);
}

/* The script by its digest, which a cluster replaces by the source where a server needs that; sha1
 * NULL: by its source. */
static void add_call(struct store *st, const struct script *script, const char *sha1, size_t keys,
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
    all[0] = sha1 != NULL ? SLICE("EVALSHA") : SLICE("EVAL");
    all[1] = slice_str(sha1 != NULL ? sha1 : script->source);
    all[2] = slice_str(number);
    if (argc > 0)
        memcpy(all + 3, argv, argc * sizeof *argv);
    add_command(st, sha1 != NULL ? script : NULL, argc + 3, all);
    free(all);
}

/* Its digest, where the source is in the pipeline already, or wherever it is needed; NULL: the
 * source has to go with this call. */
static const char *known_sha1(struct store *st, const struct script *script)
{
    struct known_script *known;

    for (size_t i = 0; i < st->script_count; i++)
        if (st->scripts[i].script == script)
            return st->scripts[i].sha1;
    if (st->script_count == STORE_SCRIPTS_MAX)
        return NULL; /* the source is sent each time: slower, but correct */
    known = &st->scripts[st->script_count++];
    known->script = script;
    store_script_digest(script, known->sha1);
    return st->cluster != NULL ? known->sha1 : NULL;
}

void store_pipe_trust_scripts(struct store *st)
{
    TG_ASSERT(st->count == 0);
    st->script_count = st->known_count;
}

bool store_is_noscript(const redisReply *reply)
{
    return reply->type == REDIS_REPLY_ERROR &&
           slice_starts_nocase(link_reply_text(reply), SLICE("NOSCRIPT"));
}

void store_pipe_add_script(struct store *st, const struct script *script, size_t keys, size_t argc,
                           const struct slice *argv)
{
    add_call(st, script, known_sha1(st, script), keys, argc, argv);
}

redisReply *store_script(struct store *st, const struct script *script, size_t keys, size_t argc,
                         const struct slice *argv, int64_t timeout_ms, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + timeout_ms;
    char sha1[STORE_SHA1_HEX_SIZE];
    redisReply *reply;

    TG_ASSERT(st->count == 0);
    store_script_digest(script, sha1);
    add_call(st, script, sha1, keys, argc, argv);
    if (store_pipe_run(st, &reply, timeout_ms, err) != 0)
        return NULL;
    if (!store_is_noscript(reply))
        return reply;
    freeReplyObject(reply);
    add_call(st, script, NULL, keys, argc, argv);
    timeout_ms = deadline_ms - clock_monotonic_ms();
    return store_pipe_run(st, &reply, timeout_ms, err) == 0 ? reply : NULL;
}
