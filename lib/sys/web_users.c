#include "lib/sys/web_users.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/buf.h"
#include "lib/core/domain.h"
#include "lib/core/utf8.h"
#include "lib/sys/files.h"
#include "lib/sys/lock_file.h"
#include "lib/sys/secret.h"

#define TOKEN_HASH   "sha256="
#define WRITE_HASH   "sha256+write=" /* of a token that may change something */
#define LOCK_WAIT_MS 5000
#define ROOM_BYTES   65536
#define MODE         0640

static const char *const role_names[] = {"none", "admin", "domain", "user"};

const char *web_users_role_name(enum web_role role)
{
    return role_names[role];
}

enum web_role web_users_role(struct slice name)
{
    for (enum web_role r = WEB_ROLE_ADMIN; r <= WEB_ROLE_USER; r++) {
        if (slice_equal(name, slice_str(role_names[r])))
            return r;
    }
    return WEB_ROLE_NONE;
}

bool web_users_is_name(struct slice name)
{
    struct slice rest = name;
    size_t len;

    if (name.len == 0 || name.len > WEB_USERS_NAME_MAX || name.ptr[0] == '#')
        return false;
    for (; rest.len > 0; rest = slice_from(rest, len)) {
        len = utf8_length(rest);
        if (len == 0 || utf8_is_control(utf8_code(rest, len)) || strchr(" :{}", rest.ptr[0]))
            return false;
    }
    return true;
}

/* --- reading --------------------------------------------------------------------------------- */

static bool is_comment(struct slice line)
{
    return line.len == 0 || line.ptr[0] == '#';
}

/* NULL, or what is wrong with the line. */
static const char *parse(struct slice line, struct web_user *out)
{
    struct slice role;

    (void)slice_cut(&line, ':', &out->name);
    if (!web_users_is_name(out->name) || !slice_cut(&line, ':', &out->hash) ||
        !slice_cut(&line, ':', &role) || line.ptr == NULL || slice_find(line, ':') >= 0)
        return "write name:hash:role:domains, as `tollgate web passwd' does";
    out->role = web_users_role(role);
    out->domains = line;
    out->may_write = false;
    if (out->role == WEB_ROLE_NONE)
        return "unknown role: use admin, domain or user";
    if (out->role == WEB_ROLE_DOMAIN && line.len == 0)
        return "the role domain needs domains behind it: name:hash:domain:example.com";
    if (out->role == WEB_ROLE_USER && slice_find(out->name, '@') < 0)
        return "the name of a user is an address, such as alice@example.com";
    return NULL;
}

bool web_users_find(struct slice file, struct slice name, struct web_user *out)
{
    struct slice line;

    while (slice_cut(&file, '\n', &line)) {
        line = slice_trim(line);
        if (!is_comment(line) && parse(line, out) == NULL && slice_equal(out->name, name))
            return true;
    }
    return false;
}

/* The digest of a token's hash; empty: it is a password's. */
static struct slice token_digest(struct slice hash, bool *may_write)
{
    *may_write = slice_starts(hash, SLICE(WRITE_HASH));
    if (*may_write)
        return slice_from(hash, sizeof WRITE_HASH - 1);
    return slice_starts(hash, SLICE(TOKEN_HASH)) ? slice_from(hash, sizeof TOKEN_HASH - 1)
                                                 : SLICE_NONE;
}

bool web_users_find_token(struct slice file, struct slice token, struct web_user *out)
{
    char digest[SECRET_TEXT];
    struct slice line;
    bool found = false;
    struct web_user user;

    if (!slice_starts(token, SLICE(WEB_USERS_TOKEN_START)))
        return false;
    secret_digest(token, digest);
    while (slice_cut(&file, '\n', &line)) {
        line = slice_trim(line);
        if (!is_comment(line) && parse(line, &user) == NULL &&
            secret_equal(token_digest(user.hash, &user.may_write), slice_str(digest))) {
            *out = user;
            found = true;
        }
    }
    return found;
}

/* Domains of the file are compared as they stand, so they have to be canonical. */
static bool is_canonical(struct slice domains)
{
    struct arena arena;
    struct slice out;
    bool good;

    arena_init(&arena, 1 << 20);
    good = domains.len == 0 ||
           (web_users_domains(domains, &arena, &out, NULL) == 0 && slice_equal(out, domains));
    arena_fini(&arena);
    return good;
}

int web_users_check(struct slice file, const char *name, struct err *err)
{
    struct slice line;
    size_t number = 0;

    while (slice_cut(&file, '\n', &line)) {
        struct web_user user;
        const char *wrong;

        number++;
        line = slice_trim(line);
        if (is_comment(line))
            continue;
        wrong = parse(line, &user);
        if (wrong == NULL && !is_canonical(user.domains))
            wrong = "write the domains in lower case, as A-labels, with commas between them";
        if (wrong != NULL)
            return err_set(err, EX_CONFIG, "%s:%zu: %s", name, number, wrong);
    }
    return 0;
}

/* --- writing --------------------------------------------------------------------------------- */

int web_users_domains(struct slice list, struct arena *arena, struct slice *out, struct err *err)
{
    struct slice word, domain;
    struct buf b;
    int result = 0;

    buf_init(&b, 1 << 20);
    while (result == 0 && slice_word(&list, ", ", &word)) {
        result = domain_canonical(word, arena, &domain, err);
        if (result != 0)
            break;
        if (b.len > 0)
            buf_add_char(&b, ',');
        buf_add(&b, domain);
    }
    *out = arena_copy(arena, buf_slice(&b));
    if (result == 0 && (b.failed || (b.len > 0 && out->ptr == NULL)))
        result = err_set(err, EX_OSERR, "out of memory");
    buf_fini(&b);
    return result;
}

void web_users_token_new(bool may_write, char token[WEB_USERS_TOKEN_ROOM],
                         char hash[WEB_USERS_TOKEN_ROOM])
{
    char random[SECRET_TEXT], digest[SECRET_TEXT];

    secret_random(random);
    (void)snprintf(token, WEB_USERS_TOKEN_ROOM, WEB_USERS_TOKEN_START "%s", random);
    secret_digest(slice_str(token), digest);
    (void)snprintf(hash, WEB_USERS_TOKEN_ROOM, "%s%s", may_write ? WRITE_HASH : TOKEN_HASH, digest);
}

static void add_line(struct buf *b, const struct web_user *user)
{
    buf_add(b, user->name);
    buf_add_char(b, ':');
    buf_add(b, user->hash);
    buf_addf(b, ":%s:", role_names[user->role]);
    buf_add(b, user->domains);
    buf_add_char(b, '\n');
}

/* The old lines, with the user's among them. */
static void add_lines(struct buf *b, struct slice old, const struct web_user *user)
{
    struct slice line, rest, name;
    bool is_there = false;

    while (slice_cut(&old, '\n', &line)) {
        rest = slice_trim(line);
        if (old.ptr == NULL && rest.len == 0)
            break; /* behind the last line's end */
        if (!is_comment(rest) && slice_cut(&rest, ':', &name) && slice_equal(name, user->name)) {
            if (!is_there)
                add_line(b, user);
            is_there = true;
            continue;
        }
        buf_add(b, line);
        buf_add_char(b, '\n');
    }
    if (!is_there)
        add_line(b, user);
}

/* The owner of the file there is; of a new one, root and the account's group. */
static void find_owner(const char *path, const char *account, uid_t *uid, gid_t *gid, mode_t *mode)
{
    struct passwd p, *found = NULL;
    char room[ROOM_BYTES];
    struct stat st;

    *uid = (uid_t)-1;
    *gid = (gid_t)-1;
    *mode = MODE;
    if (stat(path, &st) == 0) {
        *uid = st.st_uid;
        *gid = st.st_gid;
        *mode = st.st_mode & 07777;
    } else if (account[0] != '\0' && getpwnam_r(account, &p, room, sizeof room, &found) == 0 &&
               found != NULL) {
        *gid = p.pw_gid;
    }
}

static int replace(const char *path, struct slice text, const char *account, struct err *err)
{
    char made[4096];
    mode_t mode;
    uid_t uid;
    gid_t gid;

    find_owner(path, account, &uid, &gid, &mode);
    if (snprintf(made, sizeof made, "%s.next", path) >= (int)sizeof made)
        return err_set(err, EX_CANTCREAT, "cannot write %s: the name is too long", path);
    if (file_write(made, text, 0600, err) != 0)
        return -1;
    /* Who is not root keeps the file as his own. */
    if ((chown(made, uid, gid) != 0 && geteuid() == 0) || chmod(made, mode) != 0 ||
        rename(made, path) != 0) {
        (void)err_set(err, EX_CANTCREAT, "cannot write %s: %s", path, strerror(errno));
        (void)unlink(made);
        return -1;
    }
    return 0;
}

static int put(const char *path, const struct web_user *user, const char *account, struct err *err)
{
    struct buf old, fresh;
    int result = 0;

    buf_init(&old, WEB_USERS_FILE_MAX);
    buf_init(&fresh, WEB_USERS_FILE_MAX);
    if (access(path, F_OK) == 0)
        result = file_read(path, &old, err);
    if (result == 0)
        add_lines(&fresh, buf_slice(&old), user);
    if (result == 0 && fresh.failed)
        result = err_set(err, EX_OSERR, "%s: the file would be too large", path);
    if (result == 0)
        result = replace(path, buf_slice(&fresh), account, err);
    buf_fini(&old);
    buf_fini(&fresh);
    return result;
}

int web_users_put(const char *path, const struct web_user *user, const char *account,
                  struct err *err)
{
    char lock_path[4096];
    int lock, result;

    if (snprintf(lock_path, sizeof lock_path, "%s.lock", path) >= (int)sizeof lock_path)
        return err_set(err, EX_CANTCREAT, "cannot write %s: the name is too long", path);
    lock = lock_file_take(lock_path, LOCK_WAIT_MS, err);
    if (lock < 0)
        return -1;
    result = put(path, user, account, err);
    (void)close(lock);
    return result;
}
