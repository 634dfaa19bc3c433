#include "lib/core/milter_macros.h"

#include <string.h>

enum {
    HEAD_BYTES = 6,
    LAST_BYTES = 256, /* a longer packet is taken each time */
};

static const struct slice names[MILTER_MACRO_IDS] = {
    [MILTER_MACRO_QUEUE_ID] = {"i", 1},
    [MILTER_MACRO_VERSION] = {"v", 1},
    [MILTER_MACRO_CLIENT_ADDR] = {"{client_addr}", 13},
    [MILTER_MACRO_AUTH_AUTHEN] = {"{auth_authen}", 13},
    [MILTER_MACRO_MAIL_ADDR] = {"{mail_addr}", 11},
    [MILTER_MACRO_RCPT_ADDR] = {"{rcpt_addr}", 11},
    [MILTER_MACRO_RCPT_MAILER] = {"{rcpt_mailer}", 13},
    [MILTER_MACRO_RCPT_HOST] = {"{rcpt_host}", 11},
};

struct kept_macro {
    int stage, id;
    struct slice value;
};

void milter_macro_store_init(struct milter_macro_store *m)
{
    buf_init(&m->kept, MILTER_MACROS_BYTES);
    buf_init(&m->last, LAST_BYTES);
    m->last_stage = -1;
}

void milter_macro_store_fini(struct milter_macro_store *m)
{
    buf_fini(&m->kept);
    buf_fini(&m->last);
}

void milter_macro_store_reset(struct milter_macro_store *m)
{
    buf_reset(&m->kept);
    m->last_stage = -1;
    m->stages = 0;
}

static bool take_kept(struct slice *rest, struct kept_macro *out)
{
    struct slice head;
    uint32_t len;

    if (!slice_take(rest, 2, &head) || !slice_take_u32(rest, &len) ||
        !slice_take(rest, len, &out->value))
        return false;
    out->stage = (unsigned char)head.ptr[0];
    out->id = (unsigned char)head.ptr[1];
    return true;
}

/* A name of one letter may come in braces. */
static int find_name(struct slice name)
{
    if (name.len == 3 && name.ptr[0] == '{' && name.ptr[2] == '}')
        name = (struct slice){name.ptr + 1, 1};
    for (int i = 0; i < MILTER_MACRO_IDS; i++) {
        if (slice_equal(names[i], name))
            return i;
    }
    return -1;
}

/* Text behind the last NUL is none of the strings. */
static bool is_odd(struct slice data)
{
    struct slice text;
    size_t count = 0;

    while (milter_wire_take_string(&data, &text))
        count++;
    return count % 2 != 0;
}

static void drop(struct milter_macro_store *m, int from, int to)
{
    unsigned dropped = (2U << to) - (1U << from);
    struct slice rest = buf_slice(&m->kept);
    struct kept_macro one;
    char *write = m->kept.data;

    if ((m->stages & dropped) == 0)
        return;
    m->stages &= ~dropped;
    while (take_kept(&rest, &one)) {
        size_t len = HEAD_BYTES + one.value.len;

        if (one.stage >= from && one.stage <= to)
            continue;
        if (write != one.value.ptr - HEAD_BYTES)
            memmove(write, one.value.ptr - HEAD_BYTES, len);
        write += len;
    }
    if (m->kept.data != NULL)
        m->kept.len = (size_t)(write - m->kept.data);
}

void milter_macro_store_clear(struct milter_macro_store *m, int from)
{
    drop(m, from, MILTER_STAGES);
    m->last_stage = -1;
}

static void keep(struct milter_macro_store *m, enum milter_stage stage, int id, struct slice value)
{
    buf_add_char(&m->kept, (char)stage);
    buf_add_char(&m->kept, (char)id);
    buf_add_text(&m->kept, value);
    m->stages |= 1U << stage;
}

static bool is_same_again(const struct milter_macro_store *m, enum milter_stage stage,
                          struct slice data)
{
    return m->last_stage == (int)stage && slice_equal(buf_slice(&m->last), data);
}

static void last_note(struct milter_macro_store *m, enum milter_stage stage, struct slice data)
{
    buf_reset(&m->last);
    buf_add(&m->last, data);
    m->last_stage = m->last.failed ? -1 : (int)stage;
}

enum milter_macros_set milter_macro_store_set(struct milter_macro_store *m, enum milter_stage stage,
                                              struct slice data)
{
    struct slice name, value, whole = data;

    if (is_same_again(m, stage, data))
        return MILTER_MACROS_SET;
    if (is_odd(data))
        return MILTER_MACROS_ODD;
    drop(m, (int)stage, (int)stage);
    while (milter_wire_take_string(&data, &name) && milter_wire_take_string(&data, &value)) {
        int id = find_name(name);

        if (id >= 0)
            keep(m, stage, id, value);
    }
    if (m->kept.failed)
        return MILTER_MACROS_FULL;
    last_note(m, stage, whole);
    return MILTER_MACROS_SET;
}

struct slice milter_macro_store_get(const struct milter_macro_store *m, enum milter_macro_id id)
{
    struct slice rest = buf_slice(&m->kept), found = SLICE_NONE;
    struct kept_macro one;
    int stage = MILTER_STAGES;

    while (take_kept(&rest, &one)) {
        if (one.id == (int)id && one.stage < stage) {
            stage = one.stage;
            found = one.value;
        }
    }
    return found;
}
