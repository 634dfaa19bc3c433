#include "collect/zone.h"

#include <stdlib.h>
#include <sysexits.h>

#include "collect/zone_rule.h"

#define DAY_S        86400
#define HEADER_BYTES 44
#define TYPE_BYTES   6

struct zone_change {
    int64_t at_s, offset_s; /* from then on */
};

struct zone {
    int64_t first_s; /* offset before the first change */
    size_t count;
    bool has_rule;
    struct zone_rule rule; /* after the last change */
    struct zone_change changes[];
};

/* --- reading ------------------------------------------------------------------------------------
 */

struct zone_counts {
    uint32_t utc, standard, leap, change, type, text;
};

static bool take_be(struct slice *s, size_t bytes, int64_t *value)
{
    uint64_t v = 0;

    if (s->len < bytes)
        return false;
    for (size_t i = 0; i < bytes; i++)
        v = v << 8 | (unsigned char)s->ptr[i];
    if (bytes == 4)
        v = (uint64_t)(int64_t)(int32_t)(uint32_t)v;
    *value = (int64_t)v;
    *s = slice_from(*s, bytes);
    return true;
}

static bool take_header(struct slice *s, struct zone_counts *c)
{
    struct slice head;

    if (!slice_take(s, HEADER_BYTES, &head) || !slice_equal(slice_to(head, 4), SLICE("TZif")))
        return false;
    head = slice_from(head, 20);
    return slice_take_u32(&head, &c->utc) && slice_take_u32(&head, &c->standard) &&
           slice_take_u32(&head, &c->leap) && slice_take_u32(&head, &c->change) &&
           slice_take_u32(&head, &c->type) && slice_take_u32(&head, &c->text) && c->type > 0;
}

static size_t body_bytes(const struct zone_counts *c, size_t time_bytes)
{
    return (size_t)c->change * (time_bytes + 1) + (size_t)c->type * TYPE_BYTES + c->text +
           (size_t)c->leap * (time_bytes + 4) + c->standard + c->utc;
}

static bool type_offset(struct slice types, size_t at, int64_t *offset_s)
{
    struct slice type = slice_from(types, at * TYPE_BYTES);

    return take_be(&type, 4, offset_s);
}

static bool read_changes(struct zone *z, struct slice body, const struct zone_counts *c,
                         size_t time_bytes)
{
    struct slice numbers, types;

    if (body.len < body_bytes(c, time_bytes))
        return false;
    numbers = slice_from(body, c->change * time_bytes);
    types = slice_from(numbers, c->change);
    if (!type_offset(types, 0, &z->first_s))
        return false;
    for (size_t i = 0; i < c->change; i++) {
        struct zone_change *change = &z->changes[z->count];

        if (!take_be(&body, time_bytes, &change->at_s) ||
            !type_offset(slice_to(types, (size_t)c->type * TYPE_BYTES),
                         (unsigned char)numbers.ptr[i], &change->offset_s))
            return false;
        z->count++;
    }
    return true;
}

/* What follows the second body: "\nCET-1CEST,M3.5.0,M10.5.0/3\n". */
static void read_rule(struct zone *z, struct slice footer)
{
    struct slice text;

    if (footer.len == 0 || footer.ptr[0] != '\n')
        return;
    footer = slice_from(footer, 1);
    z->has_rule = slice_cut(&footer, '\n', &text) && zone_rule_parse(text, &z->rule);
}

static struct zone *zone_read(struct slice tzif)
{
    struct zone_counts c;
    size_t time_bytes = 4;
    bool is_newer = tzif.len > 4 && tzif.ptr[4] >= '2';
    struct zone *z;

    if (!take_header(&tzif, &c))
        return NULL;
    if (is_newer) { /* a second body with times of 64 bits, and the rule */
        time_bytes = 8;
        tzif = slice_from(tzif, body_bytes(&c, 4));
        if (!take_header(&tzif, &c))
            return NULL;
    }
    if (tzif.len < body_bytes(&c, time_bytes))
        return NULL;
    z = calloc(1, sizeof *z + c.change * sizeof z->changes[0]);
    if (z != NULL && !read_changes(z, tzif, &c, time_bytes)) {
        free(z);
        return NULL;
    }
    if (z != NULL && is_newer)
        read_rule(z, slice_from(tzif, body_bytes(&c, time_bytes)));
    return z;
}

struct zone *zone_new(struct slice tzif, struct err *err)
{
    struct zone *z = zone_read(tzif);

    if (z == NULL)
        (void)err_set(err, EX_CONFIG, "not a compiled time zone (tzfile(5))");
    return z;
}

void zone_free(struct zone *z)
{
    free(z);
}

/* --- asking -------------------------------------------------------------------------------------
 */

int64_t zone_offset(const struct zone *z, int64_t time_s)
{
    size_t low = 0, high;

    if (z == NULL)
        return 0;
    if (z->has_rule && (z->count == 0 || time_s >= z->changes[z->count - 1].at_s))
        return zone_rule_offset(&z->rule, time_s);
    for (high = z->count; low < high;) {
        size_t middle = low + (high - low) / 2;

        if (z->changes[middle].at_s <= time_s)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 ? z->changes[low - 1].offset_s : z->first_s;
}

/* The first second in (from_s, to_s] with another offset than at from_s. */
static int64_t change_between(const struct zone *z, int64_t from_s, int64_t to_s)
{
    int64_t offset_s = zone_offset(z, from_s);

    while (to_s - from_s > 1) {
        int64_t middle = from_s + (to_s - from_s) / 2;

        if (zone_offset(z, middle) == offset_s)
            from_s = middle;
        else
            to_s = middle;
    }
    return to_s;
}

enum zone_times zone_times(const struct zone *z, int64_t local_s, int64_t *first, int64_t *second,
                           int64_t *change)
{
    int64_t before = zone_offset(z, local_s - DAY_S), after = zone_offset(z, local_s + DAY_S);
    int64_t a = local_s - before, b = local_s - after;

    *first = *second = a;
    *change = INT64_MIN;
    if (before == after)
        return ZONE_ONCE;
    if (zone_offset(z, a) != before) {
        if (zone_offset(z, b) == after)
            *first = *second = b;
        return ZONE_ONCE;
    }
    if (zone_offset(z, b) != after)
        return ZONE_ONCE;
    *second = b;
    *change = change_between(z, a, b);
    return ZONE_TWICE;
}
