#include "collect/samples.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "collect/shapes.h"
#include "lib/core/buf.h"

#define TEXT_BYTES 4096

static bool is_of_word(char c)
{
    return isalnum((unsigned char)c) != 0 || (c != '\0' && strchr(".-_+=@", c) != NULL) ||
           (unsigned char)c >= 0x80;
}

static bool is_telling(struct slice word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];

        if (isdigit((unsigned char)c) != 0 || c == '@' || (unsigned char)c >= 0x80 ||
            (c == '.' && i + 1 < word.len))
            return true;
    }
    return false;
}

/* The length of what is between brackets, or of a word; 0 where neither begins. */
static size_t part_len(struct slice text)
{
    size_t len = 0;

    if (text.ptr[0] == '<') {
        while (len < text.len && text.ptr[len] != '>')
            len++;
        return len;
    }
    while (len < text.len && is_of_word(text.ptr[len]))
        len++;
    return len;
}

static void blank_add(struct buf *out, struct slice text)
{
    while (text.len > 0 && out->len < SAMPLES_BYTES) {
        size_t len = part_len(text);

        if (len == 0)
            buf_add_char(out, text.ptr[0] >= ' ' ? text.ptr[0] : '*');
        else if (text.ptr[0] == '<')
            buf_add_str(out, "<*");
        else if (is_telling(slice_to(text, len)))
            buf_add_char(out, '*');
        else
            buf_add(out, slice_to(text, len));
        text = slice_from(text, len > 0 ? len : 1);
    }
}

void samples_add(struct samples *s, const struct log_line *line)
{
    struct buf text;
    size_t i = 0;

    buf_init(&text, TEXT_BYTES);
    buf_addf(&text, "%s: ", shapes_daemon_name(line->daemon));
    blank_add(&text, line->text);
    while (i < s->count &&
           !slice_equal(slice_str(s->list[i].text), slice_to(buf_slice(&text), SAMPLES_BYTES - 1)))
        i++;
    if (i == s->count && i < SAMPLES_MAX) {
        (void)snprintf(s->list[i].text, SAMPLES_BYTES, "%.*s", SLICE_FMT(buf_slice(&text)));
        s->count++;
    }
    if (i < SAMPLES_MAX)
        s->list[i].lines++;
    buf_fini(&text);
}

static int more(const void *a, const void *b)
{
    const struct samples_text *x = a, *y = b;

    if (x->lines != y->lines)
        return x->lines < y->lines ? 1 : -1;
    return strcmp(x->text, y->text);
}

void samples_sort(struct samples *s)
{
    qsort(s->list, s->count, sizeof s->list[0], more);
}
