#ifndef TG_T_SIM_SIM_NODE_H
#define TG_T_SIM_SIM_NODE_H

#include "lib/ledger/folding.h"
#include "lib/ledger/ledger.h"
#include "lib/ledger/push.h"
#include "lib/ledger/upkeep.h"
#include "lib/sys/journal.h"
#include "t/sim/sim_disk.h"

/*
 * Journal, ledger and push of one node, as lib/ledger/accountant puts them together, but step by
 * step; and the clock, which stands still while they work.
 *
 * Threads: one.
 */

struct sim_node {
    char name[16], dir[200];
    int sync; /* enum ledger_sync */
    uint32_t segment_bytes;
    int64_t scrub_ms;
    struct sim_disk *disk;
    bool is_open;

    struct journal *journal;
    struct ledger *ledger;
    struct store *store;
    struct push *push;
    struct folding folding;
    struct upkeep upkeep;
    struct log_problem upkeep_problem;
    struct push_now now;
    uint64_t refused; /* rows, by Redis */
    char journal_dir[220], account[20];
};

void sim_clock_set(int64_t unix_ms);
void sim_clock_advance(int64_t ms);
/* Somebody sets the clock; no time passes. */
void sim_clock_step(int64_t ms);

/* In a new directory below `base`. */
void sim_node_init(struct sim_node *n, const char *base, const char *name, int sync,
                   uint32_t segment_bytes, struct random_source *random);
void sim_node_fini(struct sim_node *n);

/* Before the first start: a ledger that counts nothing, of that path; or, for one that is an image,
 * what the kernel has of it. */
void sim_node_make_ledger(const struct sim_node *n, const char *path);
void sim_node_make_file(const char *path);

/* A start. -1: *err; what was open is closed again. */
int sim_node_open(struct sim_node *n, struct err *err);
/* The end of the process; what is in order is on the disk before. */
void sim_node_close(struct sim_node *n);

void sim_node_fold(struct sim_node *n);
/* What push_step gives; 1 where it has to go on. */
int sim_node_push(struct sim_node *n, struct err *err);
/* Of the segments that are counted so many bytes are kept; one of them gets its index. */
void sim_node_trim(struct sim_node *n, uint64_t kept_bytes);
/* A clean stop: all that Redis takes is there. */
void sim_node_stop(struct sim_node *n);
/* tollgated --repair (milter/repair.c) of a node that is not open and has no ledger. */
int sim_node_repair(struct sim_node *n, struct err *err);

#endif
