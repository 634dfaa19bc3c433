#ifndef TG_REDIS_STORE_WORK_H
#define TG_REDIS_STORE_WORK_H

#include "lib/core/store_url.h"
#include "lib/redis/cluster.h"
#include "lib/redis/link.h"
#include "lib/redis/store.h"

/*
 * What the files of the store share. A store has one link (to a server, or to the master that the
 * sentinels name), or a cluster of them; store.c builds pipelines for both, store_connect.c knows
 * how to get at a server, store_cluster.c sends each command to the server of its slot.
 */

#define STORE_SCRIPTS_MAX   8 /* different scripts in one pipeline */
#define STORE_SHA1_HEX_SIZE 41

/* A script whose source is in the pipeline being built, or in the one before. */
struct known_script {
    const struct script *script;
    char sha1[STORE_SHA1_HEX_SIZE];
};

/* A command of the pipeline; kept in a cluster only. */
struct store_call {
    size_t begin, end;           /* its bytes in `out` */
    int slot;                    /* HASH_SLOT_NONE: any server */
    const struct script *script; /* of EVALSHA: the source is known; else NULL */
    size_t words;
};

struct store {
    struct arena arena; /* of the texts below */
    struct store_url url;
    struct endpoint endpoint; /* of a server that store.url names */
    struct slice username;
    const char *password_file;
    struct transport_tls *tls; /* NULL: none */
    char where[ENDPOINT_TEXT];

    struct redis_link redis;
    size_t sentinel;         /* the one that answered last */
    struct cluster *cluster; /* NULL: the store is none */
    size_t
        server; /* in a cluster: the master that is asked what any may answer; 0: any, 1: first */
    char server_name[ENDPOINT_TEXT];
    uint64_t generation;
    char run_id[LINK_RUN_ID_SIZE];
    int64_t pause_ms, next_try_ms; /* 0: the last call went well */
    char last_error[256];

    struct buf out; /* the pipeline */
    size_t count;
    struct known_script scripts[STORE_SCRIPTS_MAX];
    size_t script_count;
    size_t known_count;       /* the first ones: the server has had them over this connection */
    struct store_call *calls; /* `count` of them; in a cluster */
    size_t calls_room;
};

/* --- store.c --- */

/* By which a server knows the script. */
void store_script_digest(const struct script *script, char hex[STORE_SHA1_HEX_SIZE])
    TG_NONNULL(1, 2);

/* --- store_connect.c --- */

/* Opens a link to a server, with the store's login. */
int store_link_open(const struct store *st, struct redis_link *l, const struct endpoint *e,
                    const struct link_login *how, int64_t deadline_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3, 4);
/* The endpoint of a host, with the store's TLS. */
struct endpoint store_endpoint(const struct store *st, const char *host, const char *port)
    TG_NONNULL(1);
/* Has the store's one link open, to the server that is right now. */
int store_be_connected(struct store *st, int64_t deadline_ms, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* A call succeeded: no pause before the next connection. */
void store_settle(struct store *st) TG_NONNULL(1);
/* It failed: the pause begins, longer each time. *err gets the server's name before it; -1. */
int store_back_off(struct store *st, struct err *err) TG_NONNULL(1, 2);

/* --- store_cluster.c --- */

/* Runs the pipeline in a cluster. */
int store_cluster_run(struct store *st, redisReply **replies, int64_t deadline_ms,
                      struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
