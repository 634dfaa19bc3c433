/* tollgate-web: options, and the daemon's life. Its manual: doc/tollgate-web.8. */
#include "config.h"

#include <stdio.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/daemon.h"
#include "lib/sys/descriptors.h"
#include "lib/sys/files.h"
#include "lib/sys/log.h"
#include "lib/sys/privileges.h"
#include "lib/sys/signals.h"
#include "lib/sys/web_users.h"
#include "web/http_listen.h"
#include "web/http_server.h"
#include "web/site.h"

#define DRAIN_MS          10000
#define WATCH_MS          1000
#define DAY_S             86400

#define EXPIRES_SOON_DAYS 14

struct web {
    const char *file;
    struct site *site;
    struct http_listen listen;
    struct http_server *server;
};

static int complain(const struct err *err)
{
    return daemon_complain("tollgate-web", err);
}

/* --- checks ---------------------------------------------------------------------------------- */

/* A file that is missing is an empty one: nobody has been given a password yet. */
static int check_users(const struct settings *s, struct err *err)
{
    struct buf b;
    int result;

    if (s->web.users_file[0] == '\0' || access(s->web.users_file, F_OK) != 0)
        return 0;
    buf_init(&b, WEB_USERS_FILE_MAX);
    result = file_read(s->web.users_file, &b, err);
    if (result == 0)
        result = web_users_check(buf_slice(&b), s->web.users_file, err);
    else
        err->code = EX_CONFIG;
    buf_fini(&b);
    return result;
}

/* Empty where there is no TLS. */
static int load_pair(const struct settings *s, struct tls_pair *pair, struct err *err)
{
    int64_t now_s = clock_unix_ms() / 1000;

    if (s->web.tls_cert_file[0] == '\0' && s->web.tls_key_file[0] != '\0')
        return err_set(err, EX_CONFIG,
                       "web.tls_key_file does nothing without web.tls_cert_file: set both");
    if (s->web.tls_cert_file[0] == '\0' ||
        tls_pair_load(pair, s->web.tls_cert_file, s->web.tls_key_file, now_s, err) == 0)
        return 0;
    err->code = EX_CONFIG;
    return err_prefix(err, "web.tls_cert_file");
}

static void warn_of_end(const struct settings *s, const struct tls_pair *pair)
{
    int64_t days = (pair->until_s - clock_unix_ms() / 1000) / DAY_S;

    if (pair->cert.len > 0 && days < EXPIRES_SOON_DAYS)
        log_event(LOG_WARNING, "the certificate expires soon: renew it, and reload",
                  LOG_STR("file", s->web.tls_cert_file), LOG_NUM("days", days));
}

static int check(const struct settings *s, struct err *err)
{
    struct tls_pair pair;
    int result;

    tls_pair_init(&pair);
    result = load_pair(s, &pair, err);
    tls_pair_fini(&pair);
    return result == 0 && http_listen_check(s, err) == 0 ? check_users(s, err) : -1;
}

static int check_as_account(void *context, struct err *err)
{
    return check(context, err);
}

static int test(struct settings *s)
{
    struct privileges_account account;
    struct err err = {0};

    if (privileges_find(s->web.user, &account, &err) == 0 &&
        privileges_try(&account, check_as_account, s, &err) == 0)
        return EX_OK;
    (void)complain(&err);
    return EX_CONFIG;
}

/* --- life ------------------------------------------------------------------------------------ */

#define FILES_APART 64 /* open files that are no client's */

/* libmicrohttpd accepts nobody where it runs out of descriptors. */
static void raise_files(const struct settings *s)
{
    uint64_t most = (uint64_t)s->web.connections_max * s->web.listen.count + FILES_APART;
    uint64_t limit = descriptors_raise();

    if (limit > 0 && limit < most)
        log_event(LOG_WARNING,
                  "the limit of open files is lower than web.connections_max: raise LimitNOFILE "
                  "(ulimit -n)",
                  LOG_NUM("limit", limit), LOG_NUM("needed", most));
}

static void refresh_setup(struct web *w)
{
    const struct site_settings *held = site_take(w->site);

    setup_cache_refresh(site_setups(w->site), held);
    site_give(w->site, held);
}

static void start_server(struct web *w, const struct settings *s, struct err *err)
{
    struct tls_pair pair;

    tls_pair_init(&pair);
    if (load_pair(s, &pair, err) == 0) {
        warn_of_end(s, &pair);
        w->server = http_server_start(w->site, &w->listen, s, &pair, err);
    }
    tls_pair_fini(&pair);
}

/* As the account that serves. Takes the settings over. */
static int open_all(struct web *w, struct settings *s, struct err *err)
{
    struct privileges_account account;

    if (clock_zone_set(s->timezone, err) != 0 || privileges_find(s->web.user, &account, err) != 0 ||
        privileges_become(&account, s->web.group, err) != 0 || check(s, err) != 0 ||
        signals_open(err) != 0 || http_listen_open(&w->listen, s, err) != 0) {
        settings_free(s);
        return -1;
    }
    raise_files(s);
    signals_block(); /* for the threads */
    w->site = site_new(s, err);
    if (w->site != NULL)
        refresh_setup(w);
    if (w->site != NULL)
        start_server(w, s, err);
    signals_unblock();
    return w->server != NULL ? 0 : -1;
}

static void close_all(struct web *w)
{
    http_server_stop(w->server, clock_monotonic_ms() + DRAIN_MS);
    http_listen_close(&w->listen);
    site_free(w->site);
}

/* The settings in force and the certificate. */
static int put_in_force(struct web *w, struct settings *fresh, struct tls_pair *pair,
                        struct err *err)
{
    const struct site_settings *held;
    int result;

    if (site_reload(w->site, fresh, err) != 0)
        return -1;
    held = site_take(w->site);
    log_open("tollgate-web", (enum log_target)held->settings->log.target,
             held->settings->log.facility, held->settings->log.level);
    warn_of_end(held->settings, pair);
    signals_block(); /* for new threads */
    result = http_server_renew(w->server, held->settings, pair, err);
    signals_unblock();
    site_give(w->site, held);
    return result;
}

static void reload(struct web *w)
{
    struct err err = {0};
    struct settings *fresh = settings_load(w->file, NULL, &err);
    struct tls_pair pair;
    int result = -1;

    tls_pair_init(&pair);
    if (fresh != NULL && (check(fresh, &err) != 0 || load_pair(fresh, &pair, &err) != 0))
        settings_free(fresh);
    else if (fresh != NULL)
        result = put_in_force(w, fresh, &pair, &err);
    tls_pair_fini(&pair);
    if (result != 0)
        log_event(LOG_ERR, "not reloaded: the old configuration stays in force",
                  LOG_ERROR("error", &err));
    else
        log_event(LOG_NOTICE, "reloaded", LOG_STR("file", w->file));
}

/* Until TERM or INT. */
static void run(struct web *w)
{
    enum signal_event event;

    while ((event = signals_next(WATCH_MS)) != EVENT_STOP) {
        if (event == EVENT_RELOAD)
            reload(w);
        http_server_watch(w->server, clock_monotonic_ms());
        refresh_setup(w);
    }
    log_plain(LOG_NOTICE, "stopping");
}

static int fail(struct web *w, struct daemon_background *b, const struct err *err)
{
    int code = daemon_background_failed(b, err);

    close_all(w);
    daemon_background_done(b, code);
    return code;
}

static int serve(const struct daemon_options *o, struct settings *s)
{
    struct daemon_background background;
    struct web web = {.file = o->file};
    struct err err = {0};
    int exit_code;

    (void)umask(077);
    signals_ignore();
    if (daemon_background_begin(&background, "tollgate-web", s, o->foreground, &exit_code) != 0) {
        settings_free(s);
        return exit_code;
    }
    if (open_all(&web, s, &err) != 0)
        return fail(&web, &background, &err);
    daemon_background_done(&background, EX_OK);
    log_event(LOG_NOTICE, "started", LOG_STR("version", PACKAGE_VERSION));
    run(&web);
    close_all(&web);
    log_plain(LOG_NOTICE, "stopped");
    return EX_OK;
}

static int run_main(int argc, char **argv)
{
    static const struct daemon_program program = {
        .name = "tollgate-web", .version = PACKAGE_VERSION, .commands = ""};
    struct daemon_options o;
    struct settings *s;
    int exit_code = daemon_options_read(argc, argv, &program, &o, stdout, stderr);

    if (exit_code >= 0)
        return exit_code;
    s = daemon_settings(&o, "tollgate-web", stderr, &exit_code);
    if (s == NULL)
        return exit_code;
    if (!o.print && !o.test)
        return serve(&o, s);
    if (o.print)
        exit_code = daemon_settings_print(&o, s, "tollgate-web", stderr);
    if (o.test)
        exit_code = test(s);
    settings_free(s);
    return exit_code;
}

int main(int argc, char **argv)
{
    return daemon_main("tollgate-web", run_main, argc, argv);
}
