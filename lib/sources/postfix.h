#ifndef TG_SOURCES_POSTFIX_H
#define TG_SOURCES_POSTFIX_H

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/postfix_list.h"

/*
 * Asking a Postfix configuration directory through postconf(1) and postmap(1). For the sources and
 * the resolver.
 *
 * Owner: the arena given.  Threads: all.  Errors: EX_UNAVAILABLE (the program is missing, is stuck,
 * says "fatal:"), with its words.  Limits: 10 s and 1 MB for postconf and for questions, 60 s and
 * 256 MB for a whole table.
 */

/* The values, expanded, of the settings that matter here. */
struct postfix_config {
    const char *dir;
    struct slice mydestination, virtual_alias_domains, virtual_mailbox_domains;
    struct slice virtual_alias_maps, alias_maps;
    struct slice recipient_bcc_maps, sender_bcc_maps;
    struct slice recipient_delimiter;
    struct slice myorigin; /* /file resolved; empty: unknown */
};
int postfix_config_read(const char *dir, struct arena *arena, struct postfix_config *out,
                        struct err *err) TG_MUST_USE;

/* Aliases matter for the domains of mydestination alone. */
bool postfix_has_aliases(const struct postfix_config *c) TG_NONNULL(1);

/* All of a table: *out gets lines `key TAB value`. 1: done, 0: this type cannot be listed after
 * all, -1. */
int postfix_table_list(const char *dir, const char *table, struct buf *out,
                       struct err *err) TG_MUST_USE;

/* The values of keys, one a line in `keys`: *out gets lines `key TAB value` for those that are
 * found. */
int postfix_table_ask(const char *dir, const char *table, struct slice keys, struct buf *out,
                      struct err *err) TG_MUST_USE;

/* Takes a line `key TAB value` off *rest; false at the end. */
bool postfix_pair_next(struct slice *rest, struct slice *key, struct slice *value) TG_NONNULL(1);

enum postfix_map { POSTFIX_VIRTUAL, POSTFIX_ALIAS };

/* The addresses of a value of virtual(5) or aliases(5), with commas between, added to *out: a name
 * without a domain gets $myorigin, `:include:file` is read (POSTFIX_ALIAS), commands, files and
 * `\name` (this very mailbox) are left out. *unread (set to code 0 before) tells of a file that
 * cannot be read. */
void postfix_targets(const struct postfix_config *c, struct slice value, enum postfix_map map,
                     struct buf *out, struct err *unread) TG_NONNULL(1);

#endif
