/* tollgate: the command. Finds the command asked for and hands over. */
#include <locale.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "config.h"
#include "lib/sys/descriptors.h"
#include "lib/sys/log.h"

static const struct command commands[] = {
    {"report", command_report, "traffic of the server, a domain or a user, by time and by name"},
    {"totals", command_totals, "every counter of every account, for billing"},
    {"period", command_period, "closed months: list, show, close, verify, carry, export"},
    {"pack", command_pack, "what shows a domain what it is billed, in a folder"},
    {"adjust", command_adjust, "corrections beside the figures: add, list, revoke"},
    {"usage", command_usage, "limits of a domain: how much is used, when there is room again"},
    {"limit", command_limit, "overrides of a plan's limits: show, set, unset"},
    {"plan", command_plan, "the plan of a domain: show, set, unset"},
    {"violations", command_violations, "limits that were crossed, or would have been"},
    {"top", command_top, "live view: who sends, limits nearly full, violations"},
    {"why", command_why, "why a message was stopped; whether an address may send now"},
    {"classify", command_classify, "how a message would be counted, and by which rule"},
    {"held", command_held, "messages that limits keep on hold, on all nodes"},
    {"release", command_release, "releases messages held by a limit, as room returns"},
    {"messages", command_messages, "the messages behind a figure, on this node"},
    {"reconcile", command_reconcile, "what was counted, compared with the mail log"},
    {"web", command_web, "who may use the web pages: passwords and tokens"},
    {"node", command_node, "the nodes of the store: list, retire"},
    {"doctor", command_doctor, "checks the installation and says how to fix what is wrong"},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void show_help(void)
{
    (void)printf("usage: tollgate [-c FILE] COMMAND ...\n"
                 "       tollgate help [COMMAND]\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)printf("  %-10s  %s\n", commands[i].name, commands[i].help);
    (void)printf("\n  -c FILE        configuration file (default: %s)\n"
                 "  -V, --version  version\n"
                 "  -h, --help     this text; after a command, its options\n"
                 "\nSee tollgate(1).\n",
                 settings_default_file);
}

static int unknown_command(const char *typed)
{
    const char *names[COMMAND_COUNT];

    for (size_t i = 0; i < COMMAND_COUNT; i++)
        names[i] = commands[i].name;
    return cli_unknown(NULL, "command", typed, names, COMMAND_COUNT);
}

static int run_command(struct cli *cli, int argc, char **argv)
{
    if (strcmp(argv[0], "completion") == 0)
        return command_completion(cli, argc, argv, commands, COMMAND_COUNT);
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[0], commands[i].name) == 0) {
            optind = 0; /* GNU: begin anew, argv[0] is the command's name */
            return commands[i].run(cli, argc, argv);
        }
    }
    return unknown_command(argv[0]);
}

/* `help COMMAND` is `COMMAND --help`. */
static int run_help(struct cli *cli, int argc, char **argv)
{
    char option[] = "--help", *words[] = {argc > 1 ? argv[1] : NULL, option, NULL};

    if (argc > 2)
        return cli_usage(NULL, "unexpected argument \"%s\"", argv[2]);
    if (argc > 1)
        return run_command(cli, 2, words);
    show_help();
    return EX_OK;
}

static int run(struct cli *cli, int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
    int got;

    opterr = 0;
    while ((got = getopt_long(argc, argv, "+:c:Vh", options, NULL)) != -1) {
        if (got == 'c') {
            cli->config = optarg;
        } else if (got == 'V') {
            (void)printf("tollgate %s\n", PACKAGE_VERSION);
            return EX_OK;
        } else if (got == 'h') {
            show_help();
            return EX_OK;
        } else {
            return cli_option_wrong(NULL, argv, options, got);
        }
    }
    if (optind < argc && strcmp(argv[optind], "help") == 0)
        return run_help(cli, argc - optind, argv + optind);
    if (optind < argc)
        return run_command(cli, argc - optind, argv + optind);
    show_help();
    return EX_OK;
}

int main(int argc, char **argv)
{
    struct cli cli = {.config = settings_default_file};
    struct err err = {0};
    int code;

    if (descriptors_open(&err) != 0)
        return err.code;
    (void)setlocale(LC_CTYPE, "");
    log_open("tollgate", LOG_TARGET_STDERR, LOG_MAIL, LOG_ERR);
    code = run(&cli, argc, argv);
    cli_close(&cli);
    return descriptors_finish("tollgate", code, stderr);
}
