#ifndef TG_SOURCES_LISTING_H
#define TG_SOURCES_LISTING_H

#include <stdint.h>
#include <stdio.h>

#include "lib/core/contract.h"
#include "lib/core/hash.h"
#include "lib/core/hosted.h"
#include "lib/core/source_line.h"
#include "lib/core/source_name.h"
#include "lib/core/strmap.h"
#include "lib/redis/store.h"

/*
 * What the kinds of sources have in common while they are listed into a hosted set, and what each
 * offers. For lib/sources/source*.c and resolver*.c alone; programs include source.h.
 */

/* An owner, where and of which domain it is named first, and how many domains lose it. */
struct listing_owner {
    struct slice name;
    const char *where;
    size_t line;
    struct slice domain;
    size_t count;
};

/* A listing in progress: where the entries go, and what was said about them. */
struct listing {
    struct hosted *hosted;
    const struct settings *settings; /* their plans are the known ones; NULL: all are */
    struct store *store;             /* for redis: sources */
    FILE *warnings;                  /* NULL: nobody wants them */
    enum source_use use;
    enum hosted_copy copy; /* SOURCE_COPIES: which */
    const char *where;     /* the source or file being read */
    size_t line;           /* 0: it has no lines */
    size_t warning_count;
    size_t entries; /* good ones of the source being listed */

    /* Forwarders add up in the hosted set, but only within one group: of several files or tables
     * that know the same address one counts, the first that is listed. taken: address in lower case
     * -> the number of its group. Of copies, too, the first counts: "0 " or "1 ", the kind, stands
     * before the address. */
    struct strmap taken;
    struct arena taken_keys;
    uintptr_t group;

    /* The owners of domains, each once, in the order in which they are named; by name. */
    struct listing_owner **owners;
    size_t owner_count, owner_room;
    struct strmap owner_index;
};

/* A new file, key or table begins, whose forwarders count only where no earlier one had the
 * address. */
void listing_begin(struct listing *l, const char *where) TG_NONNULL(1);
/* After its last entry: says how many warnings were left out. */
void listing_end(struct listing *l) TG_NONNULL(1);
/* An entry; `whole`: it is all there is for its key in this group (a hash, a table), not one of
 * several lines. What is no domain, address or login becomes a warning. -1: memory is out. */
int listing_add(struct listing *l, const struct source_entry *entry, bool whole,
                struct err *err) TG_MUST_USE TG_NONNULL(1);
/* A line of a file or a member of a set. */
int listing_add_line(struct listing *l, struct slice line, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
void listing_warn(struct listing *l, const char *what) TG_NONNULL(1);

/* After all domains: takes owners away that are not hosted, with a warning for each owner. Where
 * domains are asked nobody knows. */
void listing_owners_check(struct listing *l) TG_NONNULL(1);

/* A sum of what a source is now, begun with HASH_BEGIN. */
uint64_t listing_stamp_file(uint64_t stamp,
                            const char *path); /* times, size, inode; or its absence */

int listing_file(const struct source_name *name, struct listing *l, struct err *err) TG_MUST_USE
    TG_NONNULL(1);

int listing_redis(const struct source_name *name, struct listing *l, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
int listing_redis_stamp(const struct source_name *name, struct store *store, uint64_t *stamp,
                        struct err *err) TG_MUST_USE TG_NONNULL(1);

/* The postfix: sources of domains and forwarders, each once: their Postfix adds copies. Texts are
 * borrowed, the list is the arena's. */
int listing_copies(const struct settings *s, struct arena *arena, struct string_list *out,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 2, 3);

/* *asked: one of its tables can only be asked; of copies the hosted set itself is told. */
int listing_postfix(const struct source_name *name, struct listing *l, bool *asked,
                    struct err *err) TG_MUST_USE TG_NONNULL(1);
/* The domains of mydestination alone, as those of alias_maps. */
struct postfix_config;
int listing_postfix_bare_domains(const struct postfix_config *config, struct hosted *hosted,
                                 struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
