/* tollgate: the command. Finds the command asked for and hands over. */
#include <locale.h>
#include <string.h>
#include <sysexits.h>

#include "cli/command.h"
#include "config.h"
#include "lib/sys/descriptors.h"
#include "lib/sys/log.h"

struct command {
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv);
    const char *help;
};

static const struct command commands[] = {
    {"report", command_report, "traffic of the server, a domain or a user, by time and by name"},
    {"totals", command_totals, "every counter of every account, for billing"},
    {"usage", command_usage, "how much of its limits a domain has used, when there is room again"},
    {"limit", command_limit, "limits of a domain: shows, sets, unsets overrides of its plan"},
    {"plan", command_plan, "the plan of a domain: shows, sets, unsets"},
    {"violations", command_violations,
     "limits that were crossed, and what would have been stopped"},
    {"top", command_top, "who sends now, limits nearly full, violations; a live view"},
    {"why", command_why, "why a message was stopped; whether somebody may send now"},
    {"classify", command_classify, "what a message would count as, and by which rule"},
    {"release", command_release, "lets messages go that a limit holds, as room returns"},
    {"doctor", command_doctor, "checks the installation, and says how to mend what is wrong"},
};

#define COMMAND_COUNT (sizeof commands / sizeof commands[0])

static void show_help(FILE *out)
{
    (void)fprintf(out, "usage: tollgate [-c FILE] [-V] [-h] COMMAND ...\n\n");
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
    (void)fprintf(out,
                  "\n  -c FILE    configuration (default: %s)\n"
                  "  -V         version\n"
                  "  -h         this; after a command, its options\n"
                  "\nThe manual: tollgate(1).\n",
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
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        if (strcmp(argv[0], commands[i].name) == 0) {
            optind = 0; /* GNU: begin anew, argv[0] is the command's name */
            return commands[i].run(cli, argc, argv);
        }
    }
    return unknown_command(argv[0]);
}

static int run(struct cli *cli, int argc, char **argv)
{
    int got;

    opterr = 0;
    while ((got = getopt_long(argc, argv, "+:c:Vh", (const struct option[]){{0}}, NULL)) != -1) {
        if (got == 'c') {
            cli->config = optarg;
        } else if (got == 'V') {
            (void)printf("tollgate %s\n", PACKAGE_VERSION);
            return EX_OK;
        } else if (got == 'h') {
            show_help(stdout);
            return EX_OK;
        } else if (got == ':') {
            return cli_usage(NULL, "the option -%c wants a value", optopt);
        } else {
            return cli_usage(NULL, "there is no option %s before a command", argv[optind - 1]);
        }
    }
    if (optind == argc) {
        show_help(stdout);
        return EX_OK;
    }
    return run_command(cli, argc - optind, argv + optind);
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
