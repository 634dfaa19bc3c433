#ifndef TG_THROTTLE_SCRIPTS_H
#define TG_THROTTLE_SCRIPTS_H

/* The text of the Lua script beside this header; the Makefile makes scripts.lua.c of it. */

extern const char script_throttle_source[];

#endif
