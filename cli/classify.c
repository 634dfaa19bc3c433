/* tollgate classify: what a message would count as, and by which rule. */
#include <inttypes.h>
#include <stddef.h>
#include <string.h>
#include <sysexits.h>

#include "cli/classify_show.h"
#include "cli/command.h"
#include "cli/options.h"
#include "lib/sources/resolver.h"
#include "lib/sources/source.h"

#define ARENA_BYTES   ((size_t)64 << 20)
#define BYTES_ASSUMED 1000
#define ROUNDS_MAX    64 /* of questions and answers: forwarders may lead to forwarders */

static const char *const format_names[] = {"text", "json", NULL};

/* What was typed; the header fields are looked at once the configuration is known. */
struct question_typed {
    struct cli *cli;
    const char *client, *auth, *from;
    struct options_list to, headers;
    uint64_t bytes;
    bool non_smtp;
    int format;
    struct facts facts;
    struct arena arena;
};

/* --- the command line ------------------------------------------------------------------------ */

static const struct options_word words[] = {{.name = NULL}};
static const struct options_row rows[] = {
    {.name = "client",
     OPTIONS_TEXT,
     offsetof(struct question_typed, client),
     "IP",
     "where the message comes from"},
    {.name = "non-smtp",
     OPTIONS_FLAG,
     offsetof(struct question_typed, non_smtp),
     NULL,
     "submitted on this host with the sendmail command, instead of --client"},
    {.name = "auth",
     OPTIONS_TEXT,
     offsetof(struct question_typed, auth),
     "LOGIN",
     "login of SMTP AUTH"},
    {.name = "from",
     OPTIONS_TEXT,
     offsetof(struct question_typed, from),
     "A",
     "MAIL FROM; '<>' for the null sender"},
    {.name = "to",
     OPTIONS_LIST,
     offsetof(struct question_typed, to),
     "B",
     "RCPT TO; may be given more than once"},
    {.name = "header",
     OPTIONS_LIST,
     offsetof(struct question_typed, headers),
     "'NAME: VALUE'",
     "a header field that matters: List-Id, Precedence, X-Priority, Delivered-To, From ... or the "
     "spam filter's; may be given more than once"},
    {.name = "bytes",
     OPTIONS_NUMBER,
     offsetof(struct question_typed, bytes),
     "N",
     "size of the message (1000)",
     .most = INT64_MAX},
    {.name = "format",
     OPTIONS_CHOICE,
     offsetof(struct question_typed, format),
     "text|json",
     "output format (text)",
     .choices = format_names},
    {.name = NULL}};
static const struct options_table table = {
    .command = "classify",
    .synopsis = "classify --client IP | --non-smtp [--auth LOGIN] --from A\n"
                "                         --to B... [--header 'NAME: VALUE']... [--bytes N]\n"
                "                         [--format text|json]",
    .words = words,
    .rows = rows,
    .notes = "Nothing is counted. The configured domains, forwarders and logins are used."};

static int parse_address(struct question_typed *q, const char *option, const char *typed,
                         struct address *out)
{
    struct err err = {0};

    if (address_parse(slice_str(typed), &q->arena, out, &err) == 0)
        return EX_OK;
    return cli_usage("classify", "%s %s: %s", option, typed, err.text);
}

static int parse_recipients(struct question_typed *q)
{
    struct address *list = arena_array(&q->arena, q->to.count + 1, sizeof *list);
    int code = EX_OK;

    if (list == NULL) {
        struct err err = {.code = EX_OSERR, .text = "out of memory"};

        return cli_fail(&err);
    }
    q->facts.recipients = list;
    for (size_t i = 0; code == EX_OK && i < q->to.count; i++) {
        code = parse_address(q, "--to", q->to.items[i], &list[i]);
        if (code == EX_OK && address_is_null(&list[i]))
            code = cli_usage("classify", "--to %s: not an address", q->to.items[i]);
    }
    q->facts.recipient_count = q->to.count;
    return code;
}

static int check(const struct question_typed *q)
{
    struct ip ip;

    if (!q->non_smtp && q->client == NULL)
        return cli_usage("classify", "give --client or --non-smtp: where the message comes from");
    if (q->non_smtp && q->client != NULL)
        return cli_usage("classify", "--non-smtp excludes --client");
    if (q->client != NULL && !networks_ip_parse(slice_str(q->client), &ip))
        return cli_usage("classify", "--client %s: not an IP address", q->client);
    if (q->from == NULL)
        return cli_usage("classify", "give --from: the sender, or '<>' for the null sender");
    if (q->to.count == 0)
        return cli_usage("classify", "give --to: the recipient");
    for (size_t i = 0; i < q->headers.count; i++) {
        if (slice_find(slice_str(q->headers.items[i]), ':') <= 0)
            return cli_usage("classify", "--header %s: expected 'Name: value'",
                             q->headers.items[i]);
    }
    return EX_OK;
}

static int parse(struct question_typed *q, int argc, char **argv)
{
    char **none;
    int code = options_parse(&table, q->cli, q, argc, argv, &none);

    if (code == EX_OK)
        code = check(q);
    if (code != EX_OK)
        return code;
    q->facts.smtp = !q->non_smtp;
    q->facts.bytes = q->bytes;
    q->facts.client_ip = slice_str(q->client);
    q->facts.auth = slice_str(q->auth);
    code = parse_address(q, "--from", q->from, &q->facts.sender);
    return code == EX_OK ? parse_recipients(q) : code;
}

/* --- the answer ------------------------------------------------------------------------------ */

static int take_headers(struct question_typed *q, const struct hosted *w, struct err *err)
{
    for (size_t i = 0; i < q->headers.count; i++) {
        struct slice name, value = slice_str(q->headers.items[i]);

        (void)slice_cut(&value, ':', &name);
        if (header_facts_add(&q->facts.headers, w, &q->arena, name, value) != 0)
            return err_set(err, EX_OSERR, "out of memory");
    }
    return 0;
}

static int classify_all(struct question_typed *q, const struct hosted *w, struct resolver *resolver,
                        struct answers *answers, struct classified *out, struct err *err)
{
    for (int round = 0; round < ROUNDS_MAX; round++) {
        int result = classify(&q->facts, w, answers, &q->arena, out, err);

        if (result <= 0)
            return result;
        if (resolver_answer(resolver, answers, err) != 0)
            return err_prefix(err, "the message would be deferred (451 4.3.0)");
    }
    return err_set(err, EX_SOFTWARE, "forwarders lead to forwarders without end");
}

/* POP-before-SMTP is known to the store alone, and asked for strangers alone. */
static bool is_popauth_unknown(const struct question_typed *q, const struct hosted *w,
                               const struct classified *c, struct err *why)
{
    struct store *store;
    redisReply *reply = NULL;

    if (!w->popauth_asked || c->origin != ORIGIN_OUTSIDE || q->facts.auth.len > 0)
        return false;
    store = store_new(q->cli->settings, why);
    if (store != NULL)
        reply = store_command(store, 1, (const struct slice[]){SLICE("PING")},
                              q->cli->settings->store.timeout_ms, why);
    store_free(store);
    if (reply == NULL)
        return true;
    freeReplyObject(reply);
    return false;
}

static int answer(struct question_typed *q, const struct hosted *w, struct resolver *resolver,
                  struct shown *s, struct err *err)
{
    struct err why = {0};
    struct answers answers;
    int result;

    answers_init(&answers, &q->arena);
    result = take_headers(q, w, err);
    if (result == 0)
        result = classify_all(q, w, resolver, &answers, &s->classified, err);
    if (result == 0)
        result = record_build(&s->classified, &q->facts, w->out_bytes, w->users, SLICE_NONE,
                              &q->arena, &s->record, err);
    answers_fini(&answers);
    if (result != 0)
        return -1;
    if (is_popauth_unknown(q, w, &s->classified, &why))
        s->popauth_unknown = arena_copy(&q->arena, slice_str(why.text)).ptr;
    return 0;
}

static int run(struct question_typed *q)
{
    struct shown s = {.facts = &q->facts, .client = q->client};
    struct err err = {0};
    struct resolver *resolver;
    struct hosted *w;
    int code = cli_load(q->cli);

    if (code != EX_OK)
        return code;
    w = source_load(q->cli->settings, stderr, &err);
    resolver = w != NULL ? resolver_new(q->cli->settings, &err) : NULL;
    if (resolver == NULL || answer(q, w, resolver, &s, &err) != 0)
        code = cli_fail(&err);
    else
        code = q->format == 1 ? classify_show_json(&s) : classify_show_text(&s, &q->arena);
    if (resolver != NULL)
        resolver_free(resolver);
    if (w != NULL)
        hosted_free(w);
    return code;
}

int command_classify(struct cli *cli, int argc, char **argv)
{
    struct question_typed q = {.cli = cli, .bytes = BYTES_ASSUMED};
    int code;

    arena_init(&q.arena, ARENA_BYTES);
    code = parse(&q, argc, argv);
    code = code == OPTIONS_DONE ? EX_OK : code != EX_OK ? code : run(&q);
    options_list_free(&q.to);
    options_list_free(&q.headers);
    arena_fini(&q.arena);
    return code;
}
