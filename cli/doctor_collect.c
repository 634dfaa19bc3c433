/* tollgate doctor: this node's collector: whether it runs, reads its logs and reports. */
#include <errno.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/doctor.h"
#include "lib/core/format.h"
#include "lib/ledger/ledger_file.h"
#include "lib/redis/keys.h"
#include "lib/redis/link.h"
#include "lib/sys/clock.h"
#include "lib/sys/program.h"

#define SUBJECT    "collect"
#define SILENT_S   60 /* it reports every second */
#define LAG_S      600
#define GAPS_S     ((int64_t)7 * 86400)
#define TEST_MS    60000
#define OUTPUT_CAP ((size_t)64 << 10)
#define PATH_BYTES 4096

static void say_age(struct buf *b, int64_t seconds)
{
    if (seconds < 120)
        buf_addf(b, "%" PRId64 " second%s", seconds, seconds == 1 ? "" : "s");
    else if (seconds < 7200)
        buf_addf(b, "%" PRId64 " minutes", seconds / 60);
    else
        buf_addf(b, "%" PRId64 " hours", seconds / 3600);
}

/* --- the settings, as tollgate-collect sees them -----------------------------------------------
 */

/* Each line is a fault or a warning, with file and line. */
static void say_lines(struct doctor *d, enum verdict verdict, struct slice text)
{
    struct slice line;

    while (slice_cut(&text, '\n', &line)) {
        if (line.len == 0)
            continue;
        doctor_say(d, verdict, SUBJECT, "%.*s", SLICE_FMT(line));
        doctor_fix(d, "correct it; `tollgate-collect -t' checks it alone");
    }
}

/* Logs that overlap, are missing, or cannot be read by its account: it says so itself, with the
 * rights of that account where root asks. */
static void check_logs(struct doctor *d)
{
    const char *const argv[] = {"tollgate-collect", "-t", "-c", d->cli->config, NULL};
    struct buf out, errors;
    struct err err = {0};
    int status;

    buf_init(&out, OUTPUT_CAP);
    buf_init(&errors, OUTPUT_CAP);
    status = program_run(argv, SLICE_NONE, &out, &errors, clock_monotonic_ms() + TEST_MS, &err);
    if (status < 0 || (status != EX_OK && status != EX_CONFIG)) {
        doctor_say(d, DOCTOR_UNKNOWN, SUBJECT, "`tollgate-collect -t' failed: %s",
                   status < 0 ? err.text : "see its messages");
        doctor_fix(d, "run it as root, with tollgate-collect in PATH");
    } else if (buf_slice(&errors).len == 0 && status == EX_OK) {
        doctor_say(d, DOCTOR_OK, SUBJECT, "its logs can be read and do not overlap");
    } else {
        say_lines(d, status == EX_OK ? DOCTOR_WARN : DOCTOR_FAIL, buf_slice(&errors));
    }
    buf_fini(&out);
    buf_fini(&errors);
}

/* --- its ledger --------------------------------------------------------------------------------
 */

static void query_fails(struct doctor *d, sqlite3 *db)
{
    doctor_say(d, DOCTOR_FAIL, SUBJECT, "%s/collect/collect.db: %s", d->cli->settings->state_dir,
               sqlite3_errmsg(db));
    doctor_fix(d, "stop tollgate-collect, and restore the file from a backup");
}

/* A configured log that is not read, or not up to now. */
static void check_source(struct doctor *d, sqlite3 *db, const char *name)
{
    sqlite3_stmt *st = NULL;
    struct buf age;
    int64_t lag_s;
    int step = SQLITE_ERROR;

    if (sqlite3_prepare_v2(db, "SELECT to_ms FROM sources WHERE name = ?1", -1, &st, NULL) ==
            SQLITE_OK &&
        sqlite3_bind_text(st, 1, name, -1, SQLITE_STATIC) == SQLITE_OK)
        step = sqlite3_step(st);
    lag_s = step == SQLITE_ROW ? d->now_s - sqlite3_column_int64(st, 0) / 1000 : 0;
    (void)sqlite3_finalize(st);
    buf_init(&age, 64);
    if (step == SQLITE_DONE) {
        doctor_say(d, DOCTOR_WARN, SUBJECT, "%s is not read", name);
        doctor_fix(d, "see the log of tollgate-collect; after a change of collect.sources, restart "
                      "it");
    } else if (step != SQLITE_ROW) {
        query_fails(d, db);
    } else if (lag_s > LAG_S) {
        say_age(&age, lag_s);
        doctor_say(d, DOCTOR_WARN, SUBJECT, "%s is read only up to %.*s ago", name,
                   SLICE_FMT(buf_slice(&age)));
        doctor_fix(d, "see the log of tollgate-collect, which says what it waits for");
    } else {
        doctor_say(d, DOCTOR_OK, SUBJECT, "%s is read up to now", name);
    }
    buf_fini(&age);
}

static void check_gaps(struct doctor *d, sqlite3 *db)
{
    static const char sql[] = "SELECT count(*), max(number), source, reason FROM gaps"
                              " WHERE to_ms >= ?1";
    sqlite3_stmt *st = NULL;
    int64_t count;

    if (sqlite3_prepare_v2(db, sql, -1, &st, NULL) != SQLITE_OK ||
        sqlite3_bind_int64(st, 1, (d->now_s - GAPS_S) * 1000) != SQLITE_OK ||
        sqlite3_step(st) != SQLITE_ROW) {
        query_fails(d, db);
        (void)sqlite3_finalize(st);
        return;
    }
    count = sqlite3_column_int64(st, 0);
    if (count == 0) {
        doctor_say(d, DOCTOR_OK, SUBJECT, "no gap in its logs in the last 7 days");
    } else {
        doctor_say(d, DOCTOR_WARN, SUBJECT,
                   "%" PRId64 " gap%s in its logs in the last 7 days; the last one: %s: %s", count,
                   count == 1 ? "" : "s", (const char *)sqlite3_column_text(st, 2),
                   (const char *)sqlite3_column_text(st, 3));
        doctor_fix(d, "remove the cause, as the reason says; figures of that time stay incomplete");
    }
    (void)sqlite3_finalize(st);
}

static void check_ledger(struct doctor *d, const char *path)
{
    const struct string_list *sources = &d->cli->settings->collect.sources;
    sqlite3 *db = NULL;

    if (access(path, R_OK) != 0) {
        doctor_say(d, DOCTOR_UNKNOWN, SUBJECT, "%s: %s", path, strerror(errno));
        doctor_fix(d, "run `tollgate doctor' as root, which may read it");
    } else if (ledger_file_open(path, &db) != SQLITE_OK) {
        query_fails(d, db);
    } else {
        for (size_t i = 0; i < sources->count; i++)
            check_source(d, db, sources->items[i]);
        check_gaps(d, db);
    }
    (void)sqlite3_close(db);
}

/* --- its reports -------------------------------------------------------------------------------
 */

static void say_seen(struct doctor *d, const redisReply *reply)
{
    uint64_t seen = 0;
    int64_t silent_s;
    struct buf age;

    if (reply->type != REDIS_REPLY_STRING || !slice_number(link_reply_text(reply), &seen)) {
        doctor_say(d, DOCTOR_WARN, SUBJECT, "it has never reported to this store");
        doctor_fix(d, "see the log of tollgate-collect");
        return;
    }
    silent_s = d->now_s - (int64_t)seen;
    buf_init(&age, 64);
    say_age(&age, silent_s > 0 ? silent_s : 0);
    doctor_say(d, silent_s > SILENT_S ? DOCTOR_WARN : DOCTOR_OK, SUBJECT,
               "it last reported %.*s ago", SLICE_FMT(buf_slice(&age)));
    if (silent_s > SILENT_S)
        doctor_fix(d, "start tollgate-collect; if it runs, its log says why it cannot write");
    buf_fini(&age);
}

static void check_reports(struct doctor *d)
{
    const struct settings *s = d->cli->settings;
    struct err err = {.text = "there is no store"};
    redisReply *reply = NULL;
    struct buf key;

    buf_init(&key, 1024);
    key_collect(&key, s->store.prefix, slice_str(s->node));
    if (d->store_is_there)
        reply = store_command(d->cli->store, 3,
                              (const struct slice[]){SLICE("HGET"), buf_slice(&key), SLICE("seen")},
                              READ_TIMEOUT_MS, &err);
    buf_fini(&key);
    if (reply == NULL) {
        doctor_say(d, DOCTOR_UNKNOWN, SUBJECT, "when it last reported: %s", err.text);
        doctor_fix(d, "fix the store first");
        return;
    }
    say_seen(d, reply);
    freeReplyObject(reply);
}

/* --- all together ------------------------------------------------------------------------------
 */

/* Where nobody ever wanted one, there is nothing to find fault with. */
void doctor_collect(struct doctor *d)
{
    const struct settings *s = d->cli->settings;
    char lock[PATH_BYTES], ledger[PATH_BYTES];
    bool has_run;

    (void)snprintf(lock, sizeof lock, "%s/collect/lock", s->state_dir);
    (void)snprintf(ledger, sizeof ledger, "%s/collect/collect.db", s->state_dir);
    has_run = access(ledger, F_OK) == 0 || errno != ENOENT;
    if (!has_run && !settings_is_set(s, "collect.sources")) {
        doctor_say(d, DOCTOR_OK, SUBJECT,
                   "no tollgate-collect runs on this node: its reports of sessions are empty");
        return;
    }
    doctor_running(d, SUBJECT, "tollgate-collect", lock);
    check_logs(d);
    if (has_run) {
        check_ledger(d, ledger);
        check_reports(d);
    }
    doctor_syslog(d);
}
