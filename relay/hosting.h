#ifndef TG_RELAY_HOSTING_H
#define TG_RELAY_HOSTING_H

#include <stdbool.h>

#include "lib/core/address.h"
#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/networks.h"
#include "lib/core/slice.h"
#include "lib/sys/settings.h"

/*
 * The hosting: which domains are hosted, which addresses are forwarders, who may send, and the
 * settings that a reload changes. A view is an immutable snapshot with counted references;
 * hosting_refresh replaces it when a source has changed.
 *
 * Threads: all functions from any thread, but hosting_refresh and hosting_reload from one; the lock
 * guards the pointer to the current view, and is never held across I/O.
 */

struct hosting;
struct hosting_view;

void hosting_free(struct hosting *hosting);
struct hosting *hosting_new(const struct settings *s, struct err *err)
    TG_NONNULL(1) TG_MUST_USE; /* settings are borrowed */
/* Reloads if a source has changed and rests; logs what is wrong and keeps the old view. One thread
 * only. */
void hosting_refresh(struct hosting *hosting) TG_NONNULL(1);
/* Reloads with new settings (borrowed from now on), whatever has changed. -1 with EX_TEMPFAIL: a
 * source is being written; try again. */
int hosting_reload(struct hosting *hosting, const struct settings *s, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

struct hosting_view *hosting_take(struct hosting *hosting) TG_NONNULL(1);
void hosting_give_back(struct hosting_view *v);

enum hosting_answer {
    HOSTING_NO,
    HOSTING_YES,
    HOSTING_UNKNOWN /* a source is unavailable, or the domain was hosted a minute ago: try later */
};

/* Domain of addresses without one; empty: none is configured. */
struct slice hosting_default_domain(const struct hosting_view *v) TG_NONNULL(1);
/* Room that has to stay free on the disk. */
uint64_t hosting_min_free_bytes(const struct hosting_view *v) TG_NONNULL(1);

enum hosting_answer hosting_hosts(struct hosting_view *v, struct slice domain) TG_NONNULL(1);
/* The login that has checked its mailbox from that address within the last half hour. */
enum hosting_answer hosting_popauth(struct hosting_view *v, struct slice ip, struct arena *arena,
                                    struct slice *login) TG_NONNULL(1);
/* In networks.host or networks.customers: may send anywhere. */
bool hosting_is_inside(const struct hosting_view *v, const struct ip *ip) TG_NONNULL(1);

/* Where mail for that address goes: itself, or the targets of a forwarder, expanded ten levels deep
 * with loops cut. Calls `add` for each. -1: a source is away, memory is out, or add failed. */
int hosting_expand(struct hosting_view *v, struct slice address, struct arena *arena,
                   int (*add)(void *user, struct slice target), void *user) TG_NONNULL(1);

#endif
