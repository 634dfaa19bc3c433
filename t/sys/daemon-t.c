/* daemon: the command line, and how a start in the background comes back to who gave the command.
 */
#include "t/tap.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/daemon.h"
#include "lib/sys/log.h"

static char *written, *complained;

static int read_options(struct daemon_options *o, int argc, const char *const *argv)
{
    static const struct daemon_program program = {
        .name = "prog", .version = "1.2", .commands = "       prog sing\n"};
    size_t len, other;
    FILE *out = open_memstream(&written, &len), *complaints = open_memstream(&complained, &other);
    int code = daemon_options_read(argc, (char **)(uintptr_t)argv, &program, o, out, complaints);

    (void)fclose(out);
    (void)fclose(complaints);
    return code;
}

static void is_exit(const char *a, const char *b, int code, const char *out, const char *complaint)
{
    const char *argv[] = {"prog", a, b, NULL};
    struct daemon_options o;

    IS_INT(read_options(&o, b == NULL ? 2 : 3, argv), code, "exit code");
    OK(out[0] == '\0' ? written[0] == '\0' : strstr(written, out) != NULL, out);
    OK(complaint[0] == '\0' ? complained[0] == '\0' : strstr(complained, complaint) != NULL,
       complaint);
    free(written);
    free(complained);
}

static void test_options(void)
{
    struct daemon_options o;

    IS_INT(read_options(&o, 1, (const char *const[]){"prog", NULL}), -1, "no options: go on");
    OK(!o.foreground && !o.test && !o.print, "none is set");
    IS_STR(o.file, settings_default_file, "the installed file");
    free(written);
    free(complained);
    IS_INT(read_options(&o, 4, (const char *const[]){"prog", "-fTt", "-c", "/x", NULL}), -1,
           "all of them");
    OK(o.foreground && o.test && o.print, "are set");
    IS_STR(o.file, "/x", "and the file");
    free(written);
    free(complained);
    IS_INT(read_options(&o, 2, (const char *const[]){"prog", "-n", NULL}), -1, "-n");
    OK(o.print && o.print_changed, "is set");
    free(written);
    free(complained);
    is_exit("-d", NULL, EX_OK, "timezone = \"UTC\";\n", "");
    is_exit("-V", NULL, EX_OK, "prog 1.2\n", "");
    is_exit("-h", NULL, EX_OK, "usage: prog [-f] [-c FILE]", "");
    is_exit("-h", NULL, EX_OK, "       prog sing\n", "");
    is_exit("--version", NULL, EX_OK, "prog 1.2\n", "");
    is_exit("--help", NULL, EX_OK, "usage: prog [-f] [-c FILE]", "");
    is_exit("-x", NULL, EX_USAGE, "", "prog: unknown option -x\nusage: ");
    is_exit("--nonsense", NULL, EX_USAGE, "", "prog: unknown option --nonsense\nusage: ");
    is_exit("-f", "--", -1, "", "");
    is_exit("-c", NULL, EX_USAGE, "", "prog: -c: a file name is missing\n");
    is_exit("-f", "more", EX_USAGE, "", "prog: unexpected argument: more\n");
}

static void test_settings(void)
{
    struct daemon_options o = {.file = "/nowhere/tollgate.conf"};
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);
    int code = 0;

    OK(daemon_settings(&o, "prog", out, &code) == NULL && code == EX_CONFIG, "no configuration");
    (void)fclose(out);
    OK(strstr(text, "prog: cannot read /nowhere/tollgate.conf: ") != NULL, "is told");
    free(text);
}

enum child_end { CHILD_SAYS, CHILD_EXITS, CHILD_DIES, CHILD_RETURNS };

/* What a program that goes to the background ends with; what its child then does is sent to fd. */
static void run_child(struct daemon_background *b, enum child_end end, int code, int fd)
{
    char text[64];
    int len;

    if (end == CHILD_EXITS)
        _exit(code);
    if (end == CHILD_DIES)
        (void)raise(SIGKILL);
    if (end == CHILD_SAYS)
        daemon_background_done(b, code);
    len = snprintf(text, sizeof text, "%d %d", getsid(0) == getpid(),
                   isatty(2) || lseek(2, 0, 1) < 0);
    (void)!write(fd, text, (size_t)len);
    _exit(0);
}

static struct settings *settings;

static int parent_code(enum child_end end, int code, char *seen, size_t room)
{
    struct daemon_background b;
    int ends[2], status = 0, given = 0;
    ssize_t got;
    pid_t pid;

    if (pipe2(ends, O_CLOEXEC) != 0)
        abort();
    (void)fflush(NULL);
    pid = fork();
    if (pid == 0) {
        if (daemon_background_begin(&b, "prog", settings, false, &given) == 1)
            _exit(given);
        run_child(&b, end, code, ends[1]);
    }
    (void)close(ends[1]);
    (void)waitpid(pid, &status, 0);
    got = read(ends[0], seen, room - 1);
    seen[got > 0 ? got : 0] = '\0';
    (void)close(ends[0]);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

/* What goes to stderr while prog goes to the background, or fails there. */
static void write_to(const char *path, int target, bool fails)
{
    const struct err why = {EX_CANTCREAT, "no room"};
    struct daemon_background b;
    int given;

    (void)dup2(open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), 2);
    settings->log.target = target;
    if (daemon_background_begin(&b, "prog", settings, fails, &given) == 1)
        _exit(given);
    given = fails ? daemon_background_failed(&b, &why) : 0;
    daemon_background_done(&b, given);
    _exit(given);
}

static const char *spoken(int target, bool fails, int *code)
{
    static char text[1024];
    const char *path = "daemon-t.stderr";
    int status = 0, fd;
    ssize_t got;
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    if (pid == 0)
        write_to(path, target, fails);
    (void)waitpid(pid, &status, 0);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    got = read(fd, text, sizeof text - 1);
    text[got > 0 ? got : 0] = '\0';
    (void)close(fd);
    (void)unlink(path);
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    return text;
}

static void test_texts(void)
{
    int code;

    OK(strstr(spoken(LOG_TARGET_STDERR, false, &code),
              "prog: warning: log.target is \"stderr\", which leads nowhere") != NULL,
       "a log that leads nowhere is told");
    IS_STR(spoken(LOG_TARGET_SYSLOG, false, &code), "", "one that does not is not");
    IS_STR(spoken(LOG_TARGET_STDERR, true, &code), "prog: no room\n",
           "a failed start is told once, and in the foreground nothing else");
    IS_INT(code, EX_CANTCREAT, "with its exit code");
}

static void test_background(void)
{
    struct daemon_background none = {.parent = -1};
    char seen[64];

    IS_INT(parent_code(CHILD_SAYS, 0, seen, sizeof seen), 0, "a good start");
    IS_STR(seen, "1 0", "the child goes on, in its own session, off the terminal");
    IS_INT(parent_code(CHILD_SAYS, 73, seen, sizeof seen), 73, "a bad one comes back as exit code");
    IS_INT(parent_code(CHILD_EXITS, 71, seen, sizeof seen), 71, "a child that ends without a word");
    IS_INT(parent_code(CHILD_EXITS, 0, seen, sizeof seen), EX_SOFTWARE, "even with 0");
    IS_INT(parent_code(CHILD_DIES, 0, seen, sizeof seen), EX_SOFTWARE, "or is killed");
    IS_INT(parent_code(CHILD_RETURNS, 0, seen, sizeof seen), EX_SOFTWARE, "or forgets to say");
    daemon_background_done(&none, 0);
    OK(none.parent == -1, "in the foreground there is nobody to tell");
}

int main(void)
{
    test_options();
    test_settings();
    settings = settings_defaults(&(struct err){0});
    test_background();
    test_texts();
    settings_free(settings);
    return tap_done();
}
