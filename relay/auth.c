#include "relay/auth.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/hash.h"
#include "lib/sys/files.h"
#include "lib/sys/mutex.h"

#define FILE_MAX_BYTES  ((size_t)16 << 20)
#define PASSWORD_BYTES  1025
#define HASH_BYTES      CRYPT_OUTPUT_SIZE
#define SLOTS           1024
#define WORKERS_MAX     2
#define YESCRYPT_PREFIX "$y$"

struct slot {
    uint64_t key; /* of the address; 0: free */
    int64_t first_ms;
    unsigned failures;
};

struct auth {
    const char *file;
    char dummy[HASH_BYTES]; /* what an unknown login's password is compared with */
    struct mutex lock;
    pthread_cond_t ended;                 /* a check */
    unsigned workers TG_GUARDED_BY(lock); /* threads that check a password */
    struct slot slots[SLOTS] TG_GUARDED_BY(lock);
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

static int hash_with(const char *prefix, const char *password, char out[HASH_BYTES])
{
    struct crypt_data *data = calloc(1, sizeof *data);
    char *salt = crypt_gensalt_ra(prefix, 0, NULL, 0);
    const char *hash = data == NULL || salt == NULL ? NULL : crypt_r(password, salt, data);
    int result = -1;

    if (hash != NULL && hash[0] != '*' && strlen(hash) < HASH_BYTES) {
        memcpy(out, hash, strlen(hash) + 1);
        result = 0;
    }
    free(salt);
    free(data);
    return result;
}

int auth_hash(const char *password, struct buf *out, struct err *err)
{
    char hash[HASH_BYTES];

    if (hash_with(YESCRYPT_PREFIX, password, hash) != 0)
        return err_set(err, EX_OSERR, "libcrypt cannot make a yescrypt hash");
    buf_add_str(out, hash);
    return 0;
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
    (void)pthread_cond_init(&a->ended, NULL);
    buf_init(&b, FILE_MAX_BYTES);
    result = file_read(file, &b, err);
    if (result == 0)
        result = auth_check_file(buf_slice(&b), file, err);
    if (result == 0 && hash_with(YESCRYPT_PREFIX, "nobody's", a->dummy) != 0)
        result = err_set(err, EX_OSERR, "libcrypt cannot make a yescrypt hash");
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

/* Two addresses may share a slot: then the later one's failures take it over. */
static struct slot *slot_of(struct auth *a, const char *ip, uint64_t *key) TG_REQUIRES(a->lock)
{
    *key = hash_add(HASH_BEGIN, slice_str(ip)) | 1;
    return &a->slots[(*key >> 8) % SLOTS];
}

static bool is_blocked(struct auth *a, const char *ip, int64_t now_ms) TG_REQUIRES(a->lock)
{
    uint64_t key;
    const struct slot *s = slot_of(a, ip, &key);

    return s->key == key && s->failures >= AUTH_FAILURES_MAX &&
           now_ms - s->first_ms < AUTH_WINDOW_MS;
}

static void note_failure(struct auth *a, const char *ip, int64_t now_ms) TG_REQUIRES(a->lock)
{
    uint64_t key;
    struct slot *s = slot_of(a, ip, &key);

    if (s->key != key || now_ms - s->first_ms >= AUTH_WINDOW_MS)
        *s = (struct slot){.key = key, .first_ms = now_ms};
    s->failures++;
}

/* --- passwords ------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    size_t len = strlen(a);

    return len == strlen(b) && CRYPTO_memcmp(a, b, len) == 0;
}

static bool matches(const char *password, const char *hash)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    const char *got = data == NULL ? NULL : crypt_r(password, hash, data);
    bool good = got != NULL && got[0] != '*' && same(got, hash);

    if (data != NULL)
        OPENSSL_cleanse(data, sizeof *data);
    free(data);
    return good;
}

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
    good = matches(word, known ? hash : a->dummy) && good && known;
    OPENSSL_cleanse(word, sizeof word);
    return good ? AUTH_GOOD : AUTH_BAD;
}

enum auth_result auth_check(struct auth *a, struct slice login, struct slice password,
                            const char *ip, int64_t now_ms)
{
    enum auth_result result = AUTH_TOO_MANY;
    bool blocked;

    mutex_lock(&a->lock);
    while (a->workers >= WORKERS_MAX)
        mutex_wait(&a->lock, &a->ended);
    blocked = is_blocked(a, ip, now_ms);
    a->workers += blocked ? 0 : 1;
    mutex_unlock(&a->lock);
    if (blocked)
        return result;
    result = check_password(a, login, password);
    mutex_lock(&a->lock);
    a->workers--;
    if (result == AUTH_BAD)
        note_failure(a, ip, now_ms);
    (void)pthread_cond_signal(&a->ended);
    mutex_unlock(&a->lock);
    return result;
}
