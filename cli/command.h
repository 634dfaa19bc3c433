#ifndef TG_CLI_COMMAND_H
#define TG_CLI_COMMAND_H

#include "cli/cli.h"
#include "lib/core/contract.h"

/*
 * The commands. Each gets its own arguments (argv[0] is its name) and returns an exit code of
 * sysexits(3). The function that returns an error code has reported the error on stderr, once.
 */

struct command {
    const char *name;
    int (*run)(struct cli *cli, int argc, char **argv);
    const char *help;
};

int command_report(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_totals(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_period(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_pack(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_adjust(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_classify(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_doctor(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_usage(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_limit(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_plan(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_node(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_violations(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_top(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_why(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_held(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_messages(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_reconcile(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_web(struct cli *cli, int argc, char **argv) TG_NONNULL(1);
int command_release(struct cli *cli, int argc, char **argv);
/* For shells, and not among the commands that it is given: completion bash|zsh|fish. */
int command_completion(struct cli *cli, int argc, char **argv, const struct command *commands,
                       size_t count) TG_NONNULL(1, 3, 4);

#endif
