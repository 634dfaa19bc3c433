#ifndef TG_COLLECT_SENDMAIL_OUT_H
#define TG_COLLECT_SENDMAIL_OUT_H

#include "collect/machine.h"

/* A "to=" line of Sendmail: the fate of its recipients, and what it is as SMTP out. */

struct sendmail_out {
    struct slice to; /* "<a@b>,<c@d>" */
    struct slice mailer, relay, dsn, stat;
    struct slice xdelay; /* "00:00:03" */
};

/* `mail` is the message's entry. */
void sendmail_out(struct machine *m, const struct log_line *line, struct open_entry *mail,
                  const struct sendmail_out *out) TG_NONNULL(1, 2, 3, 4);

#endif
