#ifndef TG_COLLECT_SMTP_OUT_RELAY_H
#define TG_COLLECT_SMTP_OUT_RELAY_H

#include <stdbool.h>

#include "collect/machine.h"

/* Is a relay, "host[ip]:port" as smtp logs it, a socket, this host or one of
 * rules->internal_relays: "host", "ip", "host:port", "[ip]:port" or all of it? */
bool smtp_out_relay_is_internal(const struct machine *m, struct slice relay) TG_NONNULL(1);

#endif
