#ifndef TG_CLI_WHY_H
#define TG_CLI_WHY_H

#include "cli/cli.h"
#include "lib/admin/holder.h"
#include "lib/core/contract.h"

/* `tollgate why`: what is known of a message, or of whoever sends. */

struct why {
    struct cli *cli;
    struct setup setup;
    const char *typed;
    int64_t now_s;
    struct render_style style;
    struct buf out;
    struct arena arena;
};

/* Adds a paragraph, indented by two. */
void why_say(struct why *w, const char *format, ...) TG_PRINTF(2, 3) TG_NONNULL(1);
/* "domain/recipients/hour (600 of 600 used)" and the like are put together in a buffer of their
 * own; its text as a paragraph. */
void why_say_text(struct why *w, struct slice text) TG_NONNULL(1);

/* 0, or -1 with *err. */
int why_queue_id(struct why *w, struct err *err) TG_MUST_USE TG_NONNULL(1);
/* What the mail log says of the message typed. 1: something; 0: nothing, or no collector runs here;
 * -1: *err. */
int why_story(struct why *w, struct err *err) TG_MUST_USE TG_NONNULL(1, 2);
/* An address, or (address NULL) a domain, client or the server: what holder_parse takes. */
int why_sender(struct why *w, const struct address *address, const char *holder,
               struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
