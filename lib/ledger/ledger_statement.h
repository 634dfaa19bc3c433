#ifndef TG_LEDGER_LEDGER_STATEMENT_H
#define TG_LEDGER_LEDGER_STATEMENT_H

#include <sqlite3.h>

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"

/* What the files of the ledger share; for nobody else. */

/* X(id, SQL): prepared once, at opening. */
#define LEDGER_STATEMENTS(X)                                                                       \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(META_GET, "SELECT value FROM meta WHERE name = ?1")                                          \
    X(META_SET, "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")                       \
    X(NODE_ADD, "INSERT OR IGNORE INTO nodes (name) VALUES (?1)")                                  \
    X(NODES, "SELECT id, name FROM nodes ORDER BY name = ?1 DESC, id DESC")                        \
    X(ROW_FIND, "SELECT id, counters, number, expires, dirty, node FROM rows"                      \
                " WHERE account = ?1 AND kind = ?2 AND period = ?3 AND user = ?4")                 \
    X(ROW_ADD, "INSERT INTO rows (node, account, kind, period, user, counters, number, expires,"   \
               " dirty) VALUES (?5, ?1, ?2, ?3, ?4, ?6, ?7, ?8, 1)")                               \
    X(ROW_SET, "UPDATE rows SET counters = ?2, number = ?3, dirty = max(dirty, 1) WHERE id = ?1")  \
    X(ROW_STATE, "SELECT dirty FROM rows WHERE id = ?1 AND number = ?2")                           \
    X(ROW_MARK, "UPDATE rows SET dirty = ?2 WHERE id = ?1")                                        \
    X(ROW_DIRTY, "SELECT dirty FROM rows WHERE id = ?1")                                           \
    X(ROW_DELETE, "DELETE FROM rows WHERE id = ?1")                                                \
    X(DIRTY_COUNT, "SELECT count(*) FROM rows WHERE dirty > 0")                                    \
    X(WALK_ALL, "SELECT r.id, n.name, account, kind, period, user, counters, number, expires,"     \
                " dirty FROM rows r JOIN nodes n ON n.id = r.node WHERE r.id > ?1"                 \
                " ORDER BY r.id LIMIT ?2")                                                         \
    X(WALK_STATE, "SELECT r.id, n.name, account, kind, period, user, counters, number, expires,"   \
                  " dirty FROM rows r JOIN nodes n ON n.id = r.node"                               \
                  " WHERE dirty > 0 AND dirty = ?3 AND r.id > ?1 ORDER BY r.id LIMIT ?2")          \
    X(USERS_GET, "SELECT count FROM users WHERE account = ?1 AND kind = ?2 AND period = ?3")       \
    X(USERS_SET, "INSERT OR REPLACE INTO users (account, kind, period, count, expires)"            \
                 " VALUES (?1, ?2, ?3, ?4, ?5)")                                                   \
    X(USERS_PRUNE, "DELETE FROM users WHERE expires > 0 AND expires < ?1")                         \
    X(DOUBTFUL_ADD, "INSERT OR REPLACE INTO doubtful (number, queue_id, time_ms)"                  \
                    " VALUES (?1, ?2, ?3)")                                                        \
    X(DOUBTFUL_PRUNE, "DELETE FROM doubtful WHERE number NOT IN"                                   \
                      " (SELECT number FROM doubtful ORDER BY number DESC LIMIT 10000)")           \
    X(PEERS, "SELECT name FROM peers ORDER BY name")                                               \
    X(PEERS_DROP, "DELETE FROM peers")                                                             \
    X(PEER_ADD, "INSERT OR IGNORE INTO peers (name) VALUES (?1)")                                  \
    X(HELD_ADD, "INSERT OR REPLACE INTO held (number, node, queue_id, account, time_ms, state,"    \
                " gone, released, body, place) VALUES (?1, ?2, ?3, ?4, ?5, 1, 0, 0, ?6, ?7)")      \
    X(HELD_BODY, "SELECT body FROM held WHERE number = ?1 AND state < 2")                          \
    X(HELD_PLACE, "UPDATE held SET place = ?2 WHERE number = ?1 AND state < 2")                    \
    X(HELD_REMOVE, "UPDATE held SET state = 2, gone = ?2, released = ?3, body = NULL"              \
                   " WHERE number = ?1")                                                           \
    X(HELD_DROP_HIDDEN, "DELETE FROM held WHERE number = ?1 AND EXISTS (SELECT 1 FROM held h"      \
                        " WHERE h.queue_id = held.queue_id AND h.account = held.account"           \
                        " AND h.node = held.node AND h.state < 2)")                                \
    X(HELD_WALK_ALL, "SELECT number, n.name, queue_id, account, time_ms, state FROM held h"        \
                     " JOIN nodes n ON n.id = h.node WHERE number > ?1 ORDER BY number LIMIT ?2")  \
    X(HELD_WALK_HELD, "SELECT number, n.name, queue_id, account, time_ms, state FROM held h"       \
                      " JOIN nodes n ON n.id = h.node WHERE state < 2 AND number > ?1"             \
                      " ORDER BY number LIMIT ?2")                                                 \
    X(HELD_WALK_CHANGED, "SELECT number, n.name, queue_id, account, time_ms, state FROM held h"    \
                         " JOIN nodes n ON n.id = h.node WHERE state IN (1, 2) AND number > ?1"    \
                         " ORDER BY number LIMIT ?2")                                              \
    X(HELD_MARK, "UPDATE held SET state = ?3 WHERE number = ?1 AND state = ?2")                    \
    X(HELD_PRUNE, "DELETE FROM held WHERE state = 3 AND gone < ?1")                                \
    X(VIOLATION_ADD, "INSERT OR IGNORE INTO violations (ms, seq, holder, body)"                    \
                     " VALUES (?1, ?2, ?3, ?4)")                                                   \
    X(VIOLATION_PRUNE, "DELETE FROM violations WHERE (ms, seq) < (SELECT ms, seq FROM violations"  \
                       " ORDER BY ms DESC, seq DESC LIMIT 1 OFFSET ?1)")                           \
    X(VIOLATION_NEWEST, "SELECT ms, seq FROM violations ORDER BY ms DESC, seq DESC LIMIT 1")       \
    X(VIOLATION_COUNT, "SELECT count(*) FROM violations")                                          \
    X(VIOLATION_AFTER, "SELECT ms, seq, body FROM violations WHERE (ms, seq) > (?2, ?3)"           \
                       " ORDER BY ms, seq LIMIT ?1")                                               \
    X(VIOLATION_OF_HOLDER, "SELECT ms, seq, body FROM violations WHERE holder = ?2"                \
                           " ORDER BY ms DESC, seq DESC LIMIT ?1")                                 \
    X(VIOLATION_HOLDER, "SELECT holder FROM violations WHERE holder > ?1 ORDER BY holder LIMIT 1") \
    X(CHANGES_OF, "SELECT name, version, value FROM changes WHERE holder = ?1")                    \
    X(CHANGES_HOLDERS, "SELECT DISTINCT holder FROM changes WHERE holder > ?1"                     \
                       " ORDER BY holder LIMIT ?2")                                                \
    X(CHANGES_SET, "INSERT OR REPLACE INTO changes (holder, name, version, value)"                 \
                   " VALUES (?1, ?2, ?3, ?4)")

enum ledger_statement {
#define X(id, sql) STATEMENT_##id,
    LEDGER_STATEMENTS(X)
#undef X
        STATEMENT_COUNT
};

struct ledger_node_name {
    int64_t id;
    char *name;
};

struct ledger {
    sqlite3 *db;
    char *path;
    char id[9];
    bool is_new;
    struct ledger_node_name *nodes; /* the present one first */
    size_t node_count;
    struct ledger_meta meta, meta_before; /* before: when the transaction began */
    uint64_t dirty_rows, dirty_rows_before;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    sqlite3_stmt *walk;
};

/* *err from SQLite's last error, with the fix; returns -1. */
int ledger_fail(struct ledger *l, const char *doing, struct err *err) TG_MUST_USE TG_NONNULL(1);

sqlite3_stmt *ledger_statement(struct ledger *l, enum ledger_statement which) TG_NONNULL(1);
void ledger_bind(sqlite3_stmt *st, int at, struct slice text);
struct slice ledger_text(sqlite3_stmt *st, int column);
/* Steps a statement that gives no rows, and resets it. */
int ledger_run(struct ledger *l, sqlite3_stmt *st, const char *doing, struct err *err) TG_MUST_USE
    TG_NONNULL(1);
/* The first column of its first row, or `missing`; resets it. */
int ledger_number(struct ledger *l, sqlite3_stmt *st, int64_t missing, int64_t *value,
                  struct err *err) TG_MUST_USE TG_NONNULL(1);

#endif
