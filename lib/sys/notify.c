#include "lib/sys/notify.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/program.h"

#define OUT_BYTES   4096
#define WORDS_BYTES 65536

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

static int run(const char *program, const char *const *argv, struct err *err)
{
    struct buf out, errors;
    int status;

    buf_init(&out, OUT_BYTES);
    buf_init(&errors, OUT_BYTES);
    status =
        program_run(argv, SLICE_NONE, &out, &errors, clock_monotonic_ms() + NOTIFY_TIMEOUT_MS, err);
    if (status > 0)
        (void)err_set(err, EX_UNAVAILABLE, "%s ends with %d: %.*s", program, status,
                      SLICE_FMT(slice_trim(buf_slice(&errors))));
    buf_fini(&out);
    buf_fini(&errors);
    return status == 0 ? 0 : -1;
}

int notify_run(const char *program, const struct notify_event *e, struct err *err)
{
    const char *argv[NOTIFY_WORDS];
    struct buf words;
    int result;

    buf_init(&words, WORDS_BYTES);
    result =
        notify_argv(program, e, &words, argv)
            ? run(program, argv, err)
            : err_set(err, EX_DATAERR, "%s: more than %d bytes of fields", program, WORDS_BYTES);
    buf_fini(&words);
    return result;
}
