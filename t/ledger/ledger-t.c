#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/ledger/amounts.h"
#include "lib/ledger/ledger_share.h"
#include "t/tap.h"

/* The ledger's tables: kept over reopening, taken back by a rollback, and refused where they are
 * not ours. */

static char dir[64], path[80];
static struct err err;

static void remake(void)
{
    char command[300];

    (void)snprintf(command, sizeof command, "rm -f %s %s-wal %s-shm", path, path, path);
    OK(system(command) == 0, "removed the old ledger");
}

static struct ledger *open_as(const char *node)
{
    struct ledger *l = ledger_open(path, node, &err);

    if (!OK(l != NULL, "opened"))
        printf("# %s\n", err.text);
    return l;
}

static struct row_key key_of(const char *account, enum row_kind kind, const char *period,
                             const char *user)
{
    return (struct row_key){slice_str(account), kind, slice_str(period), slice_str(user)};
}

static void outside_sql(const char *sql)
{
    sqlite3 *db;

    OK(sqlite3_open(path, &db) == SQLITE_OK, "opened by hand");
    OK(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
    OK(sqlite3_close(db) == SQLITE_OK, "closed by hand");
}

static void test_amounts(void)
{
    struct tally more = {0}, read = {0};
    struct buf out;

    buf_init(&out, 1000);
    more.value[COUNTER_IN_BYTES] = 5;
    more.value[COUNTER_OUT_MESSAGES] = 1;
    OK(amounts_sum(SLICE("out_messages 2 new_thing 7 in_bytes 1"), &more, &out, &err) == 0, "sum");
    IS_SLICE(buf_slice(&out), SLICE("in_bytes 6 out_messages 3 new_thing 7"),
             "summed in the table's order, the unknown kept");
    OK(amounts_read(buf_slice(&out), &read, &err) == 0, "read");
    IS_INT(read.value[COUNTER_IN_BYTES], 6, "what was read");

    buf_reset(&out);
    OK(amounts_sum(SLICE("new_thing 7"), &(struct tally){0}, &out, &err) == 0, "only unknown ones");
    IS_SLICE(buf_slice(&out), SLICE("new_thing 7"), "no blank in front");
    buf_reset(&out);
    OK(amounts_sum(SLICE_NONE, &(struct tally){0}, &out, &err) == 0, "nothing and nothing");
    IS_INT(out.len, 0, "is nothing");

    buf_reset(&out);
    OK(amounts_difference(SLICE("in_bytes 6 out_bytes 9 new_thing 8"),
                          SLICE("in_bytes 6 out_bytes 2 new_thing 8"), &out, &err) == 0,
       "a difference");
    IS_SLICE(buf_slice(&out), SLICE("out_bytes 7"), "of what is known");
    OK(amounts_difference(SLICE("in_bytes 6"), SLICE("in_bytes 7"), &out, &err) < 0,
       "no counter goes back");

    OK(amounts_sum(SLICE("in_bytes"), &more, &out, &err) < 0, "a name without an amount");
    OK(amounts_sum(SLICE("in_bytes -1"), &more, &out, &err) < 0, "a negative amount");
    OK(amounts_sum(SLICE("in_bytes  1"), &more, &out, &err) < 0, "two blanks");
    OK(amounts_sum(SLICE("in_bytes 9007199254740991"), &more, &out, &err) < 0, "beyond 2^53");
    OK(strstr(err.text, "in_bytes") != NULL, "and says which");
    OK(amounts_sum(SLICE("in_bytes 9007199254740986"), &more, &out, &err) == 0, "just below");
    buf_fini(&out);
}

static void test_new(void)
{
    struct ledger *l = open_as("mx1");
    struct ledger_meta meta = {.position = {10, 20, 30}, .stamp = 4, .pushed_through = 5};
    struct stat st;
    char id[9];

    OK(ledger_is_new(l), "is new");
    IS_INT(strspn(ledger_id(l), "0123456789abcdef"), 8, "has an id");
    (void)snprintf(id, sizeof id, "%s", ledger_id(l));
    IS_INT(ledger_meta(l)->position.number, 0, "counts nothing yet");
    OK(ledger_meta_set(l, &meta, &err) == 0, "position set");
    OK(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "for our eyes only");
    ledger_close(l);

    l = open_as("mx1");
    OK(!ledger_is_new(l), "is no longer new");
    IS_STR(ledger_id(l), id, "keeps its id");
    OK(memcmp(ledger_meta(l), &meta, sizeof meta) == 0, "keeps its position");
    ledger_close(l);
}

static void test_rows(void)
{
    struct ledger *l = open_as("mx1");
    struct row_key key = key_of("example.com", ROW_DAY, "2026-11-21", ""),
                   user = key_of("example.com", ROW_USERS_DAY, "2026-11-21", "a\xff@b");
    struct row row;
    int64_t id;

    IS_INT(ledger_row_find(l, &key, &row, NULL, &err), 0, "no such row yet");
    OK(ledger_begin(l, &err) == 0 &&
           ledger_row_add(l, &key, SLICE("in_bytes 1"), 7, 99, &err) == 0 &&
           ledger_row_add(l, &user, SLICE("in_bytes 1"), 8, 99, &err) == 0 &&
           ledger_commit(l, &err) == 0,
       "two rows added");
    IS_INT(ledger_dirty_rows(l), 2, "both to be pushed");
    IS_INT(ledger_row_find(l, &user, &row, NULL, &err), 1, "a user of any bytes is found");
    IS_INT(ledger_row_find(l, &key, &row, NULL, &err), 1, "found");
    IS_SLICE(row.counters, SLICE("in_bytes 1"), "its counters");
    OK(row.number == 7 && row.expires_s == 99 && row.dirty == ROW_DIRTY, "its number and state");
    id = row.id;

    OK(ledger_row_mark(l, id, 6, ROW_CLEAN, &err) == 0, "marked clean with an old number");
    IS_INT(ledger_dirty_rows(l), 2, "changes nothing");
    OK(ledger_row_mark(l, id, 7, ROW_CLEAN, &err) == 0, "with its number");
    IS_INT(ledger_dirty_rows(l), 1, "it is clean");

    OK(ledger_begin(l, &err) == 0 && ledger_row_find(l, &key, &row, NULL, &err) == 1 &&
           ledger_row_set(l, &row, SLICE("in_bytes 2"), 9, &err) == 0,
       "changed in a transaction");
    IS_INT(ledger_dirty_rows(l), 2, "dirty again");
    ledger_rollback(l);
    IS_INT(ledger_dirty_rows(l), 1, "taken back");
    OK(ledger_row_find(l, &key, &row, NULL, &err) == 1 && row.number == 7, "all of it");

    OK(ledger_row_mark(l, id, 7, ROW_REFUSED, &err) == 0, "refused");
    OK(ledger_begin(l, &err) == 0 && ledger_row_find(l, &key, &row, NULL, &err) == 1 &&
           ledger_row_set(l, &row, SLICE("in_bytes 3"), 10, &err) == 0 &&
           ledger_commit(l, &err) == 0,
       "then changed");
    OK(ledger_row_find(l, &key, &row, NULL, &err) == 1 && row.dirty == ROW_REFUSED,
       "stays among the refused");
    ledger_close(l);

    l = open_as("mx1");
    IS_INT(ledger_dirty_rows(l), 2, "dirty rows are known after reopening");
    OK(ledger_row_delete(l, id, &err) == 0, "deleted");
    IS_INT(ledger_dirty_rows(l), 1, "no longer to be pushed");
    ledger_close(l);
}

static void test_walk(void)
{
    struct ledger *l = open_as("mx1");
    struct row row;
    int64_t ids[8];
    size_t n = 0;

    for (int i = 0; i < 5; i++) {
        char name[20];
        struct row_key key;

        (void)snprintf(name, sizeof name, "d%d.example", i);
        key = key_of(name, ROW_TOTAL, "", "");
        OK(ledger_row_add(l, &key, SLICE("in_bytes 1"), 1, 0, &err) == 0, "added");
    }
    ledger_walk_start(l, WALK_ALL, 0, 3);
    while (n < 8 && ledger_walk_next(l, &row, &err) == 1)
        ids[n++] = row.id;
    ledger_walk_end(l);
    IS_INT(n, 3, "three at a time");
    OK(ids[0] < ids[1] && ids[1] < ids[2], "ascending");

    OK(ledger_row_mark(l, ids[0], 1, ROW_CLEAN, &err) == 0 &&
           ledger_row_mark(l, ids[1], 1, ROW_REFUSED, &err) == 0,
       "one clean, one refused");
    n = 0;
    ledger_walk_start(l, WALK_DIRTY, 0, 100);
    while (ledger_walk_next(l, &row, &err) == 1)
        n += row.id != ids[0] && row.id != ids[1];
    ledger_walk_end(l);
    IS_INT(n, 3, "the dirty ones");
    ledger_walk_start(l, WALK_REFUSED, 0, 100);
    OK(ledger_walk_next(l, &row, &err) == 1 && row.id == ids[1], "the refused one");
    IS_SLICE(row.node, SLICE("mx1"), "with its node");
    ledger_walk_end(l);
    ledger_close(l);
}

static void test_renamed(void)
{
    struct ledger *l = open_as("mx1");
    struct row_key key = key_of("example.com", ROW_TOTAL, "", "");
    struct row row;
    struct slice name;
    bool elsewhere;

    OK(ledger_row_add(l, &key, SLICE("in_bytes 1"), 1, 0, &err) == 0, "counted as mx1");
    ledger_close(l);
    l = open_as("mx2");
    IS_SLICE(ledger_node(l), SLICE("mx2"), "renamed");
    OK(ledger_node_at(l, 1, &name) && slice_equal(name, SLICE("mx1")), "the old name is known");
    OK(!ledger_node_at(l, 2, &name), "and no other");
    IS_INT(ledger_row_find(l, &key, &row, &elsewhere, &err), 0, "no row under the new name");
    OK(elsewhere, "but under the old one");
    OK(ledger_row_add(l, &key, SLICE("in_bytes 5"), 2, 0, &err) == 0, "counted as mx2");
    OK(ledger_row_find(l, &key, &row, &elsewhere, &err) == 1 && row.number == 2, "its own");
    ledger_close(l);
    l = open_as("mx1");
    OK(ledger_row_find(l, &key, &row, &elsewhere, &err) == 1 && row.number == 1, "and back");
    OK(!elsewhere, "found here");
    ledger_close(l);
}

static void test_beside(void)
{
    struct ledger *l = open_as("mx1");
    struct row_key key = key_of("example.com", ROW_USERS_DAY, "2026-11-21", "");
    struct slice peers[] = {SLICE("mx2"), SLICE("mx1")};
    struct in_doubt d = {.number = 5, .queue_id = SLICE("4abc")};
    struct buf names;
    uint64_t count;

    OK(ledger_users_count(l, &key, &count, &err) == 0 && count == 0, "no users");
    OK(ledger_users_count_set(l, &key, 3, 100, &err) == 0, "three users");
    OK(ledger_users_prune(l, 100, &err) == 0 && ledger_users_count(l, &key, &count, &err) == 0 &&
           count == 3,
       "kept while the period is kept");
    OK(ledger_users_prune(l, 101, &err) == 0 && ledger_users_count(l, &key, &count, &err) == 0 &&
           count == 0,
       "then forgotten");
    buf_init(&names, 100);
    OK(ledger_peers_set(l, 2, peers, &err) == 0 && ledger_peers(l, &names, &err) == 0, "peers");
    IS_SLICE(buf_slice(&names), SLICE("mx1 mx2"), "are kept");
    buf_fini(&names);
    OK(ledger_in_doubt_add(l, &d, &err) == 0 && ledger_in_doubt_add(l, &d, &err) == 0, "doubtful");
    IS_INT(ledger_sync(l, &err), 1, "on the disk");
    ledger_close(l);
    outside_sql("CREATE TABLE t AS SELECT 1 / (count(*) = 1) AS x FROM doubtful;");
}

/* A reader of another process holds up the sync, and nothing else. */
static void test_reader(void)
{
    struct ledger *l = open_as("mx1");
    struct row_key key = key_of("example.com", ROW_TOTAL, "", "");
    sqlite3 *db;

    OK(sqlite3_open(path, &db) == SQLITE_OK &&
           sqlite3_exec(db, "BEGIN; SELECT * FROM rows", NULL, NULL, NULL) == SQLITE_OK,
       "a reader");
    OK(ledger_row_add(l, &key, SLICE("in_bytes 1"), 1, 0, &err) == 0, "a row written beside it");
    IS_INT(ledger_sync(l, &err), 0, "not all can be synced");
    OK(sqlite3_close(db) == SQLITE_OK, "the reader goes");
    IS_INT(ledger_sync(l, &err), 1, "now it can");
    ledger_close(l);
}

static void refused(int code, const char *text, const char *what)
{
    struct ledger *l;

    err = (struct err){0};
    l = ledger_open(path, "mx1", &err);
    OK(l == NULL, what);
    IS_INT(err.code, code, what);
    if (!OK(strstr(err.text, text) != NULL && strstr(err.text, path) != NULL, text))
        printf("# %s\n", err.text);
    ledger_close(l);
}

/* A file as the version before shares made it. */
static void test_schema_1(void)
{
    struct row_key key = key_of("example.com", ROW_TOTAL, "", "");
    struct ledger_share_info share;
    struct ledger *l = open_as("mx1");
    struct row row;

    OK(ledger_row_add(l, &key, SLICE("in_bytes 1"), 1, 0, &err) == 0, "a row");
    ledger_close(l);
    outside_sql("CREATE TABLE old (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);"
                "INSERT INTO old SELECT id, name FROM nodes; DROP TABLE nodes; DROP TABLE runs;"
                "ALTER TABLE old RENAME TO nodes; DROP INDEX rows_base;"
                "ALTER TABLE rows DROP COLUMN base; ALTER TABLE rows DROP COLUMN base_number;"
                "INSERT INTO meta VALUES ('stamp', 5);"
                "UPDATE meta SET value = 1 WHERE name = 'schema'");
    l = open_as("mx1");
    OK(ledger_run_begin(l, SLICE("0123456789abcdef"), 2, &err) == 0, "runs are kept");
    OK(ledger_row_find(l, &key, &row, NULL, &err) == 1 && row.is_present, "is found again");
    OK(ledger_share_at(l, 0, &share) && share.has_met, "under a share that Redis knows");
    IS_SLICE(share.share_id, slice_str(ledger_id(l)), "of the same id");
    ledger_close(l);
    ledger_close(open_as("mx1"));
}

/* A run that Redis has not met is continued, but its numbers end where the next one begins. */
static void test_runs(void)
{
    struct ledger *l = open_as("runs");
    uint64_t end = 0;

    OK(ledger_run_begin(l, SLICE("00000000000000a0"), 3, &err) == 0 &&
           ledger_run_meet(l, &err) == 0 && ledger_run_met(l, &err) == 0,
       "a run that Redis meets");
    OK(ledger_run_begin(l, SLICE("00000000000000a1"), 5, &err) == 0 &&
           ledger_run_begin(l, SLICE("00000000000000a2"), 9, &err) == 0,
       "two runs without Redis");
    OK(ledger_run_from(l) == 5 && ledger_run_find(l, SLICE("00000000000000a1"), &end, &err) == 1 &&
           end == 9,
       "the second goes on from the first, which has ended");
    OK(ledger_run_meet(l, &err) == 0 && ledger_run_met(l, &err) == 0, "Redis meets the second");
    ledger_close(l);
    l = open_as("runs");
    OK(ledger_run_begin(l, SLICE("00000000000000a3"), 12, &err) == 0 && ledger_run_from(l) == 12,
       "the third begins by itself");
    OK(ledger_meta(l)->base == 12, "and what rows are then is their base");
    OK(ledger_run_begin(l, SLICE("00000000000000a4"), 10, &err) == 0 && ledger_run_from(l) == 10 &&
           ledger_meta(l)->base == 10,
       "a fourth, of a journal that went back, begins below it");
    OK(ledger_run_find(l, SLICE("00000000000000a2"), &end, &err) == 1 && end == 10,
       "where the second has ended, then");
    ledger_close(l);
    ledger_close(open_as("mx1"));
}

/* What was counted since the last claim goes to the new share, the rest stays. */
static void test_share_left(void)
{
    struct row_key a = key_of("a.example", ROW_TOTAL, "", ""),
                   b = key_of("b.example", ROW_TOTAL, "", ""),
                   c = key_of("c.example", ROW_TOTAL, "", "");
    struct ledger *l = open_as("mx1");
    struct row row;
    int rows = 0;

    OK(ledger_row_add(l, &a, SLICE("in_bytes 5"), 1, 0, &err) == 0, "before the run");
    OK(ledger_row_add(l, &c, SLICE("in_bytes 7"), 1, 0, &err) == 0, "and another");
    OK(ledger_run_begin(l, SLICE("0123456789abcde0"), 0, &err) == 0, "the run");
    OK(ledger_row_find(l, &a, &row, NULL, &err) == 1 &&
           ledger_row_set(l, &row, SLICE("in_bytes 6"), 2, &err) == 0,
       "changed");
    OK(ledger_run_met(l, &err) == 0, "and claimed");
    for (uint64_t n = 3; n < 5; n++)
        OK(ledger_row_find(l, &a, &row, NULL, &err) == 1 &&
               ledger_row_set(l, &row, n == 3 ? SLICE("in_bytes 8") : SLICE("in_bytes 9"), n,
                              &err) == 0,
           "changed again");
    OK(ledger_row_add(l, &b, SLICE("in_bytes 4"), 4, 0, &err) == 0, "and a new one");
    OK(ledger_share_begin(l, 100, &err) == 0, "the share is left");
    OK(ledger_row_find(l, &a, &row, NULL, &err) == 1, "the new share's");
    IS_SLICE(row.counters, SLICE("in_bytes 3"), "what came since the claim");
    OK(ledger_row_find(l, &b, &row, NULL, &err) == 1, "what is new since");
    IS_SLICE(row.counters, SLICE("in_bytes 4"), "moves as it is");
    IS_INT(ledger_row_find(l, &c, &row, NULL, &err), 0, "what did not change stays");
    ledger_walk_start(l, WALK_ALL, 0, 100);
    while (ledger_walk_next(l, &row, &err) == 1) {
        rows++;
        if (!row.is_present && slice_equal(row.key.account, SLICE("a.example")))
            IS_SLICE(row.counters, SLICE("in_bytes 6"), "the old share as it was claimed");
    }
    ledger_walk_end(l);
    IS_INT(rows, 4, "no row is lost");
    ledger_close(l);
}

static void write_garbage(size_t size, off_t at)
{
    int fd = open(path, O_WRONLY | O_CREAT, 0600);
    char bytes[8192];

    memset(bytes, 'x', sizeof bytes);
    OK(fd >= 0 && pwrite(fd, bytes, size, at) == (ssize_t)size && close(fd) == 0, "garbage");
}

static void test_refused(void)
{
    write_garbage(5000, 0);
    refused(EX_DATAERR, "damaged", "a file of something else");
    remake();
    outside_sql("CREATE TABLE mine (x)");
    refused(EX_DATAERR, "no ledger", "a database of something else");
    remake();
    ledger_close(open_as("mx1"));
    outside_sql("UPDATE meta SET value = 3 WHERE name = 'schema'");
    refused(EX_DATAERR, "schema 3", "a newer ledger");
    remake();
    ledger_close(open_as("mx1"));
    write_garbage(3000, 1000);
    refused(EX_DATAERR, "damaged", "a first page overwritten");
    remake();
    ledger_close(open_as("mx1"));
    outside_sql("DELETE FROM meta WHERE name = 'ledger'");
    refused(EX_DATAERR, "no id", "its id gone");
    remake();
    OK(mkdir(path, 0700) == 0, "a directory in its place");
    refused(EX_CANTCREAT, "directory", "a directory in its place");
    OK(rmdir(path) == 0, "removed");
}

int main(void)
{
    static void (*const tests[])(void) = {test_new,    test_rows,      test_walk,    test_renamed,
                                          test_beside, test_reader,    test_refused, test_schema_1,
                                          test_runs,   test_share_left};

    (void)snprintf(dir, sizeof dir, "/tmp/ledger-t.XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    (void)snprintf(path, sizeof path, "%s/ledger.db", dir);
    test_amounts();
    for (size_t i = 0; i < sizeof tests / sizeof tests[0]; i++) {
        tests[i]();
        remake();
    }
    OK(rmdir(dir) == 0, "nothing left behind");
    return tap_done();
}
