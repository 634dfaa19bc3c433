#ifndef TG_MILTER_ACTION_H
#define TG_MILTER_ACTION_H

#include "milter/session.h"

/* The actions that session and dispatch return. Texts are static or outlive the action. */

struct session_action action_continue(void);
struct session_action action_refuse(const char *code, const char *enhanced, const char *text,
                                    const char *why);

struct session_action action_no_memory(void);
struct session_action action_not_now(const char *why);
struct session_action action_no_room(void); /* the journal cannot be written */

#endif
