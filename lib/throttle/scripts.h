#ifndef TG_THROTTLE_SCRIPTS_H
#define TG_THROTTLE_SCRIPTS_H

/* The text of the Lua scripts beside this header; the Makefile makes scripts.lua.c of them. */

extern const char script_throttle_source[];
extern const char script_change_source[];

#endif
