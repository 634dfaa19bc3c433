#ifndef TG_MILTER_ENGINE_REPLY_H
#define TG_MILTER_ENGINE_REPLY_H

#include "lib/core/contract.h"
#include "milter/session.h"

/* The text of a reply, as a milter may send it. */

enum { ENGINE_REPLY_BYTES = 980 }; /* smfi_setreply refuses longer texts */

/* With each percent sign doubled: Sendmail takes one for the beginning of a macro. */
void engine_reply_text(const char *text, char out[ENGINE_REPLY_BYTES + 1]) TG_NONNULL(1, 2);

/* That the reply may be sent: Postfix closes the connection if code and enhanced code differ in
 * class. */
void engine_reply_check(const struct session_action *a) TG_NONNULL(1);

#endif
