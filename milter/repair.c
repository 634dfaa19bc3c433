#include "milter/repair.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "lib/ledger/accountant.h"
#include "lib/ledger/adopt.h"
#include "lib/ledger/ledger_recover.h"
#include "lib/redis/own_server.h"
#include "lib/sys/files.h"
#include "lib/sys/journal.h"
#include "lib/sys/journal_repair.h"

#define REPAIR_PATH   512
#define REDIS_WAIT_MS 10000

struct repair {
    const struct settings *s;
    FILE *out;
    bool has_done; /* something */
    char journal[REPAIR_PATH], ledger[REPAIR_PATH], made[REPAIR_PATH], id[REPAIR_PATH];
};

static int paths_set(struct repair *r, struct err *err)
{
    const struct {
        char *path;
        const char *name;
    } all[] = {{r->journal, ACCOUNTANT_JOURNAL},
               {r->ledger, "ledger.db"},
               {r->made, "ledger.db.new"},
               {r->id, "ledger.id"}};

    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (snprintf(all[i].path, REPAIR_PATH, "%s/%s", r->s->state_dir, all[i].name) >=
            REPAIR_PATH)
            return err_set(err, EX_CONFIG, "state_dir is too long");
    }
    return 0;
}

/* --- the journal ----------------------------------------------------------------------------- */

static void journal_say(struct repair *r, const struct journal_repaired *m)
{
    if (m->segments == 0)
        return;
    r->has_done = true;
    (void)fprintf(r->out,
                  "journal: %" PRIu64 " damaged or missing record%s, between %" PRIu64
                  " and %" PRIu64
                  ", given up and not counted; the damaged files are kept as %s/*.damaged\n",
                  m->records, m->records == 1 ? "" : "s", m->first, m->last, r->journal);
}

/* `due`: number of the first record that is needed. A torn end goes as at each start. */
static int records_repair(struct repair *r, uint64_t due, struct err *err)
{
    struct journal_config config = {.dir = r->journal, .sync = SYNC_ALWAYS};
    struct journal_repaired repaired;
    struct journal *j;

    if (access(r->journal, F_OK) == 0) {
        if (journal_repair(r->journal, due, &repaired, err) < 0)
            return -1;
        journal_say(r, &repaired);
    }
    j = journal_open(&config, err);
    if (j == NULL)
        return -1;
    journal_close(j);
    return 0;
}

/* --- the ledger ------------------------------------------------------------------------------ */

static const char *time_text(int64_t time_s, char text[32])
{
    time_t t = (time_t)time_s;
    struct tm tm;

    if (localtime_r(&t, &tm) == NULL || strftime(text, 32, "%Y-%m-%d %H:%M:%S", &tm) == 0)
        (void)snprintf(text, 32, "%" PRId64, time_s);
    return text;
}

/* The journal begins in the second with which Redis ends: what came earlier in it may be there. */
static bool is_within_second(const struct adopt_result *a)
{
    return a->has_share && a->first > 0 && a->first_ms / 1000 == a->pushed_through;
}

/* Redis and the journal leave no gap. */
static bool is_whole(const struct adopt_result *a)
{
    return a->first == 1 ||
           (a->has_share && a->first > 0 &&
            (a->first <= a->pushed_before || a->first_ms / 1000 < a->pushed_through));
}

static void ledger_say(const struct repair *r, const struct adopt_result *a)
{
    char first[32], through[32];

    (void)fprintf(r->out,
                  "ledger: made again of %" PRIu64 " rows in redis and %" PRIu64
                  " records of the journal\n",
                  a->rows, a->records);
    if (a->sealed > 0)
        (void)fprintf(r->out,
                      "ledger: of %" PRIu64 " rows only redis has the sums, with those of the "
                      "other nodes: keep a backup of redis (OPERATION in tollgated(8))\n",
                      a->sealed);
    (void)time_text(a->first_ms / 1000, first);
    (void)time_text(a->pushed_through, through);
    if (!a->has_share)
        (void)fprintf(r->out, "ledger: redis does not know this node\n");
    if (is_whole(a))
        return;
    if (is_within_second(a))
        (void)fprintf(
            r->out,
            "ledger: mail of the second %s before record %" PRIu64
            ", with which the journal begins, may be lost, but for what redis had of it\n",
            first, a->first);
    else if (a->has_share && a->first > 0)
        (void)fprintf(r->out,
                      "ledger: mail from %s to %s is lost, but for what redis had of it: the "
                      "journal begins with record %" PRIu64 "\n",
                      through, first, a->first);
    else if (a->has_share)
        (void)fprintf(r->out, "ledger: mail since %s is lost: the journal is empty\n", through);
    else
        (void)fprintf(r->out, "ledger: what was counted before record %" PRIu64 " is lost\n",
                      a->first);
}

static int failed(const char *what, const char *path, struct err *err)
{
    return err_set(err, EX_CANTCREAT, "cannot %s %s: %s", what, path, strerror(errno));
}

static int aside_clear(const struct repair *r, struct err *err)
{
    static const char *const ends[] = {"", "-wal", "-shm"};
    char path[REPAIR_PATH + 8];

    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        (void)snprintf(path, sizeof path, "%s%s", r->made, ends[i]);
        if (unlink(path) != 0 && errno != ENOENT)
            return failed("remove", path, err);
    }
    return 0;
}

/* With its last connection SQLite puts all into the one file. */
static int ledger_fill(const struct repair *r, struct store *store, struct adopt_result *found,
                       struct err *err)
{
    const struct settings *s = r->s;
    struct adopt_source from = {store,
                                s->store.prefix,
                                r->journal,
                                {s->accounting.users, (uint64_t)s->accounting.users_max},
                                push_keep(s)};
    struct ledger *l = ledger_open(r->made, s->node, err);
    int rc = l == NULL ? -1 : 0;

    if (rc == 0)
        rc = adopt_run(l, &from, found, err);
    if (rc == 0)
        rc = ledger_zone_check(l, s->timezone, err);
    if (rc == 0 && ledger_sync(l, err) < 0)
        rc = -1;
    ledger_close(l);
    return rc;
}

/* A kill between the steps leaves a ledger that is gone, or the new one without its id: either can
 * be begun with again. */
static int ledger_place(const struct repair *r, struct err *err)
{
    if (unlink(r->id) != 0 && errno != ENOENT)
        return failed("remove", r->id, err);
    if (rename(r->made, r->ledger) != 0)
        return failed("make", r->ledger, err);
    return file_sync_dir(r->s->state_dir) ? 0 : failed("write", r->s->state_dir, err);
}

/* SCAN lists the keys of one server. */
static struct store *store_listable(const struct repair *r, struct err *err)
{
    if (strncmp(r->s->store.url, "cluster:", 8) != 0)
        return store_new(r->s, err);
    (void)err_set(
        err, EX_UNAVAILABLE,
        "store.url: the rows of a ledger cannot be listed in a cluster: restore state_dir "
        "from a backup");
    return NULL;
}

static int ledger_repair(struct repair *r, struct err *err)
{
    struct store *store = store_listable(r, err);
    struct adopt_result found = {.rows = 0};
    int rc = store == NULL ? -1 : aside_clear(r, err);

    if (rc == 0)
        rc = ledger_fill(r, store, &found, err);
    store_free(store);
    if (rc == 0)
        rc = ledger_place(r, err);
    if (rc == 0) {
        r->has_done = true;
        ledger_say(r, &found);
    }
    return rc;
}

static int ledger_repair_served(struct repair *r, struct err *err)
{
    struct own_server *redis = NULL;
    int rc;

    if (own_server_wanted(r->s)) {
        redis = own_server_start(r->s, REDIS_WAIT_MS, err);
        if (redis == NULL)
            return -1;
    }
    rc = ledger_repair(r, err);
    if (redis != NULL)
        own_server_stop(redis, REDIS_WAIT_MS);
    return rc;
}

/* Where the ledger stands; opened as at a start, so that a wrong one is told as there. */
static int ledger_look(const struct repair *r, uint64_t *due, struct err *err)
{
    struct ledger *l = ledger_place_open(r->s->state_dir, "ledger", r->s->node, err);

    if (l == NULL)
        return -1;
    *due = ledger_meta(l)->position.number;
    ledger_close(l);
    return 0;
}

int repair_run(const struct settings *s, FILE *out, struct err *err)
{
    struct repair r = {.s = s, .out = out};
    uint64_t due = 0;
    bool is_there;

    if (paths_set(&r, err) < 0)
        return -1;
    is_there = access(r.ledger, F_OK) == 0;
    if (!is_there && access(r.id, F_OK) != 0 && access(r.journal, F_OK) != 0) {
        (void)fprintf(out, "nothing has counted in %s yet\n", s->state_dir);
        return 0;
    }
    if (is_there && ledger_look(&r, &due, err) < 0)
        return -1;
    if (records_repair(&r, due, err) < 0 || (!is_there && ledger_repair_served(&r, err) < 0))
        return -1;
    if (!r.has_done)
        (void)fprintf(out, "nothing to repair in %s\n", s->state_dir);
    return 0;
}
