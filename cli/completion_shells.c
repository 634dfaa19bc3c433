#include <string.h>

#include "cli/completion.h"

#define DOMAINS "tollgate completion domains 2>/dev/null"

/* --- what there is to complete --------------------------------------------------------------- */

enum completion_value completion_value_of(const struct options_row *row)
{
    if (row->kind == OPTIONS_CHOICE)
        return VALUE_CHOICE;
    return row->value != NULL && strcmp(row->value, "D") == 0 ? VALUE_DOMAIN : VALUE_TEXT;
}

bool completion_takes_domain(const struct options_table *t)
{
    for (const struct options_word *w = t->words; w->name != NULL; w++) {
        if (strcmp(w->name, "D") == 0)
            return true;
    }
    return false;
}

static bool takes_value(const struct options_row *row)
{
    return row->value != NULL && !row->optional;
}

static bool is_report(const struct completion_command *c)
{
    return strcmp(c->name, "report") == 0;
}

static void add_names(const char *const *names, struct buf *b)
{
    for (size_t i = 0; names != NULL && names[i] != NULL; i++)
        buf_addf(b, "%s%s", i > 0 ? " " : "", names[i]);
}

static void add_commands(const struct completion *c, struct buf *b)
{
    for (size_t i = 0; i < c->count; i++)
        buf_addf(b, "%s%s", i > 0 ? " " : "", c->commands[i].name);
}

/* In single quotes of a shell. zsh takes a colon and brackets in descriptions for its own. */
static void add_quoted(const char *text, bool zsh, struct buf *b)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '\'')
            buf_add_str(b, "'\\''");
        else if (zsh && strchr(":[]\\", *at) != NULL)
            buf_addf(b, "\\%c", *at);
        else if (!zsh && *at == '\\')
            buf_add_str(b, "\\\\");
        else
            buf_add_char(b, *at);
    }
}

/* --- bash ------------------------------------------------------------------------------------ */

static void bash_values(const struct options_table *t, struct buf *b)
{
    buf_add_str(b, "        case $prev in\n"
                   "        -c) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n");
    for (const struct options_row *row = t->rows; row->name != NULL; row++) {
        if (!takes_value(row))
            continue;
        buf_addf(b, "        --%s) ", row->name);
        switch (completion_value_of(row)) {
        case VALUE_CHOICE:
            buf_add_str(b, "words='");
            add_names(row->choices, b);
            buf_add_str(b, "' options='' ;;\n");
            break;
        case VALUE_DOMAIN:
            buf_add_str(b, "words=$(" DOMAINS ") options='' ;;\n");
            break;
        case VALUE_TEXT:
            buf_add_str(b, "return ;;\n");
            break;
        }
    }
    buf_add_str(b, "        esac\n");
}

static void bash_words(const struct completion *c, const struct completion_command *command,
                       struct buf *b)
{
    const struct options_table *t = command->table;
    const char *first = t->verbs != NULL ? "$((at + 2))" : "$((at + 1))";

    buf_add_str(b, "        options='");
    for (const struct options_row *row = t->rows; row->name != NULL; row++)
        buf_addf(b, "--%s ", row->name);
    buf_add_str(b, "--help'\n");
    if (t->verbs != NULL || is_report(command)) {
        buf_add_str(b, "        [ $COMP_CWORD -ne $((at + 1)) ] || words='");
        add_names(is_report(command) ? c->reports : t->verbs, b);
        buf_add_str(b, "'\n");
    }
    if (completion_takes_domain(t))
        buf_addf(b, "        [[ $COMP_CWORD -ne %s || $cur == -* ]] || words=$(" DOMAINS ")\n",
                 first);
}

void completion_bash(const struct completion *c, struct buf *b)
{
    buf_add_str(b, "# bash completion of tollgate(1); made by `tollgate completion bash'.\n"
                   "_tollgate()\n{\n"
                   "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                   "    local at=1 words='' options=''\n"
                   "    COMPREPLY=()\n"
                   "    while [[ $at -lt $COMP_CWORD && ${COMP_WORDS[at]} == -* ]]; do\n"
                   "        [ \"${COMP_WORDS[at]}\" != -c ] || at=$((at + 1))\n"
                   "        at=$((at + 1))\n"
                   "    done\n"
                   "    if [ $at -gt $COMP_CWORD ]; then\n"
                   "        COMPREPLY=($(compgen -f -- \"$cur\"))\n"
                   "        return\n"
                   "    fi\n"
                   "    if [ $at -eq $COMP_CWORD ]; then\n"
                   "        words='");
    add_commands(c, b);
    buf_add_str(b, " help'\n"
                   "        options='-c --version --help'\n"
                   "    else\n"
                   "        case ${COMP_WORDS[at]} in\n"
                   "        help) words='");
    add_commands(c, b);
    buf_add_str(b, "' ;;\n");
    for (size_t i = 0; i < c->count; i++) {
        if (c->commands[i].table == NULL)
            continue;
        buf_addf(b, "        %s)\n", c->commands[i].name);
        bash_words(c, &c->commands[i], b);
        bash_values(c->commands[i].table, b);
        buf_add_str(b, "        ;;\n");
    }
    buf_add_str(b, "        esac\n    fi\n"
                   "    [[ $cur != -* ]] || words=$options\n"
                   "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
                   "}\n"
                   "complete -F _tollgate tollgate\n");
}

/* --- zsh ------------------------------------------------------------------------------------- */

static void zsh_option(const struct options_row *row, struct buf *b)
{
    buf_addf(b, "                '%s--%s%s[", row->kind == OPTIONS_LIST ? "*" : "", row->name,
             row->value == NULL ? ""
             : row->optional    ? "=-"
                                : "=");
    add_quoted(row->help, true, b);
    buf_add_char(b, ']');
    if (row->value != NULL) {
        buf_addf(b, "%s", row->optional ? "::" : ":");
        add_quoted(row->value, true, b);
        buf_add_char(b, ':');
    }
    if (completion_value_of(row) == VALUE_CHOICE) {
        buf_add_char(b, '(');
        add_names(row->choices, b);
        buf_add_char(b, ')');
    } else if (completion_value_of(row) == VALUE_DOMAIN) {
        buf_add_str(b, "_tollgate_domains");
    }
    buf_add_str(b, "' \\\n");
}

static void zsh_command(const struct completion *c, const struct completion_command *command,
                        struct buf *b)
{
    const struct options_table *t = command->table;

    buf_addf(b, "        %s)\n            _arguments \\\n", command->name);
    for (const struct options_row *row = t->rows; row->name != NULL; row++)
        zsh_option(row, b);
    buf_add_str(b, "                '-c[configuration file]:file:_files' \\\n"
                   "                '--help[options of the command]'");
    if (t->verbs != NULL || is_report(command)) {
        buf_addf(b, " \\\n                '1:%s:(", is_report(command) ? "report" : "action");
        add_names(is_report(command) ? c->reports : t->verbs, b);
        buf_add_str(b, ")'");
    }
    if (completion_takes_domain(t))
        buf_addf(b, " \\\n                '%d::account:_tollgate_domains'",
                 t->verbs != NULL ? 2 : 1);
    buf_add_str(b, "\n            ;;\n");
}

void completion_zsh(const struct completion *c, struct buf *b)
{
    buf_add_str(b, "#compdef tollgate\n"
                   "# zsh completion of tollgate(1); made by `tollgate completion zsh'.\n"
                   "_tollgate_domains() { compadd -- ${(f)\"$(" DOMAINS ")\"} }\n"
                   "_tollgate() {\n"
                   "    local line state\n"
                   "    local -a commands\n"
                   "    commands=(\n");
    for (size_t i = 0; i < c->count; i++) {
        buf_addf(b, "        '%s:", c->commands[i].name);
        add_quoted(c->commands[i].help, true, b);
        buf_add_str(b, "'\n");
    }
    buf_add_str(b,
                "        'help:options of a command'\n"
                "    )\n"
                "    _arguments -C '-c[configuration file]:file:_files' \\\n"
                "        '(-V --version)'{-V,--version}'[version]' \\\n"
                "        '(-h --help)'{-h,--help}'[help]' '1:command:->command' '*::word:->word'\n"
                "    case $state in\n"
                "    command) _describe command commands ;;\n"
                "    word)\n"
                "        case $line[1] in\n"
                "        help) _describe command commands ;;\n");
    for (size_t i = 0; i < c->count; i++) {
        if (c->commands[i].table != NULL)
            zsh_command(c, &c->commands[i], b);
    }
    buf_add_str(b, "        esac\n        ;;\n    esac\n}\n"
                   "if [ \"$funcstack[1]\" = _tollgate ]; then\n"
                   "    _tollgate \"$@\"\n"
                   "else\n"
                   "    compdef _tollgate tollgate\n"
                   "fi\n");
}

/* --- fish ------------------------------------------------------------------------------------ */

static void fish_option(const char *command, const struct options_row *row, struct buf *b)
{
    buf_addf(b, "complete -c tollgate -n '__fish_seen_subcommand_from %s' -l %s", command,
             row->name);
    if (takes_value(row))
        buf_add_str(b, " -x");
    if (completion_value_of(row) == VALUE_CHOICE) {
        buf_add_str(b, " -a '");
        add_names(row->choices, b);
        buf_add_char(b, '\'');
    } else if (completion_value_of(row) == VALUE_DOMAIN) {
        buf_add_str(b, " -a '(" DOMAINS ")'");
    }
    buf_add_str(b, " -d '");
    add_quoted(row->help, false, b);
    buf_add_str(b, "'\n");
}

static void fish_words(const char *command, const char *const *names, struct buf *b)
{
    buf_addf(b, "complete -c tollgate -n '__fish_seen_subcommand_from %s", command);
    if (names != NULL) {
        buf_add_str(b, "; and not __fish_seen_subcommand_from ");
        add_names(names, b);
    }
    buf_add_str(b, "' -a '");
    if (names != NULL)
        add_names(names, b);
    else
        buf_add_str(b, "(" DOMAINS ")");
    buf_add_str(b, "'\n");
}

static void fish_command(const struct completion *c, const struct completion_command *command,
                         struct buf *b)
{
    const struct options_table *t = command->table;

    for (const struct options_row *row = t->rows; row->name != NULL; row++)
        fish_option(command->name, row, b);
    if (is_report(command))
        fish_words(command->name, c->reports, b);
    else if (t->verbs != NULL)
        fish_words(command->name, t->verbs, b);
    if (completion_takes_domain(t))
        fish_words(command->name, NULL, b);
}

void completion_fish(const struct completion *c, struct buf *b)
{
    buf_add_str(b, "# fish completion of tollgate(1); made by `tollgate completion fish'.\n"
                   "complete -c tollgate -f\n"
                   "complete -c tollgate -s c -r -F -d 'configuration file'\n");
    for (size_t i = 0; i < c->count; i++) {
        buf_addf(b, "complete -c tollgate -n __fish_use_subcommand -a %s -d '",
                 c->commands[i].name);
        add_quoted(c->commands[i].help, false, b);
        buf_add_str(b, "'\n");
        if (c->commands[i].table != NULL)
            fish_command(c, &c->commands[i], b);
    }
    buf_add_str(b, "complete -c tollgate -n '__fish_use_subcommand' -a help\n"
                   "complete -c tollgate -n '__fish_seen_subcommand_from help' -a '");
    add_commands(c, b);
    buf_add_str(b, "'\n");
}
