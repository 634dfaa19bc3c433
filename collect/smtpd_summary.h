#ifndef TG_COLLECT_SMTPD_SUMMARY_H
#define TG_COLLECT_SMTPD_SUMMARY_H

#include <stdint.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * What smtpd says of a session's commands at its end: "ehlo=1 mail=1 rcpt=8/12 unknown=0/3
 * commands=12/16", good ones or good/all.
 */

struct smtpd_summary {
    uint64_t bad; /* commands that are unknown, or failed and are no policy's */
    uint64_t auth_failed;
    uint64_t messages; /* taken; of those in chunks, the chunks */
};

void smtpd_summary_read(struct slice text, struct smtpd_summary *s) TG_NONNULL(2);

#endif
