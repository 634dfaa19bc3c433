#include "relay/auth.h"

#include <crypt.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/hash.h"
#include "lib/sys/clock.h"
#include "lib/sys/files.h"
#include "lib/sys/mutex.h"
#include "lib/sys/secret.h"

#define FILE_MAX_BYTES ((size_t)16 << 20)
#define PASSWORD_BYTES 1025
#define HASH_BYTES     CRYPT_OUTPUT_SIZE
#define SLOTS          1024
#define WORKERS_MAX    2

struct slot {
    uint64_t key; /* hash of an address, a login or both; 0: free */
    int64_t first_ms;
    unsigned count;
};

/* What failures are counted by, and where a login has been good. Each has a table of its own, so
 * that guesses at many logins do not push out the address that they come from. */
enum auth_tally { TALLY_ADDRESS, TALLY_LOGIN, TALLY_GOOD, TALLIES };

MUTEX_NAME(auth_lock)

struct auth {
    const char *file;
    char dummy[HASH_BYTES]; /* what an unknown login's password is compared with */
    struct mutex lock;
    pthread_cond_t ended;                     /* a check; monotonic clock */
    unsigned workers MUTEX_GUARDS(auth_lock); /* threads that check a password */
    struct slot slots[TALLIES][SLOTS] MUTEX_GUARDS(auth_lock);
};

/* Who tries to log in. */
struct auth_attempt {
    struct slice login;
    const char *ip;
    int64_t now_ms; /* monotonic clock */
};

/* --- the file -------------------------------------------------------------------------------- */

static bool is_comment(struct slice line)
{
    return line.len == 0 || line.ptr[0] == '#';
}

struct slice auth_find(struct slice file, struct slice login)
{
    struct slice line, name;

    while (slice_cut(&file, '\n', &line)) {
        line = slice_trim(line);
        if (is_comment(line))
            continue;
        (void)slice_cut(&line, ':', &name);
        if (line.ptr != NULL && slice_equal(name, login)) {
            (void)slice_cut(&line, ':', &name); /* fields behind the hash, as in passwd files */
            return name;
        }
    }
    return SLICE_NONE;
}

int auth_check_file(struct slice file, const char *name, struct err *err)
{
    struct slice line, login;
    size_t number = 0;

    while (slice_cut(&file, '\n', &line)) {
        number++;
        line = slice_trim(line);
        if (is_comment(line))
            continue;
        (void)slice_cut(&line, ':', &login);
        if (login.len == 0 || line.ptr == NULL || line.len < 13)
            return err_set(err, EX_CONFIG,
                           "%s:%zu: no login and hash: write login:$y$..., as "
                           "`tollgate-relay user LOGIN` prints it",
                           name, number);
    }
    return 0;
}

int auth_hash(const char *password, struct buf *out, struct err *err)
{
    return secret_password_hash(password, out, err);
}

static int make_dummy(struct auth *a, struct err *err)
{
    struct buf b;
    int result;

    buf_init(&b, sizeof a->dummy);
    result = secret_password_hash("nobody's", &b, err);
    if (result == 0)
        (void)snprintf(a->dummy, sizeof a->dummy, "%s", b.data);
    buf_fini(&b);
    return result;
}

struct auth *auth_new(const char *file, struct err *err)
{
    struct auth *a = calloc(1, sizeof *a);
    struct buf b;
    int result;

    if (a == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    a->file = file;
    mutex_init(&a->lock);
    mutex_condition_init(&a->ended);
    buf_init(&b, FILE_MAX_BYTES);
    result = file_read(file, &b, err);
    if (result == 0)
        result = auth_check_file(buf_slice(&b), file, err);
    if (result == 0)
        result = make_dummy(a, err);
    buf_fini(&b);
    if (result == 0)
        return a;
    auth_free(a);
    return NULL;
}

void auth_free(struct auth *a)
{
    if (a == NULL)
        return;
    mutex_fini(&a->lock);
    (void)pthread_cond_destroy(&a->ended);
    free(a);
}

/* --- failures -------------------------------------------------------------------------------- */

static uint64_t key_of(enum auth_tally t, const struct auth_attempt *attempt)
{
    uint64_t hash = HASH_BEGIN;

    if (t != TALLY_LOGIN)
        hash = hash_add(hash, slice_str(attempt->ip));
    if (t != TALLY_ADDRESS)
        hash = hash_add(hash_add(hash, SLICE("\0")), attempt->login);
    return hash | 1;
}

/* Two keys may share a slot: then the later one takes it over. */
static struct slot *slot_of(struct auth *a, enum auth_tally t, const struct auth_attempt *attempt)
    TG_REQUIRES(auth_lock)
{
    return &a->slots[t][(key_of(t, attempt) >> 8) % SLOTS];
}

static unsigned count_of(struct auth *a, enum auth_tally t, const struct auth_attempt *attempt)
    TG_REQUIRES(auth_lock)
{
    const struct slot *s = slot_of(a, t, attempt);

    return s->key == key_of(t, attempt) && attempt->now_ms - s->first_ms < AUTH_WINDOW_MS ? s->count
                                                                                          : 0;
}

/* An address that has just logged in as somebody is not shut out by others' guesses at that login.
 */
static bool is_blocked(struct auth *a, const struct auth_attempt *attempt) TG_REQUIRES(auth_lock)
{
    return count_of(a, TALLY_ADDRESS, attempt) >= AUTH_FAILURES_MAX ||
           (count_of(a, TALLY_LOGIN, attempt) >= AUTH_LOGIN_FAILURES_MAX &&
            count_of(a, TALLY_GOOD, attempt) == 0);
}

static void note(struct auth *a, enum auth_tally t, const struct auth_attempt *attempt)
    TG_REQUIRES(auth_lock)
{
    struct slot *s = slot_of(a, t, attempt);

    if (count_of(a, t, attempt) == 0 || t == TALLY_GOOD)
        *s = (struct slot){.key = key_of(t, attempt), .first_ms = attempt->now_ms};
    s->count++;
}

static void note_result(struct auth *a, const struct auth_attempt *attempt, enum auth_result result)
    TG_REQUIRES(auth_lock)
{
    if (result == AUTH_GOOD) {
        note(a, TALLY_GOOD, attempt);
    } else if (result == AUTH_BAD) {
        note(a, TALLY_ADDRESS, attempt);
        note(a, TALLY_LOGIN, attempt);
    }
}

/* --- passwords ------------------------------------------------------------------------------- */

static bool copy(struct slice from, char *into, size_t room)
{
    if (from.len == 0 || from.len >= room || slice_find(from, '\0') >= 0)
        return false;
    memcpy(into, from.ptr, from.len);
    into[from.len] = '\0';
    return true;
}

static enum auth_result check_password(const struct auth *a, struct slice login,
                                       struct slice password)
{
    char word[PASSWORD_BYTES] = "", hash[HASH_BYTES] = "";
    bool known, good;
    struct buf b;
    int result;

    buf_init(&b, FILE_MAX_BYTES);
    result = file_read(a->file, &b, NULL);
    known = result == 0 && copy(auth_find(buf_slice(&b), login), hash, sizeof hash);
    buf_fini(&b);
    if (result != 0)
        return AUTH_TROUBLE;
    good = copy(password, word, sizeof word);
    good = secret_password_matches(word, known ? hash : a->dummy) && good && known;
    secret_forget(word, sizeof word);
    return good ? AUTH_GOOD : AUTH_BAD;
}

/* AUTH_GOOD: it is this thread's turn, and it counts as a worker. Each that waits wakes by itself:
 * there is no signal that one of them could keep. */
static enum auth_result wait_for_turn(struct auth *a, const struct auth_attempt *attempt)
    TG_REQUIRES(auth_lock)
{
    int64_t until_ms = clock_monotonic_ms() + AUTH_WAIT_MS;
    bool in_time = true;

    while (!is_blocked(a, attempt) && a->workers >= WORKERS_MAX && in_time)
        in_time = auth_lock_wait_until(&a->lock, &a->ended, until_ms);
    if (is_blocked(a, attempt))
        return AUTH_TOO_MANY;
    if (a->workers >= WORKERS_MAX)
        return AUTH_BUSY;
    a->workers++;
    return AUTH_GOOD;
}

enum auth_result auth_check(struct auth *a, struct slice login, struct slice password,
                            const char *ip, int64_t now_ms)
{
    struct auth_attempt attempt = {.login = login, .ip = ip, .now_ms = now_ms};
    enum auth_result result;

    auth_lock_take(&a->lock);
    result = wait_for_turn(a, &attempt);
    auth_lock_give(&a->lock);
    if (result != AUTH_GOOD)
        return result;
    result = check_password(a, login, password);
    auth_lock_take(&a->lock);
    a->workers--;
    note_result(a, &attempt, result);
    (void)pthread_cond_broadcast(&a->ended);
    auth_lock_give(&a->lock);
    return result;
}
