#ifndef TG_SOURCES_SOURCE_H
#define TG_SOURCES_SOURCE_H

#include "lib/core/contract.h"
#include "lib/core/hosted.h"
#include "lib/redis/store.h"
#include "lib/sys/settings.h"

/*
 * Where the site's domains, forwarders and logins come from: `file:PATH`, `redis:KEY`,
 * `postfix:DIR`, `socketmap:unix:PATH:NAME`, `socketmap:inet:HOST:PORT:NAME`. source_load lists
 * what can be listed; the resolver answers the questions that the hosted set leaves open, by asking
 * the sources that can only be asked (and Redis for POP-before-SMTP).
 *
 * Of several sources in one setting all are used; where two know the same name, the later one
 * counts.
 *
 * What stands where:
 *                  domains              forwards                      logins
 *   file, a line   name [owner]         address target[,target...]    login address
 *   redis, a set   a member as a line of a file
 *   redis, a hash  name -> owner or ""  address -> target[,target...]  login -> address
 *   postfix        mydestination,       virtual_alias_maps,           (none)
 *                  virtual_alias_domains,  alias_maps (for mydestination)
 *                  virtual_mailbox_domains;
 *                  in either case the copies of recipient_bcc_maps and sender_bcc_maps, too
 *   (plans and customers: file and redis, a domain and its plan or customer)
 *   socketmap      name -> owner or ""  address -> target[,target...]  login -> address
 *
 * An owner without a dot ("OK", "x") is none: such a domain is charged as it appears.
 *
 * Errors: EX_NOINPUT for what is missing or cannot be read, EX_UNAVAILABLE for a server that is
 * away, EX_DATAERR for a Redis key of the wrong type; the text names the source and the fix.
 */

/* A new hosted set from the settings' sources and networks. NULL with *err. A bad line is no
 * failure: it is ignored, and `warnings` (may be NULL) gets a line `file:line: what` (of each
 * source the first 100, then their number). */
struct hosted *source_load(const struct settings *s, FILE *warnings, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

/* The same with customers alone: whose the domains are (hosted_customer). */
struct hosted *source_load_customers(const struct settings *s, FILE *warnings,
                                     struct err *err) TG_MUST_USE TG_NONNULL(1);

/* Notices that a source is not what it was: files and Postfix tables by time, size and inode, Redis
 * by content (at most every 10 s). Make it before the hosted set that it is to watch is loaded;
 * settings are borrowed. `before` (may be NULL): the watch that it replaces, whose last look counts
 * as its own. Threads: one. */
struct source_watch;
void source_watch_free(struct source_watch *w);
struct source_watch *source_watch_new(const struct settings *s, const struct source_watch *before,
                                      struct err *err) TG_NONNULL(1) TG_MUST_USE;

/* A file that is rewritten in place is empty or half full for a while: a change counts once the
 * file has been the same (size, both times, inode) for 2 s. */
enum source_state {
    SOURCES_SAME,
    SOURCES_WRITTEN, /* a source has changed and does not rest yet: nothing is to be loaded */
    SOURCES_CHANGED, /* reported once for each change */
};
/* Cheap; to be called every few seconds. A source that cannot be looked at has not changed. */
enum source_state source_watch_look(struct source_watch *w) TG_MUST_USE TG_NONNULL(1);
/* After loading: is each source still what the last look saw? -1 (EX_TEMPFAIL): what has been
 * loaded may be half of a file, and is to be dropped. */
int source_watch_still(struct source_watch *w, struct err *err) TG_MUST_USE TG_NONNULL(1);

/* What begins the extension of a user, as source_load has it in the hosted set, without the sources
 * being read: accounting.delimiter, or recipient_delimiter of a postfix: source. */
int source_user_delimiters(const struct settings *s, struct arena *arena, struct slice *out,
                           struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

#endif
