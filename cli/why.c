/* tollgate why: in words, what is known of a queue id, an address, a domain or a client. */
#include "cli/why.h"
#include "cli/command.h"
#include "cli/options.h"
#include "cli/why_message.h"
#include "cli/why_sender.h"

#include <ctype.h>
#include <jansson.h>
#include <stddef.h>
#include <string.h>
#include <sysexits.h>

#include "lib/sys/clock.h"

#define ARENA_BYTES ((size_t)256 << 20)
#define TEXT_BYTES  ((size_t)16 << 20)

static const char *const formats[] = {"text", "json", NULL};

static const struct options_word words[] = {
    {"QUEUE-ID",
     "as in the mail log, such as 4jWnX03VvBz1cTBS: was the message stopped, is it held "
     "or in doubt?"},
    {"ADDRESS",
     "alice@example.com, a domain, a client's IP address, or @server: may it send, and if "
     "not, until when, and by which limit?"},
    {.name = NULL}};
static const struct options_row rows[] = {{.name = "format",
                                           OPTIONS_CHOICE,
                                           offsetof(struct why, format),
                                           "FORMAT",
                                           "text (default) or json: one object",
                                           .choices = formats},
                                          {.name = NULL}};
static const struct options_table table = {
    .command = "why",
    .synopsis = "why QUEUE-ID | ADDRESS [--format text|json]",
    .words = words,
    .rows = rows,
    .words_least = 1,
    .words_most = 1,
    .missing = "give a queue id or an address",
    .notes = "Run it as root on the node that took the message, so that it can ask tollgated."};

static bool is_queue_id(const char *text)
{
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        if (!isalnum((unsigned char)*text))
            return false;
    }
    return true;
}

/* A hosted domain may have no dot. */
static int is_hosted_name(struct why *w, bool *is_hosted, struct err *err)
{
    struct slice name, charged;

    *is_hosted = false;
    if (domain_canonical(slice_str(w->typed), &w->arena, &name, err) != 0)
        return 0;
    return setup_domain(&w->setup, name, &w->arena, is_hosted, &charged, err);
}

static int of_sender(struct why *w, const struct address *address, const char *holder,
                     struct err *err)
{
    struct why_sender s;

    if (why_sender_read(w, address, holder, &s, err) != 0)
        return -1;
    if (w->format == WHY_JSON)
        cli_add_json(&w->out, why_sender_json(w, &s));
    else
        why_sender_say(w, &s);
    return 0;
}

static int of_message(struct why *w, struct err *err)
{
    struct why_message m;

    if (why_message_read(w, &m, err) != 0)
        return -1;
    if (w->format == WHY_JSON)
        cli_add_json(&w->out, why_message_json(w, &m));
    else
        why_message_say(w, &m);
    return 0;
}

static int of_address(struct why *w, struct err *err)
{
    struct address a;

    if (address_parse(slice_str(w->typed), &w->arena, &a, err) != 0) {
        err->code = EX_USAGE;
        return err_prefix(err, "%s", w->typed);
    }
    if (a.domain.len == 0)
        return err_set(err, EX_USAGE, "%s: give the whole address, such as alice@example.com",
                       w->typed);
    return of_sender(w, &a, NULL, err);
}

static int of_client(struct why *w, struct err *err)
{
    struct buf name;
    int result;

    buf_init(&name, 256);
    buf_addf(&name, HOLDER_CLIENT "%s", w->typed);
    result = of_sender(w, NULL, name.data, err);
    buf_fini(&name);
    return result;
}

static int answer(struct why *w, struct err *err)
{
    struct ip ip;
    bool is_hosted;

    if (networks_ip_parse(slice_str(w->typed), &ip))
        return of_client(w, err);
    if (w->typed[0] == '@')
        return of_sender(w, NULL, w->typed, err);
    if (strchr(w->typed, '@') != NULL)
        return of_address(w, err);
    if (is_hosted_name(w, &is_hosted, err) != 0)
        return -1;
    if (is_hosted || strchr(w->typed, '.') != NULL)
        return of_sender(w, NULL, w->typed, err);
    if (is_queue_id(w->typed))
        return of_message(w, err);
    return err_set(err, EX_USAGE, "\"%s\" is neither a queue id nor an address", w->typed);
}

static int run(struct why *w)
{
    struct err err = {0};
    int code = cli_setup(&w->setup, w->cli);

    if (code != EX_OK)
        return code;
    w->now_s = clock_unix_ms() / 1000;
    cli_style(&w->style);
    return answer(w, &err) == 0 ? cli_write(&w->out) : cli_fail(&err);
}

int command_why(struct cli *cli, int argc, char **argv)
{
    struct why w = {.cli = cli};
    char **typed;
    int code = options_parse(&table, cli, &w, argc, argv, &typed);

    if (code != EX_OK)
        return code == OPTIONS_DONE ? EX_OK : code;
    w.typed = typed[0];
    arena_init(&w.arena, ARENA_BYTES);
    buf_init(&w.out, TEXT_BYTES);
    code = run(&w);
    setup_close(&w.setup);
    buf_fini(&w.out);
    arena_fini(&w.arena);
    return code;
}
