#include <limits.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/units.h"
#include "lib/sys/settings_plans.h"
#include "lib/sys/settings_table.h"

static void *member(struct settings *s, size_t at)
{
    return (char *)s + at;
}

static const void *const_member(const struct settings *s, size_t at)
{
    return (const char *)s + at;
}

static int get_int(const struct settings *s, size_t at)
{
    int value;

    memcpy(&value, const_member(s, at), sizeof value);
    return value;
}

static int64_t get_int64(const struct settings *s, size_t at)
{
    int64_t value;

    memcpy(&value, const_member(s, at), sizeof value);
    return value;
}

static void choices_format(const struct setting *row, struct buf *b)
{
    for (const struct choice *c = row->choices; c->name != NULL; c++)
        buf_addf(b, "%s%s", c == row->choices ? "" : ", ", c->name[0] != '\0' ? c->name : "\"\"");
}

static void amount_of(const struct setting *row, struct buf *b, int64_t value)
{
    if (row->type == SETTING_SIZE)
        units_format(UNITS_SIZE, b, value);
    else if (row->type == SETTING_NUMBER)
        buf_addf(b, "%lld", (long long)value);
    else
        units_format(UNITS_TIME, b, value);
}

void setting_range(const struct setting *row, struct buf *b)
{
    switch (row->type) {
    case SETTING_CHOICE:
        choices_format(row, b);
        break;
    case SETTING_BOOL:
        buf_add_str(b, "true, false");
        break;
    case SETTING_SYNC:
        choices_format(row, b);
        buf_add_str(b, ", or ");
        /* fall through */
    case SETTING_NUMBER:
    case SETTING_SIZE:
    case SETTING_TIME:
        amount_of(row, b, row->min);
        buf_add_str(b, " to ");
        amount_of(row, b, row->max);
        break;
    case SETTING_TEXT:
    case SETTING_MODE:
    case SETTING_LIST:
    case SETTING_PLANS:
        break;
    }
}

static int bad_value(const struct setting *row, struct slice value, const char *is_no,
                     struct err *err)
{
    struct buf b;

    buf_init(&b, 512);
    setting_range(row, &b);
    (void)err_set(err, EX_CONFIG, "\"%.*s\" is %s: use %.*s", SLICE_FMT(value), is_no,
                  SLICE_FMT(buf_slice(&b)));
    buf_fini(&b);
    return -1;
}

static bool choice_find(const struct setting *row, struct slice value, int *number)
{
    for (const struct choice *c = row->choices; c->name != NULL; c++) {
        if (slice_equal(slice_str(c->name), value)) {
            *number = c->value;
            return true;
        }
    }
    return false;
}

static int set_amount(const struct setting *row, struct settings *s, size_t at, struct slice value,
                      struct err *err)
{
    const char *unitless = row->type == SETTING_SIZE ? "not a size with its unit (B KB MB GB)"
                                                     : "not a time with its unit (ms s min h days)";
    int64_t amount;
    uint64_t n = 0;
    bool good;

    if (row->type == SETTING_NUMBER) {
        good = slice_number(value, &n) && n <= INT64_MAX;
        amount = (int64_t)n;
        unitless = "not a whole number";
    } else {
        good = row->type == SETTING_SIZE ? units_parse(UNITS_SIZE, value, &amount)
                                         : units_parse(UNITS_TIME, value, &amount);
    }
    if (!good)
        return bad_value(row, value, unitless, err);
    if (amount < row->min || amount > row->max)
        return bad_value(row, value, "out of range", err);
    memcpy(member(s, at), &amount, sizeof amount);
    return 0;
}

static int set_choice(const struct setting *row, struct settings *s, struct slice value,
                      struct err *err)
{
    int number;

    if (!choice_find(row, value, &number)) {
        if (row->type == SETTING_CHOICE)
            return bad_value(row, value, "not a value of this setting", err);
        if (set_amount(row, s, row->at_ms, value, err) != 0)
            return -1;
        number = SYNC_TIMED;
    }
    memcpy(member(s, row->at), &number, sizeof number);
    return 0;
}

static int set_mode(const struct setting *row, struct settings *s, struct slice value,
                    struct err *err)
{
    unsigned mode = 0;

    for (size_t i = 0; i < value.len; i++) {
        if (value.ptr[i] < '0' || value.ptr[i] > '7' || value.len > 4)
            return err_set(
                err, EX_CONFIG,
                "\"%.*s\" is not a mode: write three or four octal digits, such as \"0660\"",
                SLICE_FMT(value));
        mode = mode * 8 + (unsigned)(value.ptr[i] - '0');
    }
    if (value.len < 3 || mode > row->max)
        return err_set(err, EX_CONFIG, "\"%.*s\" is out of range: use \"0000\" to \"0777\"",
                       SLICE_FMT(value));
    memcpy(member(s, row->at), &mode, sizeof mode);
    return 0;
}

static int set_bool(const struct setting *row, struct settings *s, struct slice value,
                    struct err *err)
{
    bool is_true = slice_equal(value, SLICE("true"));

    if (!is_true && !slice_equal(value, SLICE("false")))
        return bad_value(row, value, "neither", err);
    memcpy(member(s, row->at), &is_true, sizeof is_true);
    return 0;
}

/* A copy of the text, or NULL with *err if it cannot be a value. */
static const char *text_copy(const struct setting *row, struct settings *s, struct slice value,
                             struct err *err)
{
    struct slice copied = arena_copy(&s->arena, value);

    for (size_t i = 0; i < value.len; i++) {
        if ((unsigned char)value.ptr[i] < ' ' || value.ptr[i] == 0x7f) {
            (void)err_set(err, EX_CONFIG, "the text contains a control character: remove it");
            return NULL;
        }
    }
    if (copied.ptr == NULL)
        (void)err_set(err, EX_OSERR, "out of memory");
    else if (row->check == NULL || row->check(copied, &s->arena, err) == 0)
        return copied.ptr;
    return NULL;
}

static int set_text(const struct setting *row, struct settings *s, struct slice value,
                    struct err *err)
{
    const char *text;

    if (value.len < (size_t)row->min)
        return err_set(err, EX_CONFIG,
                       "is empty: give a value, or remove the line for the default \"%s\"",
                       row->standard);
    if (value.len > (size_t)row->max)
        return err_set(err, EX_CONFIG, "is longer than %lld bytes: shorten it",
                       (long long)row->max);
    text = text_copy(row, s, value, err);
    if (text == NULL)
        return -1;
    memcpy(member(s, row->at), &text, sizeof text);
    return 0;
}

struct string_list *setting_list(const struct setting *row, struct settings *s)
{
    return member(s, row->at);
}

int setting_list_add(const struct setting *row, struct settings *s, struct slice item,
                     struct err *err)
{
    struct string_list *list = setting_list(row, s);
    const char *text = text_copy(row, s, item, err), **items;

    if (text == NULL)
        return -1;
    if (list->count >= (size_t)row->max)
        return err_set(err, EX_CONFIG, "has more than %lld entries: shorten the list",
                       (long long)row->max);
    /* Grown in steps of eight: lists are short, and the arena keeps the outgrown ones. */
    items = list->items;
    if (list->count % 8 == 0) {
        items = arena_array(&s->arena, list->count + 8, sizeof *items);
        if (items == NULL)
            return err_set(err, EX_OSERR, "out of memory");
        if (list->count > 0)
            memcpy(items, list->items, list->count * sizeof *items);
    }
    items[list->count++] = text;
    list->items = items;
    return 0;
}

static int set_list(const struct setting *row, struct settings *s, struct slice value,
                    struct err *err)
{
    struct slice item;

    while (slice_word(&value, " ", &item)) {
        if (setting_list_add(row, s, item, err) != 0)
            return -1;
    }
    return 0;
}

int setting_set(const struct setting *row, struct settings *s, struct slice value, struct err *err)
{
    switch (row->type) {
    case SETTING_TEXT:
        return set_text(row, s, value, err);
    case SETTING_CHOICE:
    case SETTING_SYNC:
        return set_choice(row, s, value, err);
    case SETTING_BOOL:
        return set_bool(row, s, value, err);
    case SETTING_NUMBER:
    case SETTING_SIZE:
    case SETTING_TIME:
        return set_amount(row, s, row->at, value, err);
    case SETTING_MODE:
        return set_mode(row, s, value, err);
    case SETTING_LIST:
        return set_list(row, s, value, err);
    case SETTING_PLANS:
        return settings_plans_standard(s, value, err);
    }
    return err_set(err, EX_SOFTWARE, "no such type");
}

static void choice_format(const struct setting *row, const struct settings *s, struct buf *b)
{
    int value = get_int(s, row->at);

    for (const struct choice *c = row->choices; c->name != NULL; c++) {
        if (c->value == value) {
            buf_add_str(b, c->name);
            return;
        }
    }
    units_format(UNITS_TIME, b, get_int64(s, row->at_ms));
}

void setting_format(const struct setting *row, const struct settings *s, struct buf *b)
{
    const char *text;
    bool is_true;

    switch (row->type) {
    case SETTING_TEXT:
        memcpy(&text, const_member(s, row->at), sizeof text);
        buf_add_str(b, text);
        break;
    case SETTING_CHOICE:
    case SETTING_SYNC:
        choice_format(row, s, b);
        break;
    case SETTING_BOOL:
        memcpy(&is_true, const_member(s, row->at), sizeof is_true);
        buf_add_str(b, is_true ? "true" : "false");
        break;
    case SETTING_NUMBER:
    case SETTING_SIZE:
    case SETTING_TIME:
        amount_of(row, b, get_int64(s, row->at));
        break;
    case SETTING_MODE:
        buf_addf(b, "0%03o", (unsigned)get_int(s, row->at));
        break;
    case SETTING_LIST:
    case SETTING_PLANS:
        break;
    }
}
