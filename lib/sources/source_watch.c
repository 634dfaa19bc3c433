#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sources/listing.h"
#include "lib/sources/postfix.h"
#include "lib/sources/source.h"
#include "lib/sys/clock.h"

/* A change counts once it has rested for so long: who writes a file in place truncates it first. */
#define REST_MS 2000

/* A key is scanned at most this often, and for a hundredth of the time at most. */
#define SCAN_PAUSE_MS   10000
#define SCAN_SHARE      100

#define PATHS_MAX_BYTES ((size_t)1 << 20)

struct watched {
    const char *text; /* as the settings name it */
    struct source_name name;
    uint64_t loaded;  /* the stamp of what has been reported, or was there at the beginning */
    uint64_t seen;    /* the stamp of the last look */
    int64_t since_ms; /* when `seen` came up; of clock_monotonic_ms */

    int64_t next_ms; /* REDIS: the earliest time of the next look */

    /* POSTFIX: the files that main.cf names, and the stamp of the main.cf that named them */
    struct arena paths_arena;
    const char **paths;
    size_t path_count, path_room;
    uint64_t main_stamp;
};

struct source_watch {
    const struct settings *settings;
    struct arena arena;
    struct watched *items;
    size_t count, room;
    struct store *store; /* made when the first redis: source is looked at */
};

/* --- postfix: the files behind it
 * ----------------------------------------------------------------- */

/* Out of memory a file goes unwatched: no reason to fail. */
static void add_path(struct watched *item, struct slice path, const char *suffix)
{
    struct buf text;
    struct slice kept;
    const char **grown = arena_grow(&item->paths_arena, item->paths, item->path_count,
                                    &item->path_room, sizeof *grown);

    if (grown == NULL)
        return;
    item->paths = grown;
    buf_init(&text, 4096);
    buf_add(&text, path);
    buf_add_str(&text, suffix);
    kept = arena_copy(&item->paths_arena, buf_slice(&text));
    buf_fini(&text);
    if (kept.ptr != NULL)
        item->paths[item->path_count++] = kept.ptr;
}

/* The source of a table and what postmap makes of it. */
static void add_list_paths(struct watched *item, struct slice list)
{
    static const char *const suffixes[] = {"", ".db", ".lmdb", ".cdb", ".pag"};
    struct postfix_item found;

    while (postfix_list_next(&list, &found)) {
        if (found.kind == POSTFIX_FILE)
            add_path(item, found.text, "");
        for (size_t i = 0; found.path.len > 0 && i < sizeof suffixes / sizeof suffixes[0]; i++)
            add_path(item, found.path, suffixes[i]);
    }
}

static void find_paths(struct watched *item)
{
    struct postfix_config c;
    struct arena scratch;

    arena_init(&scratch, PATHS_MAX_BYTES);
    if (postfix_config_read(item->name.path.ptr, &scratch, &c, NULL) == 0) {
        arena_reset(&item->paths_arena);
        item->paths = NULL;
        item->path_count = item->path_room = 0;
        add_list_paths(item, c.mydestination);
        add_list_paths(item, c.virtual_alias_domains);
        add_list_paths(item, c.virtual_mailbox_domains);
        add_list_paths(item, c.virtual_alias_maps);
        add_list_paths(item, c.alias_maps);
        add_list_paths(item, c.recipient_bcc_maps);
        add_list_paths(item, c.sender_bcc_maps);
    }
    arena_fini(&scratch);
}

static uint64_t stamp_postfix(struct watched *item)
{
    char path[1024];
    uint64_t stamp;

    (void)snprintf(path, sizeof path, "%s/main.cf", item->name.path.ptr);
    stamp = listing_stamp_file(HASH_BEGIN, path);
    if (stamp != item->main_stamp) {
        item->main_stamp = stamp;
        find_paths(item);
    }
    for (size_t i = 0; i < item->path_count; i++)
        stamp = listing_stamp_file(stamp, item->paths[i]);
    return stamp;
}

/* --- redis
 * ---------------------------------------------------------------------------------------- */

/* A key that has changed is looked at again after its rest; one that goes on changing counts then:
 * unlike a file it is never half written. */
static uint64_t stamp_redis(struct source_watch *w, struct watched *item, int64_t now_ms)
{
    uint64_t stamp = HASH_BEGIN;
    int64_t pause_ms;
    int result;

    if (now_ms < item->next_ms)
        return item->seen;
    if (w->store == NULL)
        w->store = store_new(w->settings, NULL);
    result = w->store != NULL ? listing_redis_stamp(&item->name, w->store, &stamp, NULL) : -1;
    if (result != 0)
        stamp = item->seen;
    pause_ms = (clock_monotonic_ms() - now_ms) * SCAN_SHARE;
    if (stamp != item->loaded && item->seen == item->loaded)
        item->next_ms = now_ms + REST_MS;
    else
        item->next_ms = now_ms + (pause_ms > SCAN_PAUSE_MS ? pause_ms : SCAN_PAUSE_MS);
    return stamp;
}

/* --- all kinds
 * ------------------------------------------------------------------------------------ */

static uint64_t stamp_now(struct source_watch *w, struct watched *item, int64_t now_ms)
{
    switch (item->name.kind) {
    case SOURCE_FILE:
        return listing_stamp_file(HASH_BEGIN, item->name.path.ptr);
    case SOURCE_REDIS:
        return stamp_redis(w, item, now_ms);
    case SOURCE_POSTFIX:
        return stamp_postfix(item);
    case SOURCE_SOCKETMAP:
        break;
    }
    return HASH_BEGIN; /* it is asked anyway */
}

static void look(struct source_watch *w, struct watched *item, int64_t now_ms)
{
    uint64_t stamp = stamp_now(w, item, now_ms);

    if (stamp == item->seen)
        return;
    if (item->name.kind != SOURCE_REDIS || item->seen == item->loaded)
        item->since_ms = now_ms;
    item->seen = stamp;
}

enum source_state source_watch_look(struct source_watch *w)
{
    enum source_state state = SOURCES_SAME;
    int64_t now_ms = clock_monotonic_ms();

    for (size_t i = 0; i < w->count; i++) {
        struct watched *item = &w->items[i];

        look(w, item, now_ms);
        if (item->seen == item->loaded)
            continue;
        if (now_ms - item->since_ms < REST_MS)
            state = SOURCES_WRITTEN;
        else if (state == SOURCES_SAME)
            state = SOURCES_CHANGED;
    }
    for (size_t i = 0; i < w->count && state == SOURCES_CHANGED; i++)
        w->items[i].loaded = w->items[i].seen;
    return state;
}

/* A key of Redis is not half written: it is not scanned once more. */
int source_watch_still(struct source_watch *w, struct err *err)
{
    for (size_t i = 0; i < w->count; i++) {
        struct watched *item = &w->items[i];

        if (item->name.kind != SOURCE_REDIS && stamp_now(w, item, 0) != item->seen)
            return err_set(err, EX_TEMPFAIL,
                           "source \"%s\" was written while it was read: it is read again once it "
                           "has not changed for %d seconds",
                           item->text, REST_MS / 1000);
    }
    return 0;
}

static const struct watched *find_watched(const struct source_watch *w, const char *text)
{
    for (size_t i = 0; w != NULL && i < w->count; i++)
        if (strcmp(w->items[i].text, text) == 0)
            return &w->items[i];
    return NULL;
}

/* What the watch before this one has seen is what is about to be loaded. */
static void begin(struct source_watch *w, struct watched *item, const struct source_watch *before)
{
    const struct watched *known = find_watched(before, item->text);

    if (known != NULL) {
        item->next_ms = known->next_ms;
        item->seen = known->seen;
    } else {
        item->seen = stamp_now(w, item, clock_monotonic_ms());
    }
    item->loaded = item->seen;
}

static int add_source(struct source_watch *w, const char *text, const struct source_watch *before,
                      struct err *err)
{
    struct slice kept = arena_copy(&w->arena, slice_str(text));
    struct watched *grown = arena_grow(&w->arena, w->items, w->count, &w->room, sizeof *grown);

    struct watched *item;

    if (grown == NULL || kept.ptr == NULL)
        return err_set(err, EX_OSERR, "out of memory for the watch over sources");
    w->items = grown;
    item = &grown[w->count];
    item->text = kept.ptr;
    if (source_name_parse(kept, &w->arena, &item->name, err) != 0)
        return -1;
    arena_init(&item->paths_arena, PATHS_MAX_BYTES);
    w->count++;
    begin(w, item, before);
    return 0;
}

struct source_watch *source_watch_new(const struct settings *s, const struct source_watch *before,
                                      struct err *err)
{
    const struct string_list *lists[] = {&s->hosted.domains,  &s->hosted.forwards,
                                         &s->hosted.logins,   &s->throttle.assign,
                                         &s->throttle.admins, &s->billing.customers};
    struct source_watch *w = calloc(1, sizeof *w);
    int result = w != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");

    if (w == NULL)
        return NULL;
    w->settings = s;
    arena_init(&w->arena, PATHS_MAX_BYTES);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t k = 0; k < lists[i]->count && result == 0; k++)
            result = add_source(w, lists[i]->items[k], before, err);
    if (result == 0)
        return w;
    source_watch_free(w);
    return NULL;
}

void source_watch_free(struct source_watch *w)
{
    if (w == NULL)
        return;
    for (size_t i = 0; i < w->count; i++)
        arena_fini(&w->items[i].paths_arena);
    store_free(w->store);
    arena_fini(&w->arena);
    free(w);
}
