#ifndef TG_T_SIM_SIM_WORLD_H
#define TG_T_SIM_SIM_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/period.h"
#include "t/random.h"
#include "t/sim/sim_node.h"

/*
 * Two nodes, Redis, and what was appended: the model that figures are held against.
 *
 * Record i has 2^i bytes: so the bytes of an account tell which records it counts, and messages say
 * whether one counts twice.
 */

#define SIM_NODES       2
#define SIM_RECORDS_MAX 50
#define SIM_BEGIN_MS    INT64_C(1763730000000)

enum sim_fate { FATE_NONE, FATE_MAYBE, FATE_ACCEPTED };

/* One append: what its client was told. */
struct sim_append {
    enum sim_fate fate;
    int64_t time_ms;
    uint32_t step; /* of the seed */
    bool is_synced;
    bool is_backdated; /* by a clock that was set back: behind what was pushed already */
};

struct sim_record {
    size_t node;
    uint64_t number;
    struct sim_append kept;
    /* A message that was held counts with its release; one that was deleted never does. */
    bool is_held, is_settled, is_released;
    bool may_stay_shown; /* as held: its ledger was lost, and the journal no longer had it */
    struct sim_append settled;
};

struct sim_backup {
    bool is_there;
    uint32_t step;
    uint64_t first;     /* segment of the journal */
    uint64_t next;      /* number of the journal */
    bool has_gaps;      /* the journal went back without the ledger, and on with its numbers */
    char share[16];     /* the ledger's present one */
    bool has_unclaimed; /* records that it had not claimed for that share */
    bool has_ended;     /* power took its last records since, whose numbers are given again */
};

struct sim {
    struct random_source random, disk_random;
    struct sim_node nodes[SIM_NODES];
    struct sim_backup backups[SIM_NODES];
    bool is_cut_back[SIM_NODES]; /* the journal, by a backup or a loss of power */
    bool is_robbed[SIM_NODES];   /* of what it had in Redis, and has not put all there again */
    struct sim_record records[SIM_RECORDS_MAX];
    size_t count;
    uint32_t step, saved_step;
    uint32_t faults; /* percent of trips */
    bool is_traced;
    bool is_quiet; /* no faults but the one that is planned from outside */
    /* A journal has lost its end, whose records Redis may have; and Redis has lost something after
     * that: rows which only those records had are gone (HACKING, "What cannot be covered"). */
    bool has_lost_records, has_lost_rows;
    /* A ledger was made again of rows whose sums are in the seal only: they are gone with Redis. */
    bool has_seals_alone;
    bool has_older_ledger; /* may not know what it had put into a seal: such a row is refused */
    char base[100];
    char fault[600]; /* "": none */
};

void sim_fail(struct sim *m, const char *what, const char *detail);
void sim_trace(const struct sim *m, const char *what, size_t node, long long value);

/* Begins in a new directory `base`. */
void sim_begin(struct sim *m, uint64_t seed, const char *base);
/* The files go, unless they are to be looked at. */
void sim_end(struct sim *m);

void sim_append(struct sim *m, size_t node, bool is_held);
/* One of the held messages is released or deleted. */
void sim_settle_held(struct sim *m, size_t node);
void sim_tick(struct sim *m, size_t node);
void sim_start(struct sim *m, size_t node);
/* After a death the files are as they were then. */
void sim_revive(struct sim *m, size_t node);
void sim_work(struct sim *m, size_t node, bool pushes);
/* Nothing fails any more, and all that is under way arrives. */
void sim_calm(struct sim *m, int rounds);
/* What the node has accepted since that step may be lost. */
void sim_lose_since(struct sim *m, size_t node, uint32_t step);

/* Time in which the nodes work, whatever happens to them. */
void sim_time_passes(struct sim *m, uint32_t rounds);
/* The hour, the day or the month ends, and with mail the next begins. */
void sim_period_end(struct sim *m, enum period_kind kind);

/* t/sim/sim_event.c: something happens to that node, or to Redis. */
void sim_event(struct sim *m, size_t node);
/* Its journal has lost its end, by a backup or a loss of power. */
void sim_cut_back(struct sim *m, size_t node);

/* t/sim/sim_check.c: at any moment; and when all is well again. */
void sim_check_now(struct sim *m);
void sim_check_end(struct sim *m);
/* The records whose bytes Redis shows, as bits. */
uint64_t sim_shown(void);
/* How many rows in Redis have a seal. */
uint64_t sim_sealed(void);
/* What the node says to have pushed, Unix seconds. */
int64_t sim_pushed_through(const struct sim_node *n);
/* Those that count for certain. */
uint64_t sim_wanted(const struct sim *m);

#endif
