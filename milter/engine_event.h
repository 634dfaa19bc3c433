#ifndef TG_MILTER_ENGINE_EVENT_H
#define TG_MILTER_ENGINE_EVENT_H

#include "lib/core/contract.h"
#include "milter/engine_connection.h"

/* An event of the native engine that the session sees (CONNECT to END), with its macros, and what
 * the session says. The connection has a session. */
struct session_action engine_event(struct engine_connection *c, const struct milter_server_event *e)
    TG_NONNULL(1, 2);

#endif
