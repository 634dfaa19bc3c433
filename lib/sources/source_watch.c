#include <stdlib.h>
#include <sysexits.h>

#include "lib/sources/listing.h"
#include "lib/sources/postfix.h"
#include "lib/sources/source.h"
#include "lib/sys/clock.h"

/* A key is scanned at most this often, and for a hundredth of the time at most. */
#define SCAN_PAUSE_MS   10000
#define SCAN_SHARE      100

#define PATHS_MAX_BYTES ((size_t)1 << 20)

struct watched {
    struct source_name name;
    uint64_t stamp; /* 0: not known yet */

    int64_t next_ms; /* REDIS: not looked at before */

    /* POSTFIX: the files that main.cf names, and the main.cf that named them */
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

/* --- all kinds
 * ------------------------------------------------------------------------------------ */

static uint64_t stamp_redis(struct source_watch *w, struct watched *item)
{
    uint64_t stamp = HASH_BEGIN;
    int64_t begin_ms = clock_monotonic_ms(), pause_ms;
    int result;

    if (begin_ms < item->next_ms)
        return item->stamp;
    if (w->store == NULL)
        w->store = store_new(w->settings, NULL);
    result = w->store != NULL ? listing_redis_stamp(&item->name, w->store, &stamp, NULL) : -1;
    pause_ms = (clock_monotonic_ms() - begin_ms) * SCAN_SHARE;
    item->next_ms = begin_ms + (pause_ms > SCAN_PAUSE_MS ? pause_ms : SCAN_PAUSE_MS);
    return result == 0 ? stamp : item->stamp;
}

static uint64_t stamp_now(struct source_watch *w, struct watched *item)
{
    switch (item->name.kind) {
    case SOURCE_FILE:
        return listing_stamp_file(HASH_BEGIN, item->name.path.ptr);
    case SOURCE_REDIS:
        return stamp_redis(w, item);
    case SOURCE_POSTFIX:
        return stamp_postfix(item);
    case SOURCE_SOCKETMAP:
        break;
    }
    return HASH_BEGIN; /* it is asked anyway */
}

bool source_watch_changed(struct source_watch *w)
{
    bool changed = false;

    for (size_t i = 0; i < w->count; i++) {
        uint64_t stamp = stamp_now(w, &w->items[i]);

        changed = changed || stamp != w->items[i].stamp;
        w->items[i].stamp = stamp;
    }
    return changed;
}

static int add_source(struct source_watch *w, const char *text, struct err *err)
{
    struct watched *grown = arena_grow(&w->arena, w->items, w->count, &w->room, sizeof *grown);

    if (grown == NULL)
        return err_set(err, EX_OSERR, "out of memory for the watch over sources");
    w->items = grown;
    if (source_name_parse(slice_str(text), &w->arena, &w->items[w->count].name, err) != 0)
        return -1;
    arena_init(&w->items[w->count].paths_arena, PATHS_MAX_BYTES);
    w->count++;
    return 0;
}

struct source_watch *source_watch_new(const struct settings *s, struct err *err)
{
    const struct string_list *lists[] = {&s->hosted.domains, &s->hosted.forwards, &s->hosted.logins,
                                         &s->throttle.assign};
    struct source_watch *w = calloc(1, sizeof *w);
    int result = w != NULL ? 0 : err_set(err, EX_OSERR, "out of memory");

    if (w == NULL)
        return NULL;
    w->settings = s;
    arena_init(&w->arena, PATHS_MAX_BYTES);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++)
        for (size_t k = 0; k < lists[i]->count && result == 0; k++)
            result = add_source(w, lists[i]->items[k], err);
    if (result == 0) {
        (void)source_watch_changed(w);
        return w;
    }
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
