#include "lib/sys/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/descriptors.h"
#include "lib/sys/log.h"

static void usage(const struct daemon_program *program, FILE *out)
{
    const char *name = program->name;

    (void)fprintf(
        out,
        "usage: %s [-f] [-c FILE]    serve; -f: in the foreground\n"
        "       %s -t [-c FILE]      test the configuration and exit\n"
        "       %s -T [-c FILE]      print all settings, from the file or defaults, and exit\n"
        "       %s -n [-c FILE]      print the settings that differ from the defaults\n"
        "       %s -d                print the defaults\n"
        "       %s -V, --version     print the version and exit\n"
        "       %s -h, --help        print this help and exit\n"
        "%sThe configuration is %s, unless -c names another.\n",
        name, name, name, name, name, name, name, program->commands, settings_default_file);
}

/* getopt has reported nothing: opterr is 0. */
static int misused(const struct daemon_program *program, char **argv, FILE *complaints)
{
    if (optopt == 'c')
        (void)fprintf(complaints, "%s: -c: a file name is missing\n", program->name);
    else if (optopt > UCHAR_MAX)
        (void)fprintf(complaints, "%s: %s: the argument is missing\n", program->name,
                      argv[optind - 1]);
    else if (optopt != 0)
        (void)fprintf(complaints, "%s: unknown option -%c\n", program->name, optopt);
    else
        (void)fprintf(complaints, "%s: unknown option %s\n", program->name, argv[optind - 1]);
    usage(program, complaints);
    return EX_USAGE;
}

static int print_defaults(const struct daemon_program *program, FILE *out, FILE *complaints)
{
    struct err err = {0};
    struct settings *s = settings_defaults(&err);

    if (s == NULL) {
        (void)fprintf(complaints, "%s: %s\n", program->name, err.text);
        return err.code;
    }
    settings_print(s, out);
    settings_free(s);
    return EX_OK;
}

#define OPTIONS_MAX 16

static const struct option own[] = {{"help", no_argument, NULL, 'h'},
                                    {"version", no_argument, NULL, 'V'}};

/* Those of the program behind ours. */
static void names_join(const struct daemon_program *program, struct option names[OPTIONS_MAX])
{
    size_t count = sizeof own / sizeof own[0];

    memcpy(names, own, sizeof own);
    for (const struct option *o = program->more; o != NULL && o->name != NULL; o++) {
        TG_ASSERT(count < OPTIONS_MAX - 1);
        names[count++] = *o;
    }
    names[count] = (struct option){NULL, 0, NULL, 0};
}

/* -1: go on. */
static int option_take(const struct daemon_program *program, int option,
                       struct daemon_options *options, FILE *out, FILE *complaints)
{
    switch (option) {
    case 'c':
        options->file = optarg;
        return -1;
    case 'd':
        return print_defaults(program, out, complaints);
    case 'f':
        options->foreground = true;
        return -1;
    case 'n':
        options->print = options->print_changed = true;
        return -1;
    case 't':
        options->test = true;
        return -1;
    case 'T':
        options->print = true;
        return -1;
    case 'V':
        return fprintf(out, "%s %s\n", program->name, program->version) > 0 ? EX_OK : EX_IOERR;
    case 'h':
        usage(program, out);
        return EX_OK;
    default:
        return program->take(program->context, option, optarg, complaints);
    }
}

int daemon_options_read(int argc, char **argv, const struct daemon_program *program,
                        struct daemon_options *options, FILE *out, FILE *complaints)
{
    struct option names[OPTIONS_MAX];
    int option, exit_code;

    *options = (struct daemon_options){.file = settings_default_file};
    names_join(program, names);
    opterr = 0;
    optind = 0; /* begin anew, also within an argument of several letters */
    while ((option = getopt_long(argc, argv, "+c:dfhntTV", names, NULL)) != -1) {
        if (option == '?')
            return misused(program, argv, complaints);
        exit_code = option_take(program, option, options, out, complaints);
        if (exit_code >= 0)
            return exit_code;
    }
    if (optind == argc)
        return -1;
    (void)fprintf(complaints, "%s: unexpected argument: %s\n", program->name, argv[optind]);
    usage(program, complaints);
    return EX_USAGE;
}

/* A file that cannot be read is a fault of the configuration, too. */
struct settings *daemon_settings(const struct daemon_options *options, const char *program,
                                 FILE *complaints, int *exit_code)
{
    struct err err = {0};
    struct settings *s = settings_load(options->file, complaints, &err);

    if (s == NULL && err.code != EX_CONFIG)
        (void)fprintf(complaints, "%s: %s\n", program, err.text);
    *exit_code = s != NULL ? EX_OK : EX_CONFIG;
    return s;
}

int daemon_settings_print(const struct daemon_options *options, const struct settings *s,
                          const char *program, FILE *complaints)
{
    struct err err = {0};

    if (!options->print_changed) {
        settings_print(s, stdout);
    } else if (settings_changed_print(s, stdout, &err) != 0) {
        (void)fprintf(complaints, "%s: %s\n", program, err.text);
        return err.code;
    }
    return EX_OK;
}

/* The code that the child reports; if it reports none, how it ended. */
static int child_wait(pid_t child, int from)
{
    unsigned char code;
    int status = 0;
    ssize_t got;

    do
        got = read(from, &code, 1);
    while (got < 0 && errno == EINTR);
    if (got == 1)
        return code;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    return WIFEXITED(status) && WEXITSTATUS(status) != 0 ? WEXITSTATUS(status) : EX_SOFTWARE;
}

/* 0: this is the child, in a session of its own. 1: this is the parent, and the child has reported.
 */
static int divide(struct daemon_background *b, int *exit_code, struct err *err)
{
    int ends[2];
    pid_t child;

    if (pipe2(ends, O_CLOEXEC) != 0)
        return err_set(err, EX_OSERR, "cannot run in the background: %s", strerror(errno));
    child = fork();
    if (child < 0) {
        (void)err_set(err, EX_OSERR, "cannot run in the background: %s", strerror(errno));
        (void)close(ends[0]);
        (void)close(ends[1]);
        return -1;
    }
    if (child > 0) {
        (void)close(ends[1]);
        *exit_code = child_wait(child, ends[0]);
        (void)close(ends[0]);
        return 1;
    }
    (void)close(ends[0]);
    b->parent = ends[1];
    (void)setsid();
    return 0;
}

int daemon_complain(const char *program, const struct err *err)
{
    (void)fprintf(stderr, "%s: %s\n", program, err->text);
    return err->code != 0 ? err->code : EX_SOFTWARE;
}

int daemon_background_begin(struct daemon_background *b, const char *program,
                            const struct settings *s, bool foreground, int *exit_code)
{
    struct err err = {0};
    int divided;

    *b = (struct daemon_background){-1, program, s->log.target != LOG_TARGET_STDERR};
    log_open(program, (enum log_target)s->log.target, s->log.facility, s->log.level);
    if (foreground)
        return 0;
    if (!b->has_log)
        (void)fprintf(stderr,
                      "%s: warning: log.target is \"stderr\", which leads nowhere in the "
                      "background; set it to \"syslog\", or start with -f\n",
                      program);
    divided = divide(b, exit_code, &err);
    if (divided < 0)
        *exit_code = daemon_complain(program, &err);
    return divided != 0;
}

int daemon_background_failed(const struct daemon_background *b, const struct err *err)
{
    if (b->has_log)
        log_event(LOG_ERR, "cannot start", LOG_ERROR("error", err));
    return daemon_complain(b->program, err);
}

static void leave_terminal(void)
{
    int null = open("/dev/null", O_RDWR);

    if (null < 0)
        return;
    for (int fd = 0; fd <= 2; fd++)
        (void)dup2(null, fd);
    if (null > 2)
        (void)close(null);
}

void daemon_background_done(struct daemon_background *b, int exit_code)
{
    unsigned char code = (unsigned char)exit_code;

    if (b->parent < 0)
        return;
    if (exit_code == 0)
        leave_terminal();
    (void)!write(b->parent, &code, 1);
    (void)close(b->parent);
    b->parent = -1;
}

int daemon_main(const char *program, int (*run)(int argc, char **argv), int argc, char **argv)
{
    struct err err = {0};

    if (descriptors_open(&err) != 0)
        return daemon_complain(program, &err);
    return descriptors_finish(program, run(argc, argv), stderr);
}
