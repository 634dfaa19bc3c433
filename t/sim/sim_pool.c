#include "t/sim/sim_pool.h"

#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "t/sim/sim_disk.h"
#include "t/sim/sim_vfs.h"

#define CONNECTIONS_MAX 4
#define STATEMENTS_MAX  256
#define OPENING         "PRAGMA journal_mode"

/* The linker's names. */
int __real_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs);
int __real_sqlite3_close(sqlite3 *db);
int __wrap_sqlite3_close(sqlite3 *db);
int __real_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags,
                              sqlite3_stmt **st, const char **rest);
int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags,
                              sqlite3_stmt **st, const char **rest);
int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int len, sqlite3_stmt **st,
                              const char **rest);
int __real_sqlite3_finalize(sqlite3_stmt *st);
int __wrap_sqlite3_finalize(sqlite3_stmt *st);
int __real_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **),
                        void *argument, char **error);
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **),
                        void *argument, char **error);

struct statement {
    sqlite3_stmt *st;
    bool is_used;
};

struct connection {
    sqlite3 *db; /* NULL: none */
    char *path;
    bool is_kept; /* for the next that opens it */
    bool is_again;
    struct statement statements[STATEMENTS_MAX];
    size_t count, next; /* the one that is looked for first: they come in the same order */
};

static struct connection pool[CONNECTIONS_MAX];
static bool is_on;

static struct connection *connection_of(const sqlite3 *db)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (db != NULL && pool[i].db == db)
            return &pool[i];
    }
    return NULL;
}

static int drop(struct connection *c)
{
    sqlite3 *db = c->db;

    if (c->is_kept) /* it has no files, and those of its names may be others' now */
        (void)sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    for (size_t i = 0; i < c->count; i++)
        (void)__real_sqlite3_finalize(c->statements[i].st);
    free(c->path);
    *c = (struct connection){.db = NULL};
    return __real_sqlite3_close(db);
}

void sim_pool_end(void)
{
    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        if (pool[i].db != NULL && pool[i].is_kept)
            (void)drop(&pool[i]);
    }
}

void sim_pool_use(bool is_used)
{
    if (!is_used)
        sim_pool_end();
    is_on = is_used;
}

/* --- opening and closing --------------------------------------------------------------------- */

static void add(sqlite3 *db, const char *path)
{
    size_t i = 0;

    while (i < CONNECTIONS_MAX && pool[i].db != NULL)
        i++;
    if (!is_on || i == CONNECTIONS_MAX || !sim_disk_has(path))
        return;
    pool[i].db = db;
    pool[i].path = strdup(path);
    if (pool[i].path == NULL)
        abort();
}

int __wrap_sqlite3_open_v2(const char *path, sqlite3 **db, int flags, const char *vfs)
{
    int rc;

    for (size_t i = 0; i < CONNECTIONS_MAX; i++) {
        struct connection *c = &pool[i];

        if (c->db == NULL || !c->is_kept || strcmp(c->path, path) != 0)
            continue;
        if (sim_vfs_give(c->db, path)) {
            c->is_kept = false;
            c->is_again = true;
            c->next = 0;
            *db = c->db;
            return SQLITE_OK;
        }
        (void)drop(c);
    }
    rc = __real_sqlite3_open_v2(path, db, flags, vfs);
    if (rc == SQLITE_OK)
        add(*db, path);
    return rc;
}

static bool is_idle(const struct connection *c)
{
    bool is = sqlite3_get_autocommit(c->db) != 0;

    for (size_t i = 0; i < c->count; i++)
        is = is && !c->statements[i].is_used;
    return is;
}

int __wrap_sqlite3_close(sqlite3 *db)
{
    struct connection *c = connection_of(db);

    if (c == NULL)
        return __real_sqlite3_close(db);
    if (!is_idle(c) || !sim_vfs_take(db))
        return drop(c);
    c->is_kept = true;
    return SQLITE_OK;
}

/* --- statements ------------------------------------------------------------------------------ */

static sqlite3_stmt *prepared(struct connection *c, const char *sql)
{
    for (size_t i = 0; i < c->count; i++) {
        size_t at = (c->next + i) % c->count;
        struct statement *s = &c->statements[at];

        if (s->is_used || strcmp(sqlite3_sql(s->st), sql) != 0)
            continue;
        s->is_used = true;
        c->next = at + 1;
        return s->st;
    }
    return NULL;
}

int __wrap_sqlite3_prepare_v3(sqlite3 *db, const char *sql, int len, unsigned flags,
                              sqlite3_stmt **st, const char **rest)
{
    struct connection *c = rest == NULL && len < 0 ? connection_of(db) : NULL;
    int rc;

    *st = c != NULL ? prepared(c, sql) : NULL;
    if (*st != NULL)
        return SQLITE_OK;
    rc = __real_sqlite3_prepare_v3(db, sql, len, flags, st, rest);
    if (rc == SQLITE_OK && *st != NULL && c != NULL && c->count < STATEMENTS_MAX)
        c->statements[c->count++] = (struct statement){*st, true};
    return rc;
}

int __wrap_sqlite3_prepare_v2(sqlite3 *db, const char *sql, int len, sqlite3_stmt **st,
                              const char **rest)
{
    return __wrap_sqlite3_prepare_v3(db, sql, len, 0, st, rest);
}

int __wrap_sqlite3_finalize(sqlite3_stmt *st)
{
    struct connection *c = st != NULL ? connection_of(sqlite3_db_handle(st)) : NULL;

    for (size_t i = 0; c != NULL && i < c->count; i++) {
        struct statement *s = &c->statements[(c->next + i) % c->count];

        if (s->st != st)
            continue;
        s->is_used = false;
        c->next = (c->next + i + 1) % c->count;
        (void)sqlite3_clear_bindings(st);
        return sqlite3_reset(st);
    }
    return __real_sqlite3_finalize(st);
}

/* What is set at opening is so; but for how it syncs, which goes to and fro. */
int __wrap_sqlite3_exec(sqlite3 *db, const char *sql, int (*row)(void *, int, char **, char **),
                        void *argument, char **error)
{
    const struct connection *c = connection_of(db);

    if (c != NULL && c->is_again && strncmp(sql, OPENING, strlen(OPENING)) == 0)
        sql = "PRAGMA synchronous = NORMAL";
    return __real_sqlite3_exec(db, sql, row, argument, error);
}
