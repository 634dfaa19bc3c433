#ifndef TG_CLI_OPTIONS_H
#define TG_CLI_OPTIONS_H

#include "cli/cli.h"
#include "lib/core/contract.h"

/*
 * The command line of a command, as one table: the parser and -h both come from it. Options and
 * words may stand in any order. Every command also knows -c FILE, -h and --help.
 *
 * An option that is given twice is used twice (OPTIONS_LIST), or refused; a flag may be repeated.
 */

enum options_kind {
    OPTIONS_FLAG,   /* bool */
    OPTIONS_TEXT,   /* const char * */
    OPTIONS_LIST,   /* struct options_list: as often as wanted */
    OPTIONS_NUMBER, /* uint64_t, from `least` to `most` */
    OPTIONS_CHOICE  /* int: the place among `choices`; without a value, where that may be left out,
                       the last */
};

struct options_list {
    const char **items; /* options_free frees it; the texts are those of argv */
    size_t count, room;
};

struct options_row {
    const char *name; /* long, without dashes */
    enum options_kind kind;
    size_t offset;     /* of the field in the command's own struct, which holds the default */
    const char *value; /* as -h calls it; NULL: a flag */
    const char *help;
    const char *const *choices; /* ended by NULL */
    uint64_t least, most;
    bool optional; /* the value may be left out: --name or --name=value */
};

struct options_word {
    const char *name, *help;
};

struct options_table {
    const char *command;
    const char *synopsis; /* what stands behind "usage: tollgate " */
    const struct options_word *words;
    const struct options_row *rows; /* both ended by a row without a name */
    const char *notes;              /* below them; NULL: none */
    size_t words_least, words_most; /* how many have to be there, and may be */
    const char *missing;            /* what to say where there are fewer */
    const char *const *verbs;       /* what the first word is one of, ended by NULL; NULL: any */
};

#define OPTIONS_DONE (-1) /* -h was asked for and shown */

/* EX_OK, OPTIONS_DONE, or EX_USAGE after having said why. `into` is the struct of the offsets;
 * *words are the other arguments, ended by NULL. */
int options_parse(const struct options_table *t, struct cli *cli, void *into, int argc, char **argv,
                  char ***words) TG_NONNULL(1, 2, 3, 5, 6);
/* The same for a table with verbs; *verb is the place of the first word among them. */
int options_parse_verb(const struct options_table *t, struct cli *cli, void *into, int argc,
                       char **argv, char ***words, int *verb) TG_NONNULL(1, 2, 3, 5, 6, 7);
/* The table of a command; NULL: it has none. */
const struct options_table *options_describe(struct cli *cli, const char *command,
                                             int (*run)(struct cli *cli, int argc, char **argv))
    TG_NONNULL(1, 2, 3);
/* EX_OK, or EX_OSERR, said. */
int options_list_add(struct options_list *list, const char *text) TG_NONNULL(1);
void options_list_free(struct options_list *list) TG_NONNULL(1);

#endif
