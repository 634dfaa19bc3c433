#ifndef TG_COLLECT_SCRIPTS_H
#define TG_COLLECT_SCRIPTS_H

/* The text of the Lua scripts beside this header; the Makefile makes scripts.lua.c of them. */

extern const char script_streams_source[];

#endif
