#include "relay/smtp_reply.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void clean(struct smtp_reply *r)
{
    for (size_t i = 0; i < r->len; i++) {
        unsigned char c = (unsigned char)r->text[i];

        if ((c < ' ' && c != '\r' && c != '\n') || c == 0x7f)
            r->text[i] = ' ';
    }
}

void smtp_reply_set(struct smtp_reply *r, const char *format, ...)
{
    va_list ap;
    int len;

    va_start(ap, format);
    len = vsnprintf(r->text, sizeof r->text, format, ap);
    va_end(ap);
    r->len = len < 0 ? 0 : (size_t)len < sizeof r->text ? (size_t)len : sizeof r->text - 1;
    clean(r);
}

void smtp_reply_copy(struct smtp_reply *r, struct slice text)
{
    smtp_reply_set(r, "%.*s", SLICE_FMT(text));
}

int smtp_reply_code(const struct smtp_reply *r)
{
    if (r->len < 3)
        return 0;
    return (r->text[0] - '0') * 100 + (r->text[1] - '0') * 10 + (r->text[2] - '0');
}

struct slice smtp_reply_slice(const struct smtp_reply *r)
{
    return (struct slice){r->text, r->len};
}

bool smtp_reply_is_good(const struct smtp_reply *r)
{
    int code = smtp_reply_code(r);

    return code >= 200 && code < 400;
}
