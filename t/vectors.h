#ifndef TG_T_VECTORS_H
#define TG_T_VECTORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/classify.h"
#include "lib/core/counters.h"
#include "lib/core/hosted.h"
#include "lib/core/slice.h"
#include "lib/core/tally.h"

/*
 * The classification cases of t/data: world.json and classify.jsonl, for tests of the core, of the
 * session and of whoever else must give the same numbers. Whatever is wrong with the files ends the
 * test program with a message.
 *
 * Owner: vectors_load/vectors_fini; everything in one arena.
 */

struct vector_header {
    struct slice name, value; /* value with the blank that stands behind the colon, as an MTA with
                                 LEADSPC gives it */
};

struct vector_account {
    struct slice account;
    struct tally want;
};

struct vector {
    struct slice name;
    bool smtp;           /* false: submitted by the sendmail command */
    struct slice client; /* IP address as text; empty where smtp is false */
    struct slice auth, from;
    struct slice *to;
    size_t to_count;
    struct vector_header *headers;
    size_t header_count;
    uint64_t bytes;
    struct vector_account *expect;
    size_t expect_count;
};

struct vector_popauth {
    struct slice ip, login;
};

struct vectors {
    struct arena arena;
    struct hosted *hosted; /* asks for POP-before-SMTP: see vectors_answer */
    struct vector_popauth *popauth;
    size_t popauth_count;
    struct vector *list;
    size_t count;
};

/* From $TG_SOURCE/t/data (or ./t/data). */
void vectors_load(struct vectors *v);
void vectors_fini(struct vectors *v);
/* Answers every open question as world.json says, and empties the list. */
void vectors_answer(const struct vectors *v, struct answers *answers);
/* The facts of a case; slices and addresses in the arena. */
void vector_facts(const struct vectors *v, const struct vector *vector, struct arena *arena,
                  struct facts *out);

#endif
