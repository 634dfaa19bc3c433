/* tollgate doctor: checks the installation, and says how to fix what is wrong. */
#include "cli/doctor.h"
#include "cli/command.h"

#include <errno.h>
#include <jansson.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/options.h"
#include "cli/person.h"
#include "lib/core/format.h"
#include "lib/core/store_url.h"
#include "lib/sys/clock.h"

#define EX_SICK 1 /* something fails */

static const char *const formats[] = {"text", "json", NULL};
static const struct options_word words[] = {{.name = NULL}};
static const struct options_row rows[] = {
    {.name = "postfix",
     OPTIONS_TEXT,
     offsetof(struct doctor, postfix_dir),
     "DIR",
     "directory of the main.cf to check (default: Postfix's own)"},
    {.name = "etc",
     OPTIONS_TEXT,
     offsetof(struct doctor, etc_dir),
     "DIR",
     "directory of the settings of logrotate, journald and rsyslog (/etc)"},
    {.name = "format",
     OPTIONS_CHOICE,
     offsetof(struct doctor, format),
     "text|json",
     "output format (text)",
     .choices = formats},
    {.name = NULL}};
static const struct options_table table = {
    .command = "doctor",
    .synopsis = "doctor [--postfix DIR] [--etc DIR] [--format text|json]",
    .words = words,
    .rows = rows,
    .notes =
        "Checks settings, state directory, store, clock, nodes, ledger, milter socket, Postfix, "
        "hosted domains, and the collector with its logs. Run it as root: other users cannot see "
        "everything. Each finding "
        "is ok, warn, fail or unknown (it could not be checked); the line below it says how to "
        "fix it. The exit code is 1 if anything fails, else 0."};

/* --- settings -------------------------------------------------------------------------------- */

static void say_faults(struct doctor *d, char *faults, const struct err *err)
{
    struct slice rest = slice_str(faults), line;
    bool any = false;

    while (slice_cut(&rest, '\n', &line)) {
        if (line.len == 0)
            continue;
        doctor_say(d, DOCTOR_FAIL, "settings", "%.*s", SLICE_FMT(line));
        any = true;
    }
    if (!any)
        doctor_say(d, DOCTOR_FAIL, "settings", "%s", err->text);
    doctor_fix(d, "correct %s; `tollgated -t' checks it alone. Nothing else can be checked before",
               d->cli->config);
}

/* The password of store.url is for those who may count, not for every user of the machine. */
static void check_secret(struct doctor *d)
{
    struct store_url url;
    struct err err = {0};
    struct stat s;

    if (store_url_parse(slice_str(d->cli->settings->store.url), &d->arena, &url, &err) != 0 ||
        url.password.len == 0 || stat(d->cli->config, &s) != 0 || (s.st_mode & S_IROTH) == 0)
        return;
    doctor_say(d, DOCTOR_WARN, "settings", "%s has a password and is readable by every user",
               d->cli->config);
    doctor_fix(d, "move the password to store.password_file, or: chmod o-r %s", d->cli->config);
}

/* False: nothing else can be checked. */
static bool check_settings(struct doctor *d)
{
    struct err err = {0};
    char *faults = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&faults, &size);

    d->cli->settings = settings_load(d->cli->config, out, &err);
    if (out != NULL)
        (void)fclose(out);
    if (d->cli->settings == NULL)
        say_faults(d, faults, &err);
    free(faults);
    if (d->cli->settings == NULL)
        return false;
    if (clock_zone_set(d->cli->settings->timezone, &err) != 0) {
        doctor_say(d, DOCTOR_FAIL, "settings", "%s", err.text);
        return false;
    }
    doctor_say(d, DOCTOR_OK, "settings", "%s, node %s", d->cli->config, d->cli->settings->node);
    check_secret(d);
    return true;
}

/* --- state_dir ------------------------------------------------------------------------------- */

/* Whom tollgated runs as: settings.user where it is started as root. */
static const char *daemon_user(const struct settings *s)
{
    return s->user[0] != '\0' ? s->user : "root";
}

static void check_writable(struct doctor *d, const char *dir)
{
    const char *user = daemon_user(d->cli->settings);
    struct person person;
    struct err err = {0};

    if (person_find(user, &person, &err) != 0) {
        doctor_say(d, DOCTOR_FAIL, "state_dir", "%s", err.text);
        doctor_fix(d,
                   "useradd --system --home-dir %s --shell /usr/sbin/nologin %s, or set another "
                   "`user' in %s",
                   dir, user, d->cli->config);
    } else if (person_access(&person, dir, ACCESS_WRITE_DIR, &err) != 0) {
        doctor_say(d, DOCTOR_FAIL, "state_dir", "%s", err.text);
        doctor_fix(d, "chown %s %s; chmod 0700 %s", user, dir, dir);
    } else {
        doctor_say(d, DOCTOR_OK, "state_dir", "%s is writable by the user %s", dir, user);
    }
}

static void check_space(struct doctor *d, const char *dir)
{
    uint64_t least = (uint64_t)d->cli->settings->ledger.min_free_bytes, room;
    struct buf b;
    struct statvfs fs;

    if (statvfs(dir, &fs) != 0) {
        doctor_say(d, DOCTOR_FAIL, "disk", "%s: %s", dir, strerror(errno));
        doctor_fix(d, "check that the file system is mounted and healthy");
        return;
    }
    room = (uint64_t)fs.f_bavail * fs.f_frsize;
    buf_init(&b, 256);
    format_bytes(&b, room);
    buf_add_str(&b, " free, ledger.min_free is ");
    format_bytes(&b, least);
    doctor_say(d,
               room <= least       ? DOCTOR_FAIL
               : room / 4 <= least ? DOCTOR_WARN
                                   : DOCTOR_OK,
               "disk", "%s: %.*s", dir, SLICE_FMT(buf_slice(&b)));
    if (room / 4 <= least)
        doctor_fix(d, "free space on that file system: below ledger.min_free, messages are %s",
                   d->cli->settings->ledger.on_full == ON_FAILURE_ACCEPT ? "accepted uncounted"
                                                                         : "deferred");
    buf_fini(&b);
}

static void check_running(struct doctor *d, const char *dir)
{
    char path[4096];

    (void)snprintf(path, sizeof path, "%s/lock", dir);
    doctor_running(d, "tollgated", "tollgated", path);
}

void doctor_state_dir(struct doctor *d)
{
    const char *dir = d->cli->settings->state_dir;
    struct stat s;

    errno = ENOTDIR;
    if (stat(dir, &s) != 0 || !S_ISDIR(s.st_mode)) {
        doctor_say(d, DOCTOR_FAIL, "state_dir", "%s: %s", dir, strerror(errno));
        doctor_fix(d, "install -d -o %s -m 0700 %s", daemon_user(d->cli->settings), dir);
        return;
    }
    check_writable(d, dir);
    check_space(d, dir);
    check_running(d, dir);
}

/* --- all together ---------------------------------------------------------------------------- */

static void (*const checks[])(struct doctor *) = {doctor_state_dir, doctor_store,  doctor_clock,
                                                  doctor_nodes,     doctor_ledger, doctor_socket,
                                                  doctor_postfix,   doctor_hosted, doctor_collect};

static int examine(struct doctor *d)
{
    int code;

    d->now_s = clock_unix_ms() / 1000;
    if (check_settings(d)) {
        for (size_t i = 0; i < sizeof checks / sizeof checks[0]; i++)
            checks[i](d);
    }
    code = doctor_finish(d);
    if (code != EX_OK)
        return code;
    return d->counts[DOCTOR_FAIL] > 0 ? EX_SICK : EX_OK;
}

int command_doctor(struct cli *cli, int argc, char **argv)
{
    struct doctor d = {.cli = cli};
    struct render_style style;
    char **none;
    int code = options_parse(&table, cli, &d, argc, argv, &none);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    cli_style(&style);
    d.colour = style.colour;
    d.width = style.width;
    d.findings = d.format == 1 ? json_array() : NULL;
    arena_init(&d.arena, (size_t)256 << 20);
    code = examine(&d);
    json_decref(d.findings);
    arena_fini(&d.arena);
    return code;
}
