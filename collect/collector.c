#include "collect/collector.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "collect/notes.h"
#include "collect/zone_load.h"
#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/signals.h"

enum {
    PUSH_WAIT_MS = 5000,  /* at the end */
    ONCE_WAIT_MS = 30000, /* for Redis, with --once */
    WAKE_MS = 1000,       /* a rotation may not wake the follower */
    FOLD_EVERY_MS = 500,  /* while lines come one by one: each fold is a disk sync */
    HOSTS_EVERY_MS = 5000,
    PRUNE_EVERY_MS = 60000,
    FDS_MAX = 128
};

/* --- open --------------------------------------------------------------------------------------
 */

int collector_dir(const struct settings *s, char *path, size_t size, struct err *err)
{
    if (snprintf(path, size, "%s/" COLLECT_DIR, s->state_dir) < (int)size)
        return 0;
    return err_set(err, EX_CONFIG, "state_dir: the path is too long");
}

static void resumed(void *context)
{
    struct collector *c = context;

    collect_fold_reload(&c->fold);
}

/* What is read already is not read again. */
static int check_since(struct collector *c, struct err *err)
{
    const struct string_list *sources = &c->settings->collect.sources;
    struct collect_source saved;

    for (size_t i = 0; c->options.since_ms != 0 && i < sources->count; i++) {
        int found = collect_db_source(c->db, slice_str(sources->items[i]), &saved, err);

        if (found < 0)
            return -1;
        if (found == 1)
            return err_set(err, EX_USAGE,
                           "--from fills back a log that was never read, and %s was: start without "
                           "--from",
                           sources->items[i]);
    }
    return 0;
}

static void setup(struct collector *c)
{
    c->log = (struct log_setup){&c->rules.names, c->zone};
    c->feeds = (struct feed_setup){.log = &c->log,
                                   .mode = c->options.once ? FOLLOW_ONCE : FOLLOW_LIVE,
                                   .since_ms = c->options.since_ms};
    (void)snprintf(c->node_account, sizeof c->node_account, "@%s", c->settings->node);
}

static int open_fold(struct collector *c, struct err *err)
{
    const struct settings *s = c->settings;
    struct collect_fold_parts parts = {
        .db = c->db,
        .sources = s->collect.sources.items,
        .source_count = s->collect.sources.count,
        .setup = &c->feeds,
        .rules = &c->rules.machine,
        .sums = {s->accounting.users, (uint64_t)s->accounting.users_max},
        .node_account = slice_str(c->node_account)};

    if (collect_fold_init(&c->fold, &parts, hosts_hosted(c->hosts), err) < 0)
        return -1;
    hosts_use(c->hosts, &c->fold.owners);
    return 0;
}

static int open_story(struct collector *c, struct err *err)
{
    int rc;

    signals_block();
    rc = story_socket_start(&c->story, c->started->state_dir, c->dir, err);
    signals_unblock();
    return rc;
}

int collector_open(struct collector *c, const char *file, struct settings *settings,
                   const struct collector_options *options, struct err *err)
{
    char ledger[sizeof c->dir + sizeof COLLECT_DB_FILE + 1];

    *c = (struct collector){
        .file = file, .settings = settings, .started = settings, .options = *options};
    if (collector_dir(settings, c->dir, sizeof c->dir, err) < 0 ||
        zone_load(settings->collect.timezone, &c->zone, err) < 0 ||
        rules_init(&c->rules, settings, err) < 0)
        return -1;
    setup(c);
    if (status_init(&c->status, &settings->collect.units, err) < 0 ||
        clamd_init(&c->clamd, options->once ? "" : settings->collect.clamd, err) < 0)
        return -1;
    (void)snprintf(ledger, sizeof ledger, "%s/" COLLECT_DB_FILE, c->dir);
    c->hosts = hosts_new(settings, ledger, err);
    if (c->hosts == NULL)
        return -1;
    c->db = collect_db_open(c->dir, settings->node, err);
    if (c->db == NULL || ledger_zone_check(collect_db_ledger(c->db), settings->timezone, err) < 0 ||
        check_since(c, err) < 0)
        return -1;
    c->pushing = pushing_new(settings, c->dir, c->db, resumed, c, err);
    if (c->pushing == NULL || open_fold(c, err) != 0)
        return -1;
    return options->once ? 0 : open_story(c, err);
}

static void settings_drop(struct collector *c)
{
    if (c->settings != c->started)
        settings_free(c->settings);
}

void collector_close(struct collector *c)
{
    story_socket_stop(&c->story);
    collect_fold_fini(&c->fold);
    pushing_free(c->pushing);
    collect_db_close(c->db);
    hosts_free(c->hosts);
    clamd_fini(&c->clamd);
    status_fini(&c->status);
    rules_fini(&c->rules);
    zone_free(c->zone);
    settings_drop(c);
    if (c->started != NULL)
        settings_free(c->started);
    *c = (struct collector){.file = NULL};
}

/* --- reload ------------------------------------------------------------------------------------
 */

static void warn_fixed(const struct settings *old, const struct settings *fresh)
{
    struct slice names;
    struct arena arena;

    arena_init(&arena, 65536);
    names = settings_fixed_changes(old, fresh, &arena);
    if (names.len > 0)
        log_event(LOG_WARNING, "these settings need a restart; their old values stay in force",
                  LOG_TEXT("settings", names));
    arena_fini(&arena);
}

/* Everything that can fail comes before anything is in force. */
static int reload(struct collector *c, struct err *err)
{
    struct settings *fresh = settings_load(c->file, NULL, err);
    struct rules rules = {.texts = NULL};

    if (fresh == NULL)
        return -1;
    warn_fixed(c->settings, fresh);
    if (settings_keep_fixed(fresh, c->settings, err) < 0 || rules_init(&rules, fresh, err) < 0 ||
        hosts_reload(c->hosts, fresh, err) < 0) {
        rules_fini(&rules);
        settings_free(fresh);
        return -1;
    }
    rules_fini(&c->rules);
    c->rules = rules;
    hosts_use(c->hosts, &c->fold.owners);
    c->fold.counts.sums.config =
        (struct row_sums_config){fresh->accounting.users, (uint64_t)fresh->accounting.users_max};
    log_open("tollgate-collect", (enum log_target)fresh->log.target, fresh->log.facility,
             fresh->log.level);
    pushing_reload(c->pushing, fresh);
    settings_drop(c);
    c->settings = fresh;
    return 0;
}

static void reload_log(struct collector *c)
{
    struct err e;

    if (reload(c, &e) == 0)
        log_plain(LOG_NOTICE, "reloaded");
    else
        log_event(LOG_ERR, "not reloaded; the old configuration stays in force",
                  LOG_ERROR("error", &e));
}

/* --- serve -------------------------------------------------------------------------------------
 */

/* Until a log or a signal wakes it. A fold is a disk sync, so lines that come one by one wait for
 * each other. */
static void wait_turn(struct collector *c)
{
    int64_t rest_ms = c->fold.saved_ms + FOLD_EVERY_MS - clock_monotonic_ms();
    struct pollfd fds[FDS_MAX] = {{.fd = signals_fd(), .events = POLLIN},
                                  {.fd = queue_watch_fd(&c->status.queue), .events = POLLIN},
                                  clamd_pollfd(&c->clamd)};
    nfds_t count = 3;

    if (rest_ms > 0 && rest_ms <= FOLD_EVERY_MS && poll(fds, 2, (int)rest_ms) > 0)
        return;
    for (size_t i = 0; i < c->fold.parts.source_count && count < FDS_MAX; i++) {
        int fd = feed_fd(&c->fold.feeds[i]);

        if (fd >= 0)
            fds[count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    }
    (void)poll(fds, count, WAKE_MS);
}

/* What is no log: it counts in the fold that is read next. */
static void watch(struct collector *c, int64_t now_ms)
{
    int64_t time_ms = clock_unix_ms();

    if (!c->options.once && status_take(&c->status, now_ms, time_ms, &c->fold.sink)) {
        c->fold.must_save = true;
        c->fold.signs = (c->fold.signs & ~(uint64_t)NOTES_OF_NOW) | c->status.signs;
    }
    pushing_queue(c->pushing, c->status.queue.is_known, c->status.queue.messages);
    if (c->settings->collect.clamd[0] == '\0')
        c->fold.signs &= ~(uint64_t)NOTES_CLAMD_ASKED;
    else if (clamd_turn(&c->clamd, now_ms, time_ms, &c->fold.sink))
        c->fold.signs |= NOTES_CLAMD_ASKED;
}

static void chores(struct collector *c)
{
    int64_t now_ms = clock_monotonic_ms();
    struct err e;

    watch(c, now_ms);
    if (now_ms >= c->hosts_next_ms) {
        hosts_refresh(c->hosts);
        hosts_use(c->hosts, &c->fold.owners);
        c->hosts_next_ms = now_ms + HOSTS_EVERY_MS;
    }
    if (now_ms < c->prune_next_ms)
        return;
    c->prune_next_ms = now_ms + PRUNE_EVERY_MS;
    if (collect_db_prune(c->db, c->fold.reached_ms, &e) < 0)
        log_problem_raise(&c->fold.ledger_problem, &e, now_ms);
}

static int once_end(struct collector *c, struct err *err)
{
    bool is_pushed = pushing_finish(c->pushing, c->fold.reached_ms, ONCE_WAIT_MS, true);

    if (collect_fold_has_problem(&c->fold))
        return err_set(err, EX_IOERR, "%s%s%s", c->fold.log_problem.text,
                       c->fold.ledger_problem.text, c->fold.source_problem.text);
    if (is_pushed)
        return 0;
    return err_set(err, EX_UNAVAILABLE,
                   "all is counted, and some of it is not in Redis yet: run it again when Redis "
                   "answers");
}

/* False: it is time to stop. */
static bool signals_take(struct collector *c)
{
    enum signal_event event;

    while ((event = signals_next(0)) != EVENT_NONE) {
        if (event == EVENT_STOP)
            return false;
        if (event == EVENT_RELOAD)
            reload_log(c);
    }
    return true;
}

static bool is_done(const struct collector *c)
{
    return c->options.once &&
           (collect_fold_is_over(&c->fold) || collect_fold_has_problem(&c->fold));
}

int collector_serve(struct collector *c, struct err *err)
{
    bool hurry = true;

    while (signals_take(c)) {
        chores(c);
        hurry = collect_fold_run(&c->fold);
        hurry = pushing_run(c->pushing, c->fold.reached_ms) || hurry;
        if (!hurry && is_done(c))
            return once_end(c, err);
        if (!hurry)
            wait_turn(c);
    }
    log_plain(LOG_NOTICE, "stopping");
    (void)collect_fold_run(&c->fold);
    (void)pushing_finish(c->pushing, c->fold.reached_ms, PUSH_WAIT_MS, true);
    return 0;
}
