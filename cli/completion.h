#ifndef TG_CLI_COMPLETION_H
#define TG_CLI_COMPLETION_H

#include "cli/options.h"
#include "lib/core/arena.h"
#include "lib/core/contract.h"

/*
 * What shells complete: commands, their options and words, from the option tables. Each shell's
 * script is printed by `tollgate completion SHELL` when the package is built.
 */

struct completion_command {
    const char *name, *help;
    const struct options_table *table; /* NULL: it has none */
};

struct completion {
    const struct completion_command *commands;
    size_t count;
    const char *const *reports; /* names, ended by NULL */
};

void completion_bash(const struct completion *c, struct buf *b) TG_NONNULL(1, 2);
void completion_zsh(const struct completion *c, struct buf *b) TG_NONNULL(1, 2);
void completion_fish(const struct completion *c, struct buf *b) TG_NONNULL(1, 2);

/* What an option's value, or a word, is one of. */
enum completion_value { VALUE_TEXT, VALUE_CHOICE, VALUE_DOMAIN };
enum completion_value completion_value_of(const struct options_row *row) TG_NONNULL(1);
/* Does the command take an account as a word? */
bool completion_takes_domain(const struct options_table *t) TG_NONNULL(1);

#endif
