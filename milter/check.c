#include "milter/check.h"

#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/store_url.h"
#include "lib/redis/own_server.h"
#include "lib/redis/transport_tls.h"
#include "lib/sys/fault.h"
#include "lib/sys/files.h"
#include "lib/sys/net.h"
#include "lib/sys/privileges.h"
#include "lib/sys/program.h"
#include "lib/sys/socket_name.h"
#include "milter/listen.h"

enum { LINE_BYTES = 1024 };

struct check {
    const struct settings *s;
    struct faults faults;
};

static void fault(struct check *c, const char *setting, const char *format, ...) TG_PRINTF(3, 4);

static void fault(struct check *c, const char *setting, const char *format, ...)
{
    char what[sizeof c->faults.err->text];
    const char *file;
    size_t line;
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(what, sizeof what, format, ap);
    va_end(ap);
    settings_place(c->s, setting, &file, &line);
    if (strncmp(what, setting, strlen(setting)) == 0) /* the text names it already */
        fault_add(&c->faults, file, line, "%s", what);
    else
        fault_add(&c->faults, file, line, "%s: %s", setting, what);
}

/* --- faults ----------------------------------------------------------------------------------- */

static void check_socket(struct check *c)
{
    struct socket_name name;
    struct arena arena;
    struct err err;

    arena_init(&arena, 4096);
    if (socket_name_parse(slice_str(c->s->milter.socket), &arena, &name, &err) == 0 &&
        name.family == SOCKET_UNIX) {
        if (!listen_has_directory(name.path))
            fault(c, "milter.socket",
                  "the directory of %s does not exist; make it, owned by the account of tollgated",
                  name.path);
        if (privileges_group_check("milter.group", c->s->milter.group, true, &err) != 0)
            fault(c, "milter.group", "%s", err.text);
    }
    arena_fini(&arena);
}

/* Its journal and ledger are what the bills are made of. */
static void check_state(struct check *c)
{
    struct stat st;

    if (stat(c->s->state_dir, &st) != 0)
        return; /* a start makes it */
    if (!S_ISDIR(st.st_mode))
        fault(c, "state_dir", "%s is not a directory; remove it, or set another", c->s->state_dir);
    else if ((st.st_mode & S_IWOTH) != 0)
        fault(c, "state_dir", "everybody may write to %s; chmod o-w it", c->s->state_dir);
}

static bool has_tls(const struct settings *s)
{
    struct store_url url;
    struct arena arena;
    bool tls;

    arena_init(&arena, 65536);
    tls = store_url_parse(slice_str(s->store.url), &arena, &url, NULL) == 0 && url.tls;
    arena_fini(&arena);
    return tls;
}

static void check_password(struct check *c)
{
    const char *path = c->s->store.password_file;
    struct err err = {0};
    struct buf text;

    if (path[0] == '\0')
        return;
    buf_init(&text, LINE_BYTES);
    if (file_read(path, &text, &err) != 0)
        fault(c, "store.password_file", "%s; give it to the account of tollgated", err.text);
    else if (slice_trim(buf_slice(&text)).len == 0)
        fault(c, "store.password_file", "%s is empty; write the password into its first line",
              path);
    buf_fini(&text);
}

/* What a wrong file's setting is called stands at the beginning of the error. */
static void check_tls(struct check *c)
{
    static const char *const settings[] = {"store.tls.ca_file", "store.tls.cert_file",
                                           "store.tls.key_file"};
    const struct transport_tls_config config = {c->s->store.tls.ca_file, c->s->store.tls.cert_file,
                                                c->s->store.tls.key_file, ""};
    struct err err = {0};

    if (!has_tls(c->s) || transport_tls_check(&config, &err) == 0)
        return;
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct slice start = slice_str(settings[i]);

        if (slice_starts(slice_str(err.text), start)) {
            fault(c, settings[i], "%s", err.text + start.len + 2);
            return;
        }
    }
    fault(c, "store.url", "%s", err.text);
}

static void check_notify(struct check *c)
{
    const char *path = c->s->throttle.notify;
    struct stat st;

    if (path[0] == '\0')
        return;
    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        fault(c, "throttle.notify", "no program %s; install it, or set \"\"", path);
    else if (faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) != 0)
        fault(c, "throttle.notify", "%s cannot be run; chmod a+x it", path);
}

static void check_redis(struct check *c)
{
    if (own_server_wanted(c->s) && !program_exists("redis-server") &&
        !program_exists("valkey-server"))
        fault(c, "store.url",
              "\"private:\" needs the program redis-server; install it (apt-get install "
              "redis-server), or set another");
}

/* The private store is started as the account, so root's rights do not help. */
static void check_private_group(struct check *c, bool stays_root)
{
    struct err err = {0};

    if (own_server_wanted(c->s) &&
        privileges_group_check("store.private_group", c->s->store.private_group, stays_root,
                               &err) != 0)
        fault(c, "store.private_group", "%s", err.text);
}

/* With the rights of the account, as far as the present process can take them. */
static void check_files(struct check *c)
{
    struct privileges_account account;
    struct err err = {0};

    if (privileges_find(c->s->user, &account, &err) != 0 ||
        privileges_files_as(&account, "", &err) != 0) {
        fault(c, "user", "%s", err.text);
        return;
    }
    check_password(c);
    check_tls(c);
    check_notify(c);
    check_private_group(c, account.name[0] == '\0');
    privileges_files_root(&account);
}

int check_machine(const struct settings *s, enum check_scope scope, FILE *out, struct err *err)
{
    struct check c = {.s = s, .faults = {.out = out, .err = err, .code = EX_CONFIG}};

    if (scope == CHECK_TEST) {
        check_socket(&c);
        check_redis(&c);
    }
    check_state(&c);
    check_files(&c);
    faults_end(&c.faults);
    return c.faults.count == 0 ? 0 : -1;
}

/* --- warnings --------------------------------------------------------------------------------- */

struct warnings {
    const struct settings *s;
    FILE *out;
};

static void warn(const struct warnings *w, const char *setting, const char *format, ...)
    TG_PRINTF(3, 4);

static void warn(const struct warnings *w, const char *setting, const char *format, ...)
{
    const char *file;
    size_t line;
    va_list ap;

    settings_place(w->s, setting, &file, &line);
    (void)fprintf(w->out, "%s:%zu: warning: %s: ", file, line, setting);
    va_start(ap, format);
    (void)vfprintf(w->out, format, ap);
    va_end(ap);
    (void)fputc('\n', w->out);
}

static bool others_read(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && (st.st_mode & S_IROTH) != 0;
}

static void warn_of_secrets(const struct warnings *w)
{
    struct store_url url;
    struct arena arena;

    if (w->s->store.password_file[0] != '\0' && others_read(w->s->store.password_file))
        warn(w, "store.password_file", "everybody may read %s; chmod o-r it",
             w->s->store.password_file);
    arena_init(&arena, 65536);
    if (store_url_parse(slice_str(w->s->store.url), &arena, &url, NULL) == 0 &&
        url.password.len > 0 && others_read(w->s->file))
        warn(w, "store.url",
             "it holds a password and everybody may read %s; chmod o-r it, or use "
             "store.password_file",
             w->s->file);
    arena_fini(&arena);
}

static void warn_of_tls(const struct warnings *w)
{
    const struct {
        const char *setting, *value;
    } rows[] = {{"store.tls.ca_file", w->s->store.tls.ca_file},
                {"store.tls.cert_file", w->s->store.tls.cert_file},
                {"store.tls.key_file", w->s->store.tls.key_file},
                {"store.tls.server_name", w->s->store.tls.server_name}};

    if (has_tls(w->s))
        return;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
        if (rows[i].value[0] != '\0')
            warn(w, rows[i].setting,
                 "store.url has no TLS, so it has no effect; begin store.url with rediss://, "
                 "rediss+sentinel:// or rediss+cluster://, or remove it");
}

/* Whoever reaches the socket may count mail for any domain, and can stop tollgated (libmilter). */
static void warn_of_socket(const struct warnings *w)
{
    struct socket_name name;
    struct arena arena;

    arena_init(&arena, 4096);
    if (socket_name_parse(slice_str(w->s->milter.socket), &arena, &name, NULL) == 0 &&
        name.family != SOCKET_UNIX && !net_is_loopback(name.host) &&
        strcmp(name.host, "localhost") != 0)
        warn(w, "milter.socket",
             "%s is not a loopback address; only the mail server may reach the port: use a Unix "
             "socket, or a firewall",
             name.host);
    arena_fini(&arena);
}

static void warn_not_hosted(const struct warnings *w, const struct hosted *hosted,
                            const char *setting, const char *text)
{
    const char *at = strrchr(text, '@');
    struct slice domain, owner;
    struct arena arena;

    arena_init(&arena, 65536);
    if (domain_canonical(slice_str(at != NULL ? at + 1 : text), &arena, &domain, NULL) == 0 &&
        hosted_domain(hosted, NULL, domain, &owner) == HOSTED_NO)
        warn(w, setting, "%s is not hosted, so it has no limits to be exempt from; remove it",
             text);
    arena_fini(&arena);
}

static void warn_of_exempt(const struct warnings *w, const struct hosted *hosted)
{
    const struct string_list *users = &w->s->throttle.exempt.users;
    const struct string_list *domains = &w->s->throttle.exempt.domains;

    for (size_t i = 0; i < users->count; i++)
        warn_not_hosted(w, hosted, "throttle.exempt.users", users->items[i]);
    for (size_t i = 0; i < domains->count; i++)
        warn_not_hosted(w, hosted, "throttle.exempt.domains", domains->items[i]);
}

static bool plan_has(const struct plan *plan, enum limit_scope scope)
{
    for (size_t i = 0; i < plan->count; i++) {
        if (plan->limits[i].scope == scope)
            return true;
    }
    return false;
}

static void warn_of_customers(const struct warnings *w)
{
    for (size_t i = 0; i < w->s->plan_count && w->s->billing.customers.count == 0; i++) {
        if (plan_has(&w->s->plans[i], LIMIT_CUSTOMER))
            warn(w, "plans",
                 "the plan \"%.*s\" has a limit of customers, and there are none, so it does "
                 "nothing: name their list in billing.customers",
                 SLICE_FMT(w->s->plans[i].name));
    }
}

void check_warn(const struct settings *s, const struct hosted *hosted, FILE *out)
{
    struct warnings w = {s, out};

    warn_of_secrets(&w);
    warn_of_tls(&w);
    warn_of_socket(&w);
    warn_of_customers(&w);
    if (hosted == NULL || hosted->domains_asked)
        return;
    warn_of_exempt(&w, hosted);
    if (hosted->domains.count == 0)
        warn(&w, "hosted.domains", "no domain is hosted: all mail is charged to _unattributed");
}
