#include "cli/options.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/err.h"
#include "lib/core/format.h"
#include "lib/core/text.h"

#define ROWS_MAX   24
#define HELP_BYTES 65536
#define HELP_WIDTH 78
#define ID_FIRST   256
#define ID_HELP    'h'

/* --- help ------------------------------------------------------------------------------------ */

static void add_name(const struct options_row *row, struct buf *b)
{
    buf_addf(b, "  --%s", row->name);
    if (row->value != NULL)
        buf_addf(b, "%s%s%s", row->optional ? "[=" : " ", row->value, row->optional ? "]" : "");
}

static size_t column_of(const struct options_table *t, struct buf *name)
{
    size_t widest = strlen("  -h, --help");

    for (const struct options_word *w = t->words; w->name != NULL; w++)
        widest = strlen(w->name) + 2 > widest ? strlen(w->name) + 2 : widest;
    for (const struct options_row *row = t->rows; row->name != NULL; row++) {
        buf_reset(name);
        add_name(row, name);
        widest = name->len > widest ? name->len : widest;
    }
    return widest + 2;
}

static void add_help(const struct options_table *t, struct buf *b)
{
    struct buf name;
    size_t column;

    buf_init(&name, 1024);
    column = column_of(t, &name);
    buf_addf(b, "usage: tollgate %s\n\n", t->synopsis);
    for (const struct options_word *w = t->words; w->name != NULL; w++) {
        buf_reset(&name);
        buf_addf(&name, "  %s", w->name);
        text_entry(b, buf_slice(&name), column, HELP_WIDTH, slice_str(w->help));
    }
    for (const struct options_row *row = t->rows; row->name != NULL; row++) {
        buf_reset(&name);
        add_name(row, &name);
        text_entry(b, buf_slice(&name), column, HELP_WIDTH, slice_str(row->help));
    }
    text_entry(b, SLICE("  -c FILE"), column, HELP_WIDTH, SLICE("configuration file"));
    text_entry(b, SLICE("  -h, --help"), column, HELP_WIDTH, SLICE("this text"));
    if (t->notes != NULL) {
        buf_add_char(b, '\n');
        text_wrap(b, 0, false, HELP_WIDTH, slice_str(t->notes));
    }
    buf_fini(&name);
}

static int show_help(const struct options_table *t)
{
    struct buf b;
    int code;

    buf_init(&b, HELP_BYTES);
    add_help(t, &b);
    code = cli_write(&b);
    buf_fini(&b);
    return code == EX_OK ? OPTIONS_DONE : code;
}

/* --- values ---------------------------------------------------------------------------------- */

struct options_reading {
    const struct options_table *t;
    void *into;
    bool given[ROWS_MAX];
};

static void *field(const struct options_reading *r, const struct options_row *row)
{
    return (char *)r->into + row->offset;
}

int options_list_add(struct options_list *list, const char *text)
{
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 8 : list->room * 2;
        const char **items = realloc(list->items, room * sizeof *items);

        if (items == NULL) {
            (void)fprintf(stderr, "tollgate: out of memory\n");
            return EX_OSERR;
        }
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = text;
    return EX_OK;
}

void options_list_free(struct options_list *list)
{
    free(list->items);
    *list = (struct options_list){0};
}

static int set_number(const struct options_reading *r, const struct options_row *row)
{
    uint64_t n;

    if (!slice_number(slice_str(optarg), &n) || n < row->least || n > row->most)
        return cli_usage(r->t->command, "--%s %s: expected a number from %" PRIu64 " to %" PRIu64,
                         row->name, optarg, row->least, row->most);
    *(uint64_t *)field(r, row) = n;
    return EX_OK;
}

static int set_choice(const struct options_reading *r, const struct options_row *row)
{
    size_t count = 0;
    char what[64];
    int place;

    while (row->choices[count] != NULL)
        count++;
    for (place = 0; optarg != NULL && place < (int)count; place++) {
        if (strcmp(optarg, row->choices[place]) == 0)
            break;
    }
    if (place == (int)count) {
        (void)snprintf(what, sizeof what, "value of --%s", row->name);
        return cli_unknown(r->t->command, what, optarg, row->choices, count);
    }
    *(int *)field(r, row) = optarg == NULL ? (int)count - 1 : place;
    return EX_OK;
}

static int set_value(struct options_reading *r, size_t at)
{
    const struct options_row *row = &r->t->rows[at];

    if (r->given[at] && row->kind != OPTIONS_LIST && row->kind != OPTIONS_FLAG)
        return cli_usage(r->t->command, "--%s is given twice", row->name);
    r->given[at] = true;
    switch (row->kind) {
    case OPTIONS_FLAG:
        *(bool *)field(r, row) = true;
        return EX_OK;
    case OPTIONS_TEXT:
        *(const char **)field(r, row) = optarg;
        return EX_OK;
    case OPTIONS_LIST:
        return options_list_add(field(r, row), optarg);
    case OPTIONS_NUMBER:
        return set_number(r, row);
    case OPTIONS_CHOICE:
        break;
    }
    return set_choice(r, row);
}

/* --- parsing --------------------------------------------------------------------------------- */

static void make_getopt(const struct options_table *t, struct option options[ROWS_MAX + 2])
{
    size_t count = 0;

    for (const struct options_row *row = t->rows; row->name != NULL; row++) {
        TG_ASSERT(count < ROWS_MAX);
        options[count] = (struct option){.name = row->name,
                                         .has_arg = row->value == NULL ? no_argument
                                                    : row->optional    ? optional_argument
                                                                       : required_argument,
                                         .val = ID_FIRST + (int)count};
        count++;
    }
    options[count++] = (struct option){.name = "help", .val = ID_HELP};
    options[count] = (struct option){.name = NULL};
}

static int check_words(const struct options_table *t, int count, char **words)
{
    if ((size_t)count < t->words_least)
        return cli_usage(t->command, "%s", t->missing);
    if ((size_t)count > t->words_most)
        return cli_usage(t->command, "unexpected argument \"%s\"", words[t->words_most]);
    return EX_OK;
}

int options_parse(const struct options_table *t, struct cli *cli, void *into, int argc, char **argv,
                  char ***words)
{
    struct options_reading r = {.t = t, .into = into};
    struct option options[ROWS_MAX + 2];
    int got, code = EX_OK;

    if (cli->described != NULL) {
        *cli->described = t;
        return OPTIONS_DONE;
    }
    make_getopt(t, options);
    while (code == EX_OK && (got = getopt_long(argc, argv, ":c:h", options, NULL)) != -1) {
        if (got == 'c')
            cli->config = optarg;
        else if (got == ID_HELP)
            code = show_help(t);
        else if (got == ':' || got == '?')
            code = cli_option_wrong(t->command, argv, options, got);
        else
            code = set_value(&r, (size_t)(got - ID_FIRST));
    }
    if (code != EX_OK)
        return code;
    *words = argv + optind;
    return check_words(t, argc - optind, *words);
}

int options_parse_verb(const struct options_table *t, struct cli *cli, void *into, int argc,
                       char **argv, char ***words, int *verb)
{
    int code = options_parse(t, cli, into, argc, argv, words), count = 0;

    if (code != EX_OK)
        return code;
    for (; t->verbs[count] != NULL; count++) {
        if (strcmp((*words)[0], t->verbs[count]) == 0) {
            *verb = count;
            return EX_OK;
        }
    }
    return cli_unknown(t->command, "action", (*words)[0], t->verbs, (size_t)count);
}

const struct options_table *options_describe(struct cli *cli, const char *command,
                                             int (*run)(struct cli *cli, int argc, char **argv))
{
    const struct options_table *found = NULL;
    char name[32], *argv[] = {name, NULL};

    (void)snprintf(name, sizeof name, "%s", command);
    cli->described = &found;
    (void)run(cli, 1, argv);
    cli->described = NULL;
    return found;
}
