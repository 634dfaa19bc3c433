#ifndef TG_RELAY_SMTP_REPLY_H
#define TG_RELAY_SMTP_REPLY_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/* One SMTP reply without its last CRLF: "250 2.1.0 Ok", or lines "250-..." separated by CRLF. */

#define SMTP_REPLY_BYTES 1280

struct smtp_reply {
    char text[SMTP_REPLY_BYTES];
    size_t len;
    bool close; /* say it, then close the connection */
};

/* Control bytes other than CRLF become blanks; a text that is too long is cut. */
void smtp_reply_set(struct smtp_reply *r, const char *format, ...) TG_PRINTF(2, 3) TG_NONNULL(1);
void smtp_reply_copy(struct smtp_reply *r, struct slice text) TG_NONNULL(1);
int smtp_reply_code(const struct smtp_reply *r) TG_NONNULL(1); /* 0: none set */
struct slice smtp_reply_slice(const struct smtp_reply *r) TG_NONNULL(1);
bool smtp_reply_is_good(const struct smtp_reply *r) TG_NONNULL(1); /* 2xx or 3xx */

/* What another server replied, or any other text of an outcome, made fit for logs, queue files and
 * bounces: valid UTF-8 of one line; control bytes become blanks, other bytes and characters that
 * move the cursor `?`; the end is cut. Out of memory: empty. */
#define SMTP_REPLY_CLEAN_MAX_BYTES ((size_t)600)
struct slice smtp_reply_clean(struct slice text, struct arena *arena) TG_NONNULL(2);

#endif
