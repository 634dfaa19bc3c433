#ifndef TG_CLI_WHY_H
#define TG_CLI_WHY_H

#include "cli/cli.h"
#include "lib/admin/holder.h"
#include "lib/core/contract.h"

/* `tollgate why`: what is known of a message (why_message), or of whoever sends (why_sender): read
 * first, then said as text or as JSON. */

enum why_format { WHY_TEXT, WHY_JSON };

struct why {
    struct cli *cli;
    struct setup setup;
    const char *typed;
    int64_t now_s;
    int format; /* WHY_TEXT or WHY_JSON */
    struct render_style style;
    struct buf out;
    struct arena arena;
};

/* Adds a paragraph, indented by two. */
void why_say(struct why *w, const char *format, ...) TG_PRINTF(2, 3) TG_NONNULL(1);
/* "domain/recipients/hour (600 of 600 used)" and the like are put together in a buffer of their
 * own; its text as a paragraph. */
void why_say_text(struct why *w, struct slice text) TG_NONNULL(1);

#endif
