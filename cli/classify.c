/* tollgate classify: what a message would count as, and by which rule. */
#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "cli/classify_show.h"
#include "cli/command.h"
#include "lib/sources/resolver.h"
#include "lib/sources/source.h"

#define ARENA_BYTES   ((size_t)64 << 20)
#define BYTES_ASSUMED 1000
#define ROUNDS_MAX    64 /* of questions and answers: forwarders may lead to forwarders */

static const char help[] =
    "usage: tollgate classify --client IP [--auth LOGIN] --from A --to B [--to C ...]\n"
    "                         [--header 'Name: value' ...] [--bytes N] [--non-smtp]\n"
    "                         [--format text|json]\n"
    "\n"
    "  --client IP     where the message comes from\n"
    "  --non-smtp      from this host by the sendmail command, instead of --client\n"
    "  --auth LOGIN    login of SMTP AUTH\n"
    "  --from A        MAIL FROM; '<>' for the null sender\n"
    "  --to B          RCPT TO; as often as wanted\n"
    "  --header H      a header field that matters: List-Id, Precedence, X-Priority,\n"
    "                  Delivered-To, From ... or the spam filter's\n"
    "  --bytes N       the message's size (1000 where not given)\n"
    "\n"
    "Nothing is counted. The real configuration, domains, forwarders and logins are used.\n";

enum classify_option {
    OPT_CLIENT = 256,
    OPT_AUTH,
    OPT_FROM,
    OPT_TO,
    OPT_HEADER,
    OPT_BYTES,
    OPT_NON_SMTP,
    OPT_FORMAT
};

static const struct option options[] = {{"client", required_argument, NULL, OPT_CLIENT},
                                        {"auth", required_argument, NULL, OPT_AUTH},
                                        {"from", required_argument, NULL, OPT_FROM},
                                        {"to", required_argument, NULL, OPT_TO},
                                        {"header", required_argument, NULL, OPT_HEADER},
                                        {"bytes", required_argument, NULL, OPT_BYTES},
                                        {"non-smtp", no_argument, NULL, OPT_NON_SMTP},
                                        {"format", required_argument, NULL, OPT_FORMAT},
                                        {NULL, 0, NULL, 0}};

static const char *const format_names[] = {"text", "json"};

/* What was typed; the header fields are looked at once the configuration is known. */
struct question_typed {
    struct cli *cli;
    const char *client, *from;
    const char **headers;
    size_t header_count, header_room, recipient_room;
    int format;
    struct facts facts;
    struct arena arena;
};

/* --- the command line ------------------------------------------------------------------------ */

static bool no_memory(void)
{
    (void)fprintf(stderr, "tollgate: out of memory\n");
    return false;
}

static bool parse_address(struct question_typed *q, const char *option, struct address *out)
{
    struct err err = {0};

    if (address_parse(slice_str(optarg), &q->arena, out, &err) == 0)
        return true;
    (void)cli_usage("classify", "%s %s: %s", option, optarg, err.text);
    return false;
}

static bool add_recipient(struct question_typed *q)
{
    struct address *list = arena_grow(&q->arena, q->facts.recipients, q->facts.recipient_count,
                                      &q->recipient_room, sizeof *list);

    if (list == NULL)
        return no_memory();
    q->facts.recipients = list;
    if (!parse_address(q, "--to", &list[q->facts.recipient_count]))
        return false;
    if (address_is_null(&list[q->facts.recipient_count])) {
        (void)cli_usage("classify", "--to wants an address");
        return false;
    }
    q->facts.recipient_count++;
    return true;
}

static bool add_header(struct question_typed *q)
{
    const char **list =
        arena_grow(&q->arena, q->headers, q->header_count, &q->header_room, sizeof *list);

    if (list == NULL)
        return no_memory();
    q->headers = list;
    if (slice_find(slice_str(optarg), ':') <= 0) {
        (void)cli_usage("classify", "--header wants 'Name: value', not \"%s\"", optarg);
        return false;
    }
    list[q->header_count++] = optarg;
    return true;
}

static bool set_client(struct question_typed *q)
{
    struct ip ip;

    q->client = optarg;
    q->facts.client_ip = slice_str(optarg);
    if (networks_ip_parse(q->facts.client_ip, &ip))
        return true;
    (void)cli_usage("classify", "--client wants an IP address, not \"%s\"", optarg);
    return false;
}

static bool set_bytes(struct question_typed *q)
{
    if (slice_number(slice_str(optarg), &q->facts.bytes))
        return true;
    (void)cli_usage("classify", "--bytes wants a number, not \"%s\"", optarg);
    return false;
}

/* False: said already. */
static bool set_option(struct question_typed *q, int id)
{
    switch (id) {
    case OPT_CLIENT:
        return set_client(q);
    case OPT_AUTH:
        q->facts.auth = slice_str(optarg);
        return true;
    case OPT_FROM:
        q->from = optarg;
        return parse_address(q, "--from", &q->facts.sender);
    case OPT_TO:
        return add_recipient(q);
    case OPT_HEADER:
        return add_header(q);
    case OPT_BYTES:
        return set_bytes(q);
    case OPT_NON_SMTP:
        q->facts.smtp = false;
        return true;
    default:
        q->format = cli_option_choice("classify", "--format", format_names, 2);
        return q->format >= 0;
    }
}

static int check(const struct question_typed *q)
{
    if (q->facts.smtp && q->client == NULL)
        return cli_usage("classify",
                         "where does the message come from? Give --client or --non-smtp");
    if (!q->facts.smtp && q->client != NULL)
        return cli_usage("classify", "--non-smtp goes without --client");
    if (q->from == NULL)
        return cli_usage("classify", "who sends it? Give --from ('<>' for the null sender)");
    if (q->facts.recipient_count == 0)
        return cli_usage("classify", "who is to get it? Give --to");
    return EX_OK;
}

static int parse(struct question_typed *q, int argc, char **argv)
{
    int id;

    while ((id = cli_option_next(q->cli, help, argc, argv, options)) != OPTION_END) {
        if (id == OPTION_HELP)
            return OPTION_HELP;
        if (id == OPTION_WRONG || !set_option(q, id))
            return EX_USAGE;
    }
    if (optind < argc)
        return cli_usage("classify", "what is \"%s\"? Addresses are given by --from and --to",
                         argv[optind]);
    return check(q);
}

/* --- the answer ------------------------------------------------------------------------------ */

static int take_headers(struct question_typed *q, const struct hosted *w, struct err *err)
{
    for (size_t i = 0; i < q->header_count; i++) {
        struct slice name, value = slice_str(q->headers[i]);

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
    return err_set(err, EX_SOFTWARE, "the answers lead to ever more questions");
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
    struct question_typed q = {.cli = cli, .facts = {.smtp = true, .bytes = BYTES_ASSUMED}};
    int code;

    arena_init(&q.arena, ARENA_BYTES);
    code = parse(&q, argc, argv);
    code = code == OPTION_HELP ? EX_OK : code != EX_OK ? code : run(&q);
    arena_fini(&q.arena);
    return code;
}
