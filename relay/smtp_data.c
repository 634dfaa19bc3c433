#include "relay/smtp_data.h"

#include <string.h>

void smtp_data_init(struct smtp_data *d)
{
    d->state = SMTP_DATA_LINE_START;
}

/* The number of bytes before the first CR, LF or NUL. */
static size_t plain_run(struct slice s)
{
    size_t n = 0;

    while (n < s.len && s.ptr[n] != '\r' && s.ptr[n] != '\n' && s.ptr[n] != '\0')
        n++;
    return n;
}

/* A dot at the start of a line is removed; a line with only a dot ends the text. */
static enum smtp_data_state at_line_start(char c, struct buf *out)
{
    if (c == '.')
        return SMTP_DATA_DOT;
    if (c == '\r')
        return SMTP_DATA_CR;
    buf_add_char(out, c);
    return SMTP_DATA_TEXT;
}

static enum smtp_data_state behind_dot(char c, struct buf *out)
{
    if (c == '\r')
        return SMTP_DATA_DOT_CR;
    buf_add_char(out, c);
    return SMTP_DATA_TEXT;
}

static enum smtp_data_state behind_cr(char c, struct buf *out)
{
    if (c != '\n')
        return SMTP_DATA_BARE;
    buf_add(out, SLICE("\r\n"));
    return SMTP_DATA_LINE_START;
}

static enum smtp_data_state step(enum smtp_data_state state, char c, struct buf *out)
{
    if (c == '\0')
        return SMTP_DATA_NUL;
    if (state == SMTP_DATA_CR)
        return behind_cr(c, out);
    if (state == SMTP_DATA_DOT_CR)
        return c == '\n' ? SMTP_DATA_END : SMTP_DATA_BARE;
    if (c == '\n')
        return SMTP_DATA_BARE;
    if (state == SMTP_DATA_LINE_START)
        return at_line_start(c, out);
    if (state == SMTP_DATA_DOT)
        return behind_dot(c, out);
    return SMTP_DATA_CR; /* within a line: only a CR is left after the plain run */
}

void smtp_data_take(struct smtp_data *d, struct slice *in, struct buf *out)
{
    while (in->len > 0 && d->state < SMTP_DATA_END) {
        if (d->state == SMTP_DATA_TEXT) {
            size_t run = plain_run(*in);

            buf_add(out, slice_to(*in, run));
            *in = (struct slice){in->ptr + run, in->len - run};
            if (in->len == 0)
                return;
        }
        d->state = step(d->state, in->ptr[0], out);
        *in = (struct slice){in->ptr + 1, in->len - 1};
    }
}

void smtp_data_stuff(struct slice text, bool *at_start, struct buf *out)
{
    while (text.len > 0) {
        const char *lf = memchr(text.ptr, '\n', text.len);
        size_t len = lf == NULL ? text.len : (size_t)(lf - text.ptr) + 1;

        if (*at_start && text.ptr[0] == '.')
            buf_add_char(out, '.');
        buf_add(out, slice_to(text, len));
        *at_start = lf != NULL;
        text = (struct slice){text.ptr + len, text.len - len};
    }
}
