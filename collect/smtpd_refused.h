#ifndef TG_COLLECT_SMTPD_REFUSED_H
#define TG_COLLECT_SMTPD_REFUSED_H

#include <stdbool.h>

#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * Was it the client or the sender that smtpd refused? `stage` is RCPT, MAIL ...; `text` what stands
 * behind "RCPT from NAME[ADDRESS]: ".
 *
 * Refused at CONNECT, HELO or MAIL it is the client or sender, unless the server had no room for
 * the message (x.3.x), or a milter did not work. At RCPT the text tells. A recipient that is not
 * known, greylisting, and Tollgate's own limits are no such refusal.
 */
bool smtpd_refused(struct slice stage, struct slice text);

/* "Connection rate limit exceeded: 3 from NAME[ADDRESS] for service NAME" (anvil's limits). */
bool smtpd_refused_rate(struct slice text);

#endif
