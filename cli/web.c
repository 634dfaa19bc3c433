/* tollgate web: who may sign in to the pages, and tokens for programs. */
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <termios.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/options.h"
#include "lib/core/address.h"
#include "lib/sys/clock.h"
#include "lib/sys/files.h"
#include "lib/sys/secret.h"
#include "lib/sys/signed_link.h"
#include "lib/sys/web_users.h"

#define PASSWORD_ROOM  1026
#define PASSWORD_LEAST 12
#define CARD_DAYS      30
#define DAY_S          INT64_C(86400)
#define ARENA_BYTES    ((size_t)4 << 20)

static const char *const role_names[] = {"admin", "domain", "user", NULL};

struct web_command {
    struct cli *cli;
    struct arena arena;
    int role; /* into role_names; -1: not given */
    const char *domains;
    bool write;
    uint64_t days; /* 0: not given */
};

/* --- the command line ------------------------------------------------------------------------ */

static const struct options_word words[] = {
    {"NAME", "who: a name of your choice; of the role user, an address; of card, a domain"},
    {.name = NULL}};
static const struct options_row rows[] = {
    {.name = "role",
     OPTIONS_CHOICE,
     offsetof(struct web_command, role),
     "ROLE",
     "admin sees all, domain the domains of --domains, user the address NAME; passwd: as before, "
     "if "
     "it is not given",
     .choices = role_names},
    {.name = "domains",
     OPTIONS_TEXT,
     offsetof(struct web_command, domains),
     "D,...",
     "of the role domain: its domains; of user: the domain that it is charged to"},
    {.name = "write",
     OPTIONS_FLAG,
     offsetof(struct web_command, write),
     NULL,
     "the token may change limits, plans and held mail; of the role admin only"},
    {.name = "days",
     OPTIONS_NUMBER,
     offsetof(struct web_command, days),
     "N",
     "of card: how long the link holds (30)",
     .least = 1,
     .most = SIGNED_LINK_CARD_DAYS},
    {.name = NULL}};
static const char *const verbs[] = {"passwd", "token", "card", NULL};
static const struct options_table table = {
    .command = "web",
    .verbs = verbs,
    .synopsis =
        "web passwd NAME [--role admin|domain|user] [--domains D,...] <PASSWORD\n"
        "       tollgate web token NAME --role admin|domain|user [--domains D,...] [--write]\n"
        "       tollgate web card DOMAIN [--days N]",
    .words = words,
    .rows = rows,
    .words_least = 2,
    .words_most = 2,
    .notes = "passwd reads the password from standard input, or asks for it at a terminal. token\n"
             "prints the new token: it is shown only once.\n",
    .missing = "say passwd or token, and a name, or card and a domain"};

static int check_role(const struct web_command *c, struct slice name, struct err *err)
{
    enum web_role role = web_users_role(slice_str(role_names[c->role]));

    if (!web_users_is_name(name))
        return err_set(err, EX_USAGE,
                       "%.*s: use a name without blanks, colons and braces, of at most %d bytes",
                       SLICE_FMT(name), WEB_USERS_NAME_MAX);
    if (role == WEB_ROLE_DOMAIN && c->domains == NULL)
        return err_set(err, EX_USAGE, "--role domain needs --domains");
    if (role == WEB_ROLE_ADMIN && c->domains != NULL)
        return err_set(err, EX_USAGE, "--domains is of no use with --role admin, which sees all");
    if (role == WEB_ROLE_USER && slice_find(name, '@') < 0)
        return err_set(err, EX_USAGE,
                       "the name of a user is an address, such as alice@example.com");
    return 0;
}

static int describe(struct web_command *c, struct slice name, struct web_user *out, struct err *err)
{
    if (c->role < 0)
        return err_set(err, EX_USAGE, "--role is missing: use admin, domain or user");
    if (check_role(c, name, err) != 0)
        return -1;
    *out = (struct web_user){.name = name, .role = web_users_role(slice_str(role_names[c->role]))};
    if (web_users_domains(slice_str(c->domains), &c->arena, &out->domains, err) != 0) {
        err->code = EX_USAGE;
        return err_prefix(err, "--domains %s", c->domains);
    }
    if (out->role == WEB_ROLE_USER && slice_find(out->domains, ',') >= 0)
        return err_set(err, EX_USAGE, "--domains: a user is charged to one domain");
    return 0;
}

static int check_write(const struct web_command *c, int verb, const struct web_user *user,
                       struct err *err)
{
    if (!c->write)
        return 0;
    if (verb == 0)
        return err_set(err, EX_USAGE,
                       "--write is for tokens: who signs in with a password may do what his role "
                       "may");
    if (user->role != WEB_ROLE_ADMIN)
        return err_set(err, EX_USAGE, "--write needs --role admin: no other role changes anything");
    return 0;
}

/* --- passwords ------------------------------------------------------------------------------- */

static bool read_line(char *room, size_t size)
{
    if (fgets(room, (int)size, stdin) == NULL)
        return false;
    room[strcspn(room, "\r\n")] = '\0';
    return true;
}

/* At a terminal what is typed is not shown. */
static bool read_hidden(const char *prompt, char *room, size_t size)
{
    struct termios shown, hidden;
    bool is_terminal = tcgetattr(STDIN_FILENO, &shown) == 0, good;

    if (!is_terminal)
        return read_line(room, size);
    (void)fprintf(stderr, "%s: ", prompt);
    hidden = shown;
    hidden.c_lflag &= ~(tcflag_t)ECHO;
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    good = read_line(room, size);
    (void)tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    (void)fputc('\n', stderr);
    return good;
}

static int read_password(char password[PASSWORD_ROOM], struct err *err)
{
    char again[PASSWORD_ROOM] = "";
    bool same = true;

    if (!read_hidden("Password", password, PASSWORD_ROOM))
        return err_set(err, EX_NOINPUT, "no password on the standard input: give one line");
    if (isatty(STDIN_FILENO) != 0)
        same = read_hidden("Again", again, sizeof again) && strcmp(password, again) == 0;
    secret_forget(again, sizeof again);
    if (!same)
        return err_set(err, EX_DATAERR, "the passwords differ: try again");
    if (strlen(password) < PASSWORD_LEAST)
        return err_set(err, EX_DATAERR,
                       "the password is shorter than %d bytes: choose a longer one",
                       PASSWORD_LEAST);
    return 0;
}

/* --- the verbs --------------------------------------------------------------------------- */

static int put(struct web_command *c, const struct web_user *user, struct err *err)
{
    const struct settings *s = c->cli->settings;

    if (s->web.users_file[0] == '\0')
        return err_set(err, EX_CONFIG, "web.users_file is empty: name a file");
    return web_users_put(s->web.users_file, user, s->web.user, err);
}

static int give_password(struct web_command *c, struct web_user *user, struct err *err)
{
    char password[PASSWORD_ROOM] = "";
    struct buf hash;
    int result = read_password(password, err);

    buf_init(&hash, 1024);
    if (result == 0)
        result = secret_password_hash(password, &hash, err);
    secret_forget(password, sizeof password);
    user->hash = buf_slice(&hash);
    if (result == 0)
        result = put(c, user, err);
    buf_fini(&hash);
    return result;
}

static int give_token(struct web_command *c, struct web_user *user, struct err *err)
{
    char token[WEB_USERS_TOKEN_ROOM], hash[WEB_USERS_TOKEN_ROOM];

    web_users_token_new(c->write, token, hash);
    user->hash = slice_str(hash);
    if (put(c, user, err) != 0)
        return -1;
    (void)printf("%s\n", token);
    return 0;
}

/* The address behind that of the site. */
static int print_card(struct web_command *c, const char *typed, struct err *err)
{
    const char *key_file = c->cli->settings->web.link_key_file;
    int64_t end_s = clock_unix_ms() / 1000 + (int64_t)(c->days > 0 ? c->days : CARD_DAYS) * DAY_S;
    char until[24], signature[SECRET_TEXT];
    struct slice domain;

    (void)snprintf(until, sizeof until, "%" PRId64, end_s);
    if (domain_canonical(slice_str(typed), &c->arena, &domain, err) != 0)
        return err_prefix(err, "%s", typed);
    if (key_file[0] == '\0')
        return err_set(err, EX_CONFIG, "web.link_key_file is empty: name a file with a key");
    if (signed_link_card(key_file, domain, slice_str(until), signature, err) != 0)
        return -1;
    (void)printf("/d/%.*s/card.svg?until=%s&sig=%s\n", SLICE_FMT(domain), until, signature);
    return 0;
}

/* Another password only: who is there keeps role and domains. */
static int keep(struct web_command *c, struct slice name, struct web_user *out, struct err *err)
{
    const char *path = c->cli->settings->web.users_file;
    struct web_user known;
    struct buf file;
    int result = 0;

    buf_init(&file, WEB_USERS_FILE_MAX);
    if (access(path, F_OK) == 0)
        result = file_read(path, &file, err);
    if (result == 0 && !web_users_find(buf_slice(&file), name, &known))
        result = err_set(err, EX_USAGE,
                         "--role is missing: %.*s is not in %s yet; use admin, domain or user",
                         SLICE_FMT(slice_to(name, 100)), path);
    if (result == 0)
        *out = (struct web_user){
            .name = name, .role = known.role, .domains = arena_copy(&c->arena, known.domains)};
    buf_fini(&file);
    return result;
}

static int run_keep(struct web_command *c, const char *typed)
{
    struct err err = {0};
    struct web_user user;
    int code = cli_load(c->cli);

    if (code != EX_OK)
        return code;
    if (keep(c, slice_str(typed), &user, &err) != 0)
        return err.code == EX_USAGE ? cli_usage("web", "%s", err.text) : cli_fail(&err);
    return give_password(c, &user, &err) == 0 ? EX_OK : cli_fail(&err);
}

static int run_card(struct web_command *c, const char *typed)
{
    struct err err = {0};
    int code;

    if (c->role >= 0 || c->domains != NULL || c->write)
        return cli_usage("web", "card takes a domain and --days only");
    code = cli_load(c->cli);
    if (code != EX_OK)
        return code;
    return print_card(c, typed, &err) == 0 ? EX_OK : cli_fail(&err);
}

static int run(struct web_command *c, int verb, char **typed)
{
    struct err err = {0};
    struct web_user user;
    int code;

    if (verb == 2)
        return run_card(c, typed[1]);
    if (c->days > 0)
        return cli_usage("web", "--days is for card only");
    if (verb == 0 && c->role < 0 && c->domains == NULL && !c->write)
        return run_keep(c, typed[1]);
    if (describe(c, slice_str(typed[1]), &user, &err) != 0 ||
        check_write(c, verb, &user, &err) != 0)
        return cli_usage("web", "%s", err.text);
    code = cli_load(c->cli);
    if (code != EX_OK)
        return code;
    return (verb == 0 ? give_password(c, &user, &err) : give_token(c, &user, &err)) == 0
               ? EX_OK
               : cli_fail(&err);
}

int command_web(struct cli *cli, int argc, char **argv)
{
    struct web_command c = {.cli = cli, .role = -1};
    char **typed;
    int verb, code = options_parse_verb(&table, cli, &c, argc, argv, &typed, &verb);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    arena_init(&c.arena, ARENA_BYTES);
    code = run(&c, verb, typed);
    arena_fini(&c.arena);
    return code;
}
