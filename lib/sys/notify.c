#include "lib/sys/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct slice notify_field_text(const struct log_field *f, char number[24])
{
    if (!f->is_number)
        return f->text.ptr != NULL ? f->text : SLICE("");
    (void)snprintf(number, 24, "%" PRId64, f->number);
    return slice_str(number);
}

/* A word ends at its NUL; one in a value would begin another word. */
static void word_add(struct buf *b, struct slice text)
{
    ptrdiff_t end = slice_find(text, '\0');

    buf_add(b, end < 0 ? text : slice_to(text, (size_t)end));
    buf_add_char(b, '\0');
}

static void environment_add(struct buf *b, const struct log_field *f)
{
    char number[24];

    buf_add_str(b, "TOLLGATE_");
    for (const char *c = f->key; *c != '\0'; c++)
        buf_add_char(b, (char)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c));
    buf_add_char(b, '=');
    word_add(b, notify_field_text(f, number));
}

bool notify_argv(const char *program, const struct notify_event *e, struct buf *words,
                 const char *argv[NOTIFY_WORDS])
{
    size_t argc = 1 + e->count + 4;
    const char *at;

    TG_ASSERT(e->count <= NOTIFY_FIELDS_MAX);
    buf_reset(words);
    word_add(words, SLICE("env"));
    for (size_t i = 0; i < e->count; i++)
        environment_add(words, &e->fields[i]);
    word_add(words, slice_str(program));
    word_add(words, slice_str(e->event));
    word_add(words, e->account);
    word_add(words, e->what);
    if (words->failed)
        return false;
    at = words->data;
    for (size_t i = 0; i < argc; at += strlen(at) + 1)
        argv[i++] = at;
    argv[argc] = NULL;
    return true;
}
