#ifndef TG_LEDGER_SCRIPTS_H
#define TG_LEDGER_SCRIPTS_H

/* The text of the Lua scripts beside this header; the Makefile makes scripts.lua.c of them. */

extern const char script_adopt_source[];
extern const char script_push_source[];
extern const char script_node_source[];
extern const char script_changes_source[];
extern const char script_users_source[];
extern const char script_violations_source[];
extern const char script_violations_swap_source[];

#endif
