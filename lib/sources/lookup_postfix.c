/* Tables of Postfix: one postmap(1) answers all the questions of a message. */
#include <string.h>
#include <sysexits.h>

#include "lib/core/strmap.h"
#include "lib/sources/lookup.h"
#include "lib/sources/postfix.h"

#define KEYS_MAX_BYTES ((size_t)64 << 20)

/* There is nothing to keep between questions. */
static void *connection_new(const struct lookup *a, struct err *err)
{
    static char none;

    (void)a;
    (void)err;
    return &none;
}

static void connection_free(void *connection)
{
    (void)connection;
}

/* Keys go one a line, and come back before a tab. */
static bool can_be_asked(struct slice key)
{
    return key.len > 0 && slice_find(key, '\n') < 0 && slice_find(key, '\t') < 0 &&
           memchr(key.ptr, '\0', key.len) == NULL;
}

static void add_keys(const struct lookup_keys *list, size_t count, struct buf *out)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < list[i].count; k++)
            if (can_be_asked(list[i].keys[k])) {
                buf_add(out, list[i].keys[k]);
                buf_add_char(out, '\n');
            }
}

/* key -> struct slice *, its value; all in the arena. */
static int read_pairs(struct slice rest, struct strmap *pairs, struct arena *arena)
{
    struct slice key, value, *kept;

    while (postfix_pair_next(&rest, &key, &value)) {
        void **entry;

        kept = arena_array(arena, 2, sizeof *kept);
        if (kept == NULL)
            return -1;
        kept[0] = arena_copy(arena, value);
        kept[1] = arena_copy(arena, key);
        entry =
            kept[0].ptr != NULL && kept[1].ptr != NULL ? strmap_add(pairs, kept[1], NULL) : NULL;
        if (entry == NULL)
            return -1;
        *entry = kept;
    }
    return 0;
}

static void answer(struct lookup_keys *k, const struct strmap *pairs)
{
    k->found = false;
    for (size_t i = 0; i < k->count && !k->found; i++) {
        void **entry = strmap_find(pairs, k->keys[i]);

        if (entry != NULL) {
            k->found = true;
            k->at = i;
            k->value = *(const struct slice *)*entry;
        }
    }
}

static int answer_all(struct lookup_keys *list, size_t count, struct slice pairs_text,
                      struct arena *arena, struct err *err)
{
    struct strmap pairs;
    int result;

    strmap_init(&pairs);
    result = read_pairs(pairs_text, &pairs, arena);
    for (size_t i = 0; i < count && result == 0; i++)
        answer(&list[i], &pairs);
    strmap_fini(&pairs);
    return result == 0 ? 0 : err_set(err, EX_OSERR, "out of memory");
}

static int ask(const struct lookup *a, void *connection, struct lookup_keys *list, size_t count,
               struct arena *arena, struct err *err)
{
    struct buf keys, found;
    int result;

    (void)connection;
    buf_init(&keys, KEYS_MAX_BYTES);
    add_keys(list, count, &keys);
    buf_init(&found, 0);
    if (keys.failed)
        result = err_set(err, EX_TEMPFAIL, "too many recipients for one question");
    else if (keys.len == 0)
        result = 0; /* nothing that this table could know */
    else
        result = postfix_table_ask(a->dir, a->table, buf_slice(&keys), &found, err);
    if (result == 0)
        result = answer_all(list, count, buf_slice(&found), arena, err);
    buf_fini(&found);
    buf_fini(&keys);
    return result == 0 ? 0 : err_prefix(err, "table %s of postfix:%s", a->table, a->dir);
}

static const struct lookup_kind postfix = {connection_new, connection_free, ask};

struct lookup *lookup_postfix_new(const char *dir, struct slice table, struct err *err)
{
    struct lookup *a = lookup_new(&postfix, err);

    if (a == NULL)
        return NULL;
    a->dir = lookup_keep(a, slice_str(dir), err);
    a->table = lookup_keep(a, table, err);
    if (a->dir != NULL && a->table != NULL)
        return a;
    lookup_free(a);
    return NULL;
}
