#ifndef TG_RELAY_SITE_H
#define TG_RELAY_SITE_H

#include <stdbool.h>

#include "lib/core/address.h"
#include "lib/core/arena.h"
#include "lib/core/err.h"
#include "lib/core/networks.h"
#include "lib/core/slice.h"
#include "lib/sys/settings.h"

/*
 * What the relay knows of the site: which domains are hosted, which addresses are forwarders, who
 * may send. A view is an immutable snapshot with counted references; site_refresh puts a new one in
 * its place when a source has changed.
 *
 * Threads: all functions from any thread; the lock guards the pointer to the current view, and is
 * never held across I/O.
 */

struct site;
struct site_view;

struct site *site_new(const struct settings *s, struct err *err); /* settings are borrowed */
void site_free(struct site *site);
/* Loads anew if a source has changed; logs what is wrong and keeps the old view. One thread only.
 */
void site_refresh(struct site *site);
/* The same, for new settings (borrowed from now on), whatever has changed. */
int site_reload(struct site *site, const struct settings *s, struct err *err);

struct site_view *site_take(struct site *site);
void site_give_back(struct site_view *v);

enum site_answer { SITE_NO, SITE_YES, SITE_UNKNOWN /* a source is away: try again later */ };

enum site_answer site_hosts(struct site_view *v, struct slice domain);
/* The login that has checked its mailbox from there lately. */
enum site_answer site_popauth(struct site_view *v, struct slice ip, struct arena *arena,
                              struct slice *login);
/* In networks.host or networks.customers: may send anywhere. */
bool site_is_inside(const struct site_view *v, const struct ip *ip);

/* Where mail for that address goes: itself, or the targets of a forwarder, expanded ten levels deep
 * with loops cut. Calls `add` for each. -1: unknown, or add failed. */
int site_expand(struct site_view *v, struct slice address, struct arena *arena,
                int (*add)(void *user, struct slice target), void *user);

#endif
