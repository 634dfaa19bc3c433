/* tollgate completion: what shells complete. */
#include "cli/completion.h"

#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "lib/core/report.h"
#include "lib/core/source_line.h"
#include "lib/core/source_name.h"
#include "lib/read/read_list.h"
#include "lib/sys/files.h"

#define ARENA_BYTES  ((size_t)1 << 20)
#define TEXT_BYTES   ((size_t)64 << 20)
#define COMMANDS_MAX 64
#define REPORTS_MAX  64

/* --- domains --------------------------------------------------------------------------------- */

/* Entries of `.example.com' host names that nobody can list. */
static void domains_add(const struct buf *text, struct buf *b)
{
    struct slice rest = buf_slice(text), line;
    struct source_entry entry;
    struct err err = {0};

    while (slice_cut(&rest, '\n', &line)) {
        if (source_line_parse(SOURCE_DOMAINS, line, &entry, &err) == 1 && entry.key.len > 0 &&
            entry.key.ptr[0] != '.')
            buf_addf(b, "%.*s\n", SLICE_FMT(entry.key));
    }
}

/* Those of files alone: a map or a database takes longer than somebody waits for a tab. */
static int domains_print(struct cli *cli)
{
    struct buf text, b;
    struct arena arena;
    int code = cli_load(cli);

    if (code != EX_OK)
        return code;
    arena_init(&arena, ARENA_BYTES);
    buf_init(&text, TEXT_BYTES);
    buf_init(&b, TEXT_BYTES);
    for (size_t i = 0; i < cli->settings->hosted.domains.count; i++) {
        struct source_name source;
        struct err err = {0};

        buf_reset(&text);
        if (source_name_parse(slice_str(cli->settings->hosted.domains.items[i]), &arena, &source,
                              &err) != 0 ||
            source.kind != SOURCE_FILE ||
            file_read(cli->settings->hosted.domains.items[i] + strlen("file:"), &text, &err) != 0)
            continue;
        domains_add(&text, &b);
    }
    code = cli_write(&b);
    buf_fini(&b);
    buf_fini(&text);
    arena_fini(&arena);
    return code;
}

/* --- scripts --------------------------------------------------------------------------------- */

static void reports_list(const char *names[REPORTS_MAX])
{
    const struct report_kind *kind;
    const struct list_kind *list;
    size_t count = 0;

    for (size_t i = 0; (kind = report_at(i)) != NULL && count < REPORTS_MAX - 1; i++)
        names[count++] = kind->name;
    for (size_t i = 0; (list = read_list_at(i)) != NULL && count < REPORTS_MAX - 1; i++)
        names[count++] = list->name;
    names[count] = NULL;
}

static int script_print(struct cli *cli, const char *shell, const struct command *commands,
                        size_t count)
{
    struct completion_command described[COMMANDS_MAX];
    const char *reports[REPORTS_MAX];
    struct completion c = {.commands = described, .count = count, .reports = reports};
    struct buf b;
    int code;

    TG_ASSERT(count <= COMMANDS_MAX);
    for (size_t i = 0; i < count; i++)
        described[i] =
            (struct completion_command){commands[i].name, commands[i].help,
                                        options_describe(cli, commands[i].name, commands[i].run)};
    reports_list(reports);
    buf_init(&b, TEXT_BYTES);
    if (strcmp(shell, "bash") == 0)
        completion_bash(&c, &b);
    else if (strcmp(shell, "zsh") == 0)
        completion_zsh(&c, &b);
    else
        completion_fish(&c, &b);
    code = cli_write(&b);
    buf_fini(&b);
    return code;
}

int command_completion(struct cli *cli, int argc, char **argv, const struct command *commands,
                       size_t count)
{
    static const char *const words[] = {"bash", "zsh", "fish", "domains"};

    if (argc != 2)
        return cli_usage(NULL, "completion needs bash, zsh or fish");
    if (strcmp(argv[1], "domains") == 0)
        return domains_print(cli);
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(argv[1], words[i]) == 0)
            return script_print(cli, argv[1], commands, count);
    }
    return cli_unknown(NULL, "shell", argv[1], words, 3);
}
