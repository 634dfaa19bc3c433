#include "milter/engine_reply.h"

#include "lib/core/err.h"

void engine_reply_text(const char *text, char out[ENGINE_REPLY_BYTES + 1])
{
    size_t len = 0;

    for (; *text != '\0' && len + 2 < ENGINE_REPLY_BYTES; text++) {
        if (*text == '%')
            out[len++] = '%';
        out[len++] = *text;
    }
    out[len] = '\0';
}

void engine_reply_check(const struct session_action *a)
{
    TG_ASSERT(a->what == SESSION_REPLY && (a->code[0] == '4' || a->code[0] == '5') &&
              a->enhanced[0] == a->code[0]);
}
