#ifndef TG_LEDGER_LEDGER_STATEMENT_H
#define TG_LEDGER_LEDGER_STATEMENT_H

#include "lib/core/contract.h"
#include "lib/ledger/ledger.h"
#include "lib/ledger/ledger_sql.h"

/* What the files of the ledger share; for nobody else. */

/* The table of shares, under a name; the runs are new with it. */
#define LEDGER_SHARES_SQL(name)                                                                    \
    "CREATE TABLE " name " (id INTEGER PRIMARY KEY, name TEXT NOT NULL, share TEXT NOT NULL,"      \
    " met INTEGER NOT NULL DEFAULT 0, speaks INTEGER NOT NULL DEFAULT 0,"                          \
    " claim INTEGER NOT NULL DEFAULT 0, UNIQUE (name, share));"                                    \
    "CREATE TABLE runs (id INTEGER PRIMARY KEY AUTOINCREMENT, run TEXT NOT NULL UNIQUE,"           \
    " began INTEGER NOT NULL, met INTEGER NOT NULL);"

/* X(id, SQL): prepared once, at opening. */
#define LEDGER_STATEMENTS(X)                                                                       \
    X(BEGIN, "BEGIN IMMEDIATE")                                                                    \
    X(COMMIT, "COMMIT")                                                                            \
    X(ROLLBACK, "ROLLBACK")                                                                        \
    X(META_GET, "SELECT value FROM meta WHERE name = ?1")                                          \
    X(META_SET, "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")                       \
    X(SHARE_ADD, "INSERT INTO nodes (name, share) VALUES (?1, ?2)")                                \
    X(SHARE_NAME, "UPDATE nodes SET id = ?3, share = ?2, met = 1 WHERE id = ?1")                   \
    X(SHARE_ADD_OLD, "INSERT OR IGNORE INTO nodes (id, name, share, met) SELECT coalesce(max(id)," \
                     " 0) + 1, ?1, ?2, 1 FROM nodes WHERE id < ?3 - 1")                            \
    X(SHARE_FIND, "SELECT id FROM nodes WHERE name = ?1 AND share = ?2")                           \
    X(SHARES, "SELECT id, name, share, met, speaks, claim FROM nodes"                              \
              " ORDER BY name = ?1 DESC, id DESC")                                                 \
    X(SHARE_SET, "UPDATE nodes SET met = ?2, speaks = ?3, claim = ?4 WHERE id = ?1")               \
    X(RUN_ADD, "INSERT INTO runs (run, began, met) VALUES (?1, ?2, 0)")                            \
    X(RUN_CLIP, "UPDATE runs SET began = ?1 WHERE began > ?1")                                     \
    X(RUN_PRUNE, "DELETE FROM runs WHERE id <= (SELECT max(id) FROM runs) - 1000")                 \
    X(RUN_UNMET, "SELECT min(began) FROM runs WHERE id > (SELECT coalesce(max(id), 0) FROM runs"   \
                 " WHERE met = 1) HAVING count(*) > 0")                                            \
    X(RUN_FIND, "SELECT id FROM runs WHERE run = ?1")                                              \
    X(RUN_END, "SELECT began FROM runs WHERE id > ?1 ORDER BY id LIMIT 1")                         \
    X(RUN_MET, "UPDATE runs SET met = 1 WHERE id = (SELECT max(id) FROM runs)")                    \
    X(BASE_CLEAR, "UPDATE rows SET base = NULL, base_number = NULL WHERE base IS NOT NULL")        \
    X(BASE_NEXT, "SELECT id, account, kind, period, user, counters, number, expires, base,"        \
                 " base_number FROM rows WHERE base IS NOT NULL LIMIT 1")                          \
    X(BASE_MOVE, "UPDATE rows SET node = ?2, base = NULL, base_number = NULL, dirty = 1"           \
                 " WHERE id = ?1")                                                                 \
    X(BASE_RESTORE, "UPDATE rows SET counters = base, number = base_number, base = NULL,"          \
                    " base_number = NULL, dirty = 1, final = iif(final > 0, 2, 0) WHERE id = ?1")  \
    X(SOURCE_BASE, "INSERT OR REPLACE INTO meta (name, value)"                                     \
                   " SELECT 'source_base', value FROM meta WHERE name = 'source'")                 \
    X(ROW_ADOPT, "UPDATE rows SET counters = ?2, number = ?3, dirty = 0 WHERE id = ?1")            \
    X(ROW_FIND, "SELECT id, counters, number, expires, dirty, node, final FROM rows"               \
                " WHERE account = ?1 AND kind = ?2 AND period = ?3 AND user = ?4")                 \
    X(ROW_ADD, "INSERT INTO rows (node, account, kind, period, user, counters, number, expires,"   \
               " dirty, base, base_number) VALUES (?5, ?1, ?2, ?3, ?4, ?6, ?7, ?8, 1,"             \
               " iif(?9, '', NULL), iif(?9, 0, NULL))")                                            \
    X(ROW_ADOPT_NEW, "INSERT OR IGNORE INTO rows (node, account, kind, period, user, counters,"    \
                     " number, expires, dirty, final)"                                             \
                     " VALUES (?5, ?1, ?2, ?3, ?4, ?6, ?7, ?8, 1, ?6 = '')")                       \
    X(ROW_SET, "UPDATE rows SET base = iif(?4, coalesce(base, counters), base),"                   \
               " base_number = iif(?4, coalesce(base_number, number), base_number),"               \
               " counters = ?2, number = ?3, dirty = max(dirty, 1),"                               \
               " final = iif(final > 0, 2, 0) WHERE id = ?1")                                      \
    X(ROW_STATE, "SELECT dirty FROM rows WHERE id = ?1 AND number = ?2")                           \
    X(ROW_MARK, "UPDATE rows SET dirty = ?2 WHERE id = ?1")                                        \
    X(ROW_DIRTY, "SELECT dirty FROM rows WHERE id = ?1")                                           \
    X(ROW_DELETE, "DELETE FROM rows WHERE id = ?1")                                                \
    X(ROW_FINISH, "UPDATE rows SET final = final | 1 WHERE id = ?1 AND number = ?2")               \
    X(FORMER_ADD, "INSERT OR IGNORE INTO formers (row, number, counters)"                          \
                  " SELECT id, number, counters FROM rows WHERE id = ?1")                          \
    X(FORMERS, "SELECT number, counters FROM formers WHERE row = ?1 ORDER BY number")              \
    X(FORMERS_DELETE, "DELETE FROM formers WHERE row = ?1")                                        \
    X(DIRTY_COUNT, "SELECT count(*) FROM rows WHERE dirty > 0")                                    \
    X(WALK_ALL,                                                                                    \
      "SELECT r.id, n.name, account, kind, period, user, counters, number, expires,"               \
      " dirty, n.share, n.id, final FROM rows r JOIN nodes n ON n.id = r.node WHERE r.id > ?1"     \
      " ORDER BY r.id LIMIT ?2")                                                                   \
    X(WALK_STATE, "SELECT r.id, n.name, account, kind, period, user, counters, number, expires,"   \
                  " dirty, n.share, n.id, final FROM rows r JOIN nodes n ON n.id = r.node"         \
                  " WHERE dirty > 0 AND dirty = ?3 AND r.id > ?1 ORDER BY r.id LIMIT ?2")          \
    X(USERS_GET, "SELECT count FROM users WHERE account = ?1 AND kind = ?2 AND period = ?3")       \
    X(USERS_SET, "INSERT OR REPLACE INTO users (account, kind, period, count, expires)"            \
                 " VALUES (?1, ?2, ?3, ?4, ?5)")                                                   \
    X(USERS_LESS, "UPDATE users SET count = max(count - 1, 0)"                                     \
                  " WHERE account = ?1 AND kind = ?2 AND period = ?3")                             \
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

struct ledger_share {
    int64_t id;
    char *name;
    char share_id[9];
    bool has_met, speaks;
    uint64_t claim;
};

struct ledger {
    sqlite3 *db;
    char *path;
    char id[9];
    bool is_new;
    struct ledger_share *shares; /* the present one first */
    size_t share_count;
    uint64_t run_from; /* from this record on, rows keep what they were (base) */
    bool is_met;       /* Redis has confirmed a claim of this run, and that is on the disk */
    bool is_durable;   /* every commit is on the disk when it returns */
    struct ledger_meta meta, meta_before; /* before: when the transaction began */
    uint64_t dirty_rows, dirty_rows_before;
    sqlite3_stmt *statements[STATEMENT_COUNT];
    sqlite3_stmt *walk;
};

sqlite3_stmt *ledger_statement(struct ledger *l, enum ledger_statement which) TG_NONNULL(1);
/* For ledger_open and _close: the shares, the present one first (made where there is none of that
 * name). */
int ledger_shares_read(struct ledger *l, const char *node, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);
int ledger_shares_add(struct ledger *l, struct slice node, const char *share_id,
                      struct err *err) TG_MUST_USE TG_NONNULL(1, 3);
void ledger_shares_free(struct ledger *l) TG_NONNULL(1);
/* Binds account, kind and period to the first three. */
void ledger_row_bind(sqlite3_stmt *st, const struct row_key *key) TG_NONNULL(1, 2);
int ledger_dirty_read(struct ledger *l, struct err *err) TG_MUST_USE TG_NONNULL(1);
int ledger_id_make(char id[9], struct err *err) TG_MUST_USE;

#endif
