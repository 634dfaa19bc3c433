/* tollgate-relay: options and commands. See doc/tollgate-relay.8. */
#include "config.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sources/source.h"
#include "lib/sys/clock.h"
#include "lib/sys/daemon.h"
#include "lib/sys/privileges.h"
#include "lib/sys/relay_queue.h"
#include "relay/auth.h"
#include "relay/policy.h"
#include "relay/queue_command.h"
#include "relay/service.h"

#define PASSWORD_BYTES 1026
#define USER_USAGE     "       tollgate-relay user LOGIN <PASSWORD\n"
#define ROOM_BYTES     65536 /* of a passwd entry */

static int complain(const struct err *err)
{
    return daemon_complain("tollgate-relay", err);
}

/* --- the daemon ------------------------------------------------------------------------------ */

static int fail(struct daemon_background *b, const struct err *err)
{
    int code = daemon_background_failed(b, err);

    daemon_background_done(b, code);
    return code;
}

static int start(const struct settings *s, struct service **service, struct err *err)
{
    if (clock_zone_set(s->timezone, err) != 0 || service_catch_signals(err) != 0)
        return -1;
    *service = service_open(s, err);
    return *service == NULL ? -1 : 0;
}

static int serve(const struct daemon_options *o, const struct settings *s)
{
    struct daemon_background background;
    struct service *service = NULL;
    struct err err = {.code = 0};
    int exit_code;

    (void)umask(077);
    if (daemon_background_begin(&background, "tollgate-relay", s, o->foreground, &exit_code) != 0)
        return exit_code;
    if (start(s, &service, &err) != 0)
        return fail(&background, &err);
    daemon_background_done(&background, EX_OK);
    service_run(service);
    service_close(service);
    return EX_OK;
}

/* --- commands -------------------------------------------------------------------------------- */

/* Prints a line for relay.users_file; the password is the first line of the standard input. */
static int run_user(const char *file, int argc, char **argv)
{
    char password[PASSWORD_BYTES];
    struct err err = {.code = 0};
    struct buf hash;
    int code = EX_OK;

    (void)file;
    if (argc != 2 || argv[1][0] == '\0' || strpbrk(argv[1], ":\r\n") != NULL) {
        (void)fputs("usage:\n" USER_USAGE, stderr);
        return EX_USAGE;
    }
    if (fgets(password, sizeof password, stdin) == NULL || password[0] == '\n') {
        (void)fputs("tollgate-relay: no password on the standard input\n", stderr);
        return EX_NOINPUT;
    }
    password[strcspn(password, "\r\n")] = '\0';
    buf_init(&hash, 1024);
    if (auth_hash(password, &hash, &err) == 0)
        (void)printf("%s:%s\n", argv[1], hash.data);
    else
        code = complain(&err);
    buf_fini(&hash);
    return code;
}

/* Root continues with the rights of the account that has the queue: a link that this account put
 * there then leads only where the account may go itself. */
static int become_owner(const char *queue_dir, struct err *err)
{
    struct privileges_account account;
    struct passwd p, *found = NULL;
    char room[ROOM_BYTES];
    struct stat st;

    if (geteuid() != 0 || stat(queue_dir, &st) != 0 || st.st_uid == 0)
        return 0;
    if (getpwuid_r(st.st_uid, &p, room, sizeof room, &found) != 0 || found == NULL)
        return err_set(err, EX_OSERR, "%s belongs to the unknown user %u: give it to an account",
                       queue_dir, (unsigned)st.st_uid);
    return privileges_find(p.pw_name, &account, err) == 0 ? privileges_become(&account, "", err)
                                                          : -1;
}

static int run_queue(const char *file, int argc, char **argv)
{
    struct err err = {.code = 0};
    struct daemon_options o = {.file = file};
    struct settings *s;
    char path[512];
    int code;

    s = daemon_settings(&o, "tollgate-relay", stderr, &code);
    if (s == NULL)
        return code;
    relay_queue_dir(s, path, sizeof path);
    code = become_owner(path, &err) == 0 ? queue_command(path, argc - 1, argv + 1) : complain(&err);
    settings_free(s);
    return code;
}

/* Index of the command's first word, behind `-c FILE`; 0: none, start the daemon. */
static int find_command(int argc, char **argv, const char **file)
{
    int at = 1;

    if (at + 1 < argc && strcmp(argv[at], "-c") == 0) {
        *file = argv[at + 1];
        at += 2;
    }
    return at < argc && argv[at][0] != '-' ? at : 0;
}

static const struct command {
    const char *name;
    int (*run)(const char *file, int argc, char **argv);
} commands[] = {{"queue", run_queue}, {"user", run_user}};

static int run_command(const char *file, int argc, char **argv)
{
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].run(file, argc, argv);
    }
    (void)fprintf(stderr, "tollgate-relay: %s: no such command: use queue or user\n", argv[0]);
    return EX_USAGE;
}

/* Lines of sources that are ignored. */
static void warn_of_sources(const struct settings *s)
{
    struct err ignored;

    hosted_free(source_load(s, stderr, &ignored));
}

/* What a start would refuse. As root, with the rights of the account that the daemon runs as. */
static int test(const struct settings *s)
{
    struct privileges_account account;
    struct err err = {.code = 0};

    if (service_check_as_root(s, &err) == 0 && privileges_find(s->user, &account, &err) == 0 &&
        privileges_become(&account, "", &err) == 0 && service_check(s, &err) == 0) {
        warn_of_sources(s);
        return EX_OK;
    }
    (void)complain(&err);
    return err.code == EX_UNAVAILABLE || err.code == EX_TEMPFAIL ? EX_OK : EX_CONFIG;
}

static int run_main(int argc, char **argv)
{
    static const struct daemon_program program = {.name = "tollgate-relay",
                                                  .version = PACKAGE_VERSION,
                                                  .commands = QUEUE_COMMAND_USAGE USER_USAGE};
    const char *file = settings_default_file;
    struct daemon_options o;
    struct settings *s;
    struct err err = {.code = 0};
    int at = find_command(argc, argv, &file), code;

    if (at > 0)
        return run_command(file, argc - at, argv + at);
    code = daemon_options_read(argc, argv, &program, &o, stdout, stderr);
    if (code >= 0)
        return code;
    s = daemon_settings(&o, "tollgate-relay", stderr, &code);
    if (s == NULL)
        return code;
    if (policy_check(s, &err) != 0) {
        (void)err_prefix(&err, "%s", o.file);
        code = complain(&err);
    } else if (!o.print && !o.test) {
        code = serve(&o, s);
    } else {
        if (o.print)
            code = daemon_settings_print(&o, s, "tollgate-relay", stderr);
        if (o.test)
            code = test(s);
    }
    settings_free(s);
    return code;
}

int main(int argc, char **argv)
{
    return daemon_main("tollgate-relay", run_main, argc, argv);
}
