/* settings: defaults, every kind of fault with its place and mend, includes, -T, reload. */
#include "t/tap.h"

#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/units.h"
#include "lib/sys/log.h"
#include "lib/sys/settings_table.h"

static char dir[] = "/tmp/settings-t-XXXXXX";

static const char *path_of(const char *name)
{
    static char path[256];

    (void)snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static void write_bytes(const char *name, const char *text, size_t len)
{
    FILE *out = fopen(path_of(name), "w");

    if (out == NULL || fwrite(text, 1, len, out) != len || fclose(out) != 0)
        abort();
}

static void write_file(const char *name, const char *text)
{
    write_bytes(name, text, strlen(text));
}

/* Loads main.conf; what was written to faults, for the caller to free. */
static struct settings *load(char **faults, struct err *err)
{
    size_t len;
    FILE *out = open_memstream(faults, &len);
    struct settings *s = settings_load(path_of("main.conf"), out, err);

    (void)fclose(out);
    return s;
}

static struct settings *load_good(const char *text)
{
    char *faults;
    struct err err = {0};
    struct settings *s;

    write_file("main.conf", text);
    s = load(&faults, &err);
    if (!OK(s != NULL && faults[0] == '\0', "loads without a fault"))
        printf("# %s%s\n", faults, err.text);
    free(faults);
    if (s == NULL)
        abort();
    return s;
}

static void test_defaults(void)
{
    struct settings *s = load_good("node = \"mx1\";\n");

    IS_STR(s->node, "mx1", "node as given");
    IS_STR(s->timezone, "UTC", "timezone");
    IS_STR(s->state_dir, "/var/lib/tollgate", "state_dir");
    IS_STR(s->user, "tollgate", "user");
    IS_INT(s->log.target, LOG_TARGET_SYSLOG, "log.target");
    IS_INT(s->log.facility, LOG_MAIL, "log.facility");
    IS_INT(s->log.level, LOG_INFO, "log.level");
    IS_STR(s->milter.socket, "unix:/var/spool/postfix/tollgate/milter.sock", "milter.socket");
    IS_INT(s->milter.mode, 0660, "milter.mode");
    IS_STR(s->milter.group, "postfix", "milter.group");
    IS_INT(s->milter.timeout_ms, 7200000, "milter.timeout");
    IS_STR(s->milter.engine, "native", "milter.engine");
    IS_STR(s->store.url, "private:", "store.url");
    IS_STR(s->store.prefix, "tg", "store.prefix");
    IS_INT(s->store.timeout_ms, 250, "store.timeout");
    IS_STR(s->store.username, "", "store.username");
    IS_INT(s->ledger.sync, SYNC_TIMED, "ledger.sync");
    IS_INT(s->ledger.sync_ms, 1000, "ledger.sync's time");
    IS_INT(s->ledger.push_ms, 200, "ledger.push");
    IS_INT(s->ledger.min_free_bytes, 64 << 20, "ledger.min_free");
    IS_INT(s->ledger.on_full, ON_FAILURE_DEFER, "ledger.on_full");
    OK(s->hosted.domains.count == 1 && s->hosted.forwards.count == 0, "hosted lists");
    IS_STR(s->hosted.domains.items[0], "file:/etc/tollgate/domains", "hosted.domains");
    OK(s->networks.host.count == 2, "networks.host");
    IS_STR(s->networks.host.items[1], "::1", "its second");
    IS_INT(s->accounting.out_bytes, OUT_BYTES_DESTINATION, "accounting.out_bytes");
    IS_STR(s->accounting.spam_header, "X-Spam-Flag: YES", "accounting.spam_header");
    OK(s->accounting.users, "accounting.users");
    IS_INT(s->accounting.users_max, 10000, "accounting.users_max");
    settings_free(s);
}

static const char full[] =
    "# a comment\n"
    "node = \"mx-2.example\"; timezone = \"Europe/Berlin\"; state_dir = \"/tmp/s\"; user = \"\";\n"
    "log: { target = \"stderr\"; facility = \"local3\"; level = \"debug\"; };\n"
    "milter: { socket = \"inet:8890@127.0.0.1\"; mode = \"600\"; group = \"\"; timeout = \"1h\"; "
    "};\n"
    "store: { url = \"redis://u:p%40ss@[::1]:7000/3\"; prefix = \"tg2\"; timeout = \"1s\";\n"
    "  on_failure = \"accept\"; nodes = 3; username = \"me\"; password_file = \"/etc/pw\"; };\n"
    "ledger: { sync = \"always\"; push = \"90s\"; min_free = \"1GB\"; on_full = \"accept\"; };\n"
    "hosted: { domains = [\"redis:d\", \"postfix:/etc/postfix\"]; forwards = (\"file:/f\");\n"
    "  logins = [\"socketmap:inet:h:1:n\"]; default_domain = \"example.com\"; };\n"
    "networks: { host = []; customers = [\"192.0.2.0/24\", \"2001:db8::/32\"]; };\n"
    "accounting: { out_bytes = \"message\"; spam_header = \"X-Spam: a \\\"b\\\" \\\\c\";\n"
    "  users = false; users_max = 5; };\n";

static void test_full(void)
{
    char *text = strdup(full);
    struct settings *s;

    /* 90s is beyond the range of ledger.push on purpose elsewhere; here it is to be good. */
    memcpy(strstr(text, "\"90s\""), "\"9s\" ", 5);
    s = load_good(text);
    IS_STR(s->timezone, "Europe/Berlin", "timezone");
    IS_INT(s->log.facility, LOG_LOCAL3, "facility");
    IS_INT(s->milter.mode, 0600, "mode of three digits");
    IS_INT(s->store.nodes, 3, "number");
    IS_INT(s->ledger.sync, SYNC_ALWAYS, "sync always");
    IS_INT(s->ledger.min_free_bytes, 1 << 30, "size");
    IS_STR(s->hosted.domains.items[1], "postfix:/etc/postfix", "array");
    IS_STR(s->hosted.forwards.items[0], "file:/f", "list");
    IS_INT(s->networks.host.count, 0, "an empty list replaces the default");
    IS_STR(s->accounting.spam_header, "X-Spam: a \"b\" \\c", "escapes");
    OK(!s->accounting.users, "bool");
    settings_free(s);
    free(text);
}

/* Each: a file, and the line and text that its one fault must have. */
static const struct {
    const char *text;
    int line;
    const char *want;
} bad[] = {
    {"\nnide = \"x\";\n", 2, "unknown setting \"nide\": did you mean \"node\"?"},
    {"hosted: { domain = [\"x\"]; };", 1, "did you mean \"hosted.domains\"?"},
    {"collect: { sources = [\"/var/log/mail.log\"]; };", 1, "neither a file nor the journal"},
    {"collect: { sources = [\"file:mail.log\"]; };", 1, "no absolute path"},
    {"collect: { timezone = \"Europe/Zagreeb\"; };", 1, "Zagreeb"},
    {"collect: { clamd = \"inet:av.example.com:3310\"; };", 1, "write its IP address"},
    {"collect: { clamd = \"/run/clamd\"; };", 1, "collect.clamd"},
    {"collect: { spam_service = \"assp\"; };", 1, "collect.spam_service"},
    {"throttle: { on_anomaly = \"stop\"; };", 1, "use \"\", log, defer, reject, hold"},
    {"url = \"private:\";", 1, "did you mean \"store.url\"?"},
    {"stor: { };", 1, "did you mean \"store\"?"},
    {"zzzzzzzz = 1;", 1, "unknown setting \"zzzzzzzz\": remove it"},
    {"store: {\n tls: { ca = \"\"; };\n};", 2, "unknown setting \"store.tls.ca\""},
    {"node = 5;", 1, "node: the value is of the wrong type: write a text in quotes"},
    {"log = \"syslog\";", 1, "log: the value is of the wrong type: write a group, log: { ... };"},
    {"log: {\n\n level = \"loud\"; };", 3,
     "log.level: \"loud\" is not a value of this setting: use error,"},
    {"log: { facility = \"post\"; };", 1,
     "log.facility: \"post\" is not a value of this setting: use mail,"},
    {"log: { target = \"file\"; };", 1, "use syslog, stderr"},
    {"node = \"a b\";", 1, "node: \"a b\" is not a valid node name: use letters"},
    {"node = \"12345678901234567890123456789012345678901234567890123456789012345\";", 1,
     "longer than 64 bytes"},
    {"timezone = \"Europe/Atlantis\";", 1, "unknown time zone \"Europe/Atlantis\""},
    {"timezone = \"zone.tab\";", 1, "unknown time zone"},
    {"timezone = \"\";", 1, "is empty: give a value, or remove the line for the default \"UTC\""},
    {"state_dir = \"var\";", 1, "state_dir: \"var\" is not an absolute path: begin it with /"},
    {"user = \"a b\";", 1, "user: \"a b\" is not a valid account name"},
    {"milter: { mode = 0660; };", 1,
     "milter.mode: the value is of the wrong type: write octal digits in quotes"},
    {"milter: { mode = \"0888\"; };", 1, "\"0888\" is not a mode"},
    {"milter: { mode = \"7777\"; };", 1, "out of range"},
    {"milter: { timeout = 10; };", 1, "write a time in quotes, such as \"10min\""},
    {"milter: { timeout = \"10\"; };", 1,
     "milter.timeout: \"10\" is not a time with its unit (ms s min h days): use 10s to 24h"},
    {"milter: { timeout = \"10 parsecs\"; };", 1, "not a time with its unit"},
    {"milter: { timeout = \"1s\"; };", 1, "milter.timeout: \"1s\" is out of range: use 10s to 24h"},
    {"milter: { timeout = \"99999999999999999999h\"; };", 1, "not a time"},
    {"milter: { timeout = \"9223372036854775807days\"; };", 1, "not a time"},
    {"milter: { socket = \"/tmp/x\"; };", 1,
     "milter.socket: \"/tmp/x\" is not a socket: write \"unix:/path\""},
    {"milter: { socket = \"inet:99999@h\"; };", 1, "port (1 to 65535)"},
    {"milter: { socket = \"unix:run/x\"; };", 1, "not an absolute path"},
    {"milter: { engine = \"mine\"; };", 1, "unknown engine \"mine\""},
    {"store: { url = \"rediss://h:0\"; };", 1,
     "store.url: the port is not a number from 1 to 65535"},
    {"store: { url = \"sentinel://h:1\"; };", 1,
     "use \"private:\", \"unix:///path\", \"redis://host:port/db\""},
    {"store: { tls: { ca_file = \"ca.pem\"; }; };", 1, "store.tls.ca_file"},
    {"store: { url = \"http://h/\"; };", 1, "store.url: unknown kind of store"},
    {"store: { prefix = \"t{g\"; };", 1, "store.prefix: \"t{g\" is not a valid key prefix"},
    {"store: { prefix = \"t g\"; };", 1, "is not a valid key prefix"},
    {"store: { prefix = \"\"; };", 1, "store.prefix: is empty"},
    {"store: { timeout = \"11s\"; };", 1, "out of range: use 10ms to 10s"},
    {"store: { nodes = 0; };", 1, "store.nodes: \"0\" is out of range: use 1 to 10000"},
    {"store: { nodes = -1; };", 1, "store.nodes: \"-1\" is not a whole number"},
    {"store: { nodes = \"1\"; };", 1, "write a whole number, without quotes"},
    {"store: { nodes = 1.5; };", 1, "write a whole number, without quotes"},
    {"ledger: { sync = \"sometimes\"; };", 1,
     "ledger.sync: \"sometimes\" is not a time with its unit (ms s min h days): use always, never, "
     "or "
     "10ms to 1min"},
    {"ledger: { min_free = \"64Mb\"; };", 1, "not a size with its unit (B KB MB GB)"},
    {"ledger: { min_free = \"2000GB\"; };", 1, "out of range: use 0B to 1024GB"},
    {"ledger: { min_free = 67108864; };", 1, "write a size in quotes, such as \"64MB\""},
    {"ledger: { on_full = \"drop\"; };", 1, "use defer, accept"},
    {"hosted: { domains = \"file:/x\"; };", 1, "write texts in brackets"},
    {"hosted: { domains = [1]; };", 1, "write texts in brackets"},
    {"hosted: { domains = [\n\"file:/x\",\n\"ldap:x\"]; };", 3,
     "hosted.domains: source \"ldap:x\": unknown kind of source"},
    {"hosted: { domains = [\"file:x\"]; };", 1, "absolute path"},
    {"hosted: { logins = [\"postfix:/etc/postfix\"]; };", 1,
     "source has domains and forwards but no logins"},
    {"hosted: { default_domain = \"ex ample\"; };", 1,
     "hosted.default_domain: \"ex ample\" is not a domain"},
    {"networks: { host = [\"10.0.0.0/33\"]; };", 1,
     "networks.host: \"10.0.0.0/33\" is not a network: write it as \"192.0.2.0/24\""},
    {"networks: { customers = [\"10.0.0.1/8\"]; };", 1, "is not a network"},
    {"accounting: { users = \"yes\"; };", 1, "write true or false, without quotes"},
    {"accounting: { users = 1; };", 1, "write true or false, without quotes"},
    {"accounting: { spam_header = \"X-Spam\"; };", 1,
     "is not a header field: write name and value"},
    {"accounting: { users_max = 4294967297; };", 1,
     "a number too large: the largest is 2147483647"},
    {"accounting: { users_max = 99999999999999999999L; };", 1, "a number too large"},
    {"accounting: { users_max = 20000000; };", 1, "out of range: use 1 to 10000000"},
    {"user = \"a\\x01b\";", 1, "user: the text contains a control character: remove it"},
    {"throttle: { notify_at = [\"50\", \"80%\"]; };", 1,
     "throttle.notify_at: \"80%\" is no percentage: write a number from 1 to 1000"},
    {"billing: { customers = [\"postfix:/etc/postfix\"]; };", 1,
     "billing.customers: this list is read as a whole: use a file: or redis: source"},
    {"a = 1\nb = = 2;\n", 2,
     "syntax error: check this line and the one before for a missing \";\""},
    {"user = \"a\";\nuser = \"b\";\n", 2, "user: the setting is given twice, first in "},
    {"/* user = 1 */ user = \"user = 2;\";\nlog: { level = \"info\"; }; # user\nnode = \"n\";\n"
     "user\n= \"b\";\n",
     4, ":1: remove one of the two"},
    {"log: { level = \"info\"; };\nstore: { url = \"private:\"; };\nlog: { target = \"stderr\"; "
     "};\n",
     3, "log: the setting is given twice, first in "},
    {"store: {\n url = \"a\";\n tls: { ca_file = \"\"; };\n url = \"b\"; };\n", 4,
     "url: the setting is given twice"},
    {"plans = ( { name = \"a\"; }, { name = \"b\";\n name = \"c\"; } );\n", 2,
     "name: the setting is given twice"},
    {"hosted: { domains = [\"file:/x\", 1]; };", 1, "mismatched element type in array"},
    {"\nuser = \"a;\nnode = \"b\";\n", 2, "the text in quotes is not closed"},
    {"\n\n/* open\n\n", 3, "the comment that begins here is not closed"},
    {"\n@include \"none.conf\"\n", 2, "none.conf: No such file or directory: name a readable file"},
    {"@include \"/tmp\"\n", 1, "@include: cannot read /tmp: not a regular file"},
    {"@include nothing\n", 1, "no file to include: write @include \"FILE\""},
    {"\n\n@include \"main.conf\"\n", 3, "the file includes itself"},
};

static void test_bad(size_t i)
{
    char *faults, want[512];
    struct err err = {0};
    struct settings *s;
    int len;

    write_file("main.conf", bad[i].text);
    s = load(&faults, &err);
    len = snprintf(want, sizeof want, "%s:%d: ", path_of("main.conf"), bad[i].line);
    if (!OK(s == NULL && err.code == EX_CONFIG && strncmp(faults, want, (size_t)len) == 0 &&
                strstr(faults, bad[i].want) != NULL && strchr(faults, '\n')[1] == '\0',
            bad[i].want))
        printf("#  got %s# want %s\n", faults, want);
    OK(strncmp(faults, err.text, strlen(err.text)) == 0, "and the error says the same");
    free(faults);
    settings_free(s);
}

static void test_all_told(void)
{
    char *faults, want[2048];
    struct err err = {0};
    const char *at = path_of("main.conf");

    write_file("main.conf",
               "nodee = \"x\";\nlog: { level = 3;\n target = \"x\"; };\nuser = \"ok\";\n"
               "networks: { host = [ \"1.2.3.4\", \"x\",\n \"y\" ]; };\n");
    OK(load(&faults, &err) == NULL, "a file with five faults");
    (void)snprintf(want, sizeof want, "%s:1: unknown setting", at);
    OK(strstr(faults, want) != NULL, "first");
    (void)snprintf(want, sizeof want, "%s:2: log.level", at);
    OK(strstr(faults, want) != NULL, "second");
    (void)snprintf(want, sizeof want, "%s:3: log.target", at);
    OK(strstr(faults, want) != NULL, "third");
    (void)snprintf(want, sizeof want, "%s:5: networks.host: \"x\"", at);
    OK(strstr(faults, want) != NULL, "fourth");
    (void)snprintf(want, sizeof want, "%s:6: networks.host: \"y\"", at);
    OK(strstr(faults, want) != NULL, "fifth");
    OK(strstr(err.text, ":1: unknown") != NULL && strstr(err.text, "(and 4 more faults)") != NULL,
       "the error holds the first and the number of the others");
    free(faults);
}

static void is_fault(const char *want, const char *what)
{
    char *faults, full_want[512];
    struct err err = {0};
    struct settings *s = load(&faults, &err);

    (void)snprintf(full_want, sizeof full_want, "%s/%s", dir, want);
    if (!OK(s == NULL && strstr(faults, full_want) != NULL, what))
        printf("#  got %s# want %s\n", faults, full_want);
    free(faults);
    settings_free(s);
}

static void test_includes(void)
{
    struct settings *s;
    char text[512];

    write_file("a.conf", "user = \"included\";\n\ntimezone = \"UTC\";\n");
    write_file("log.conf", "level = \"debug\";\n");
    (void)snprintf(
        text, sizeof text,
        "@include \"a.conf\"\nlog: {\n  @include \"%s/log.conf\"\n target = \"stderr\"; };\n"
        "/*\n@include \"none\"\n*/\n",
        dir);
    s = load_good(text);
    IS_STR(s->user, "included", "a relative path counts from the file's directory");
    IS_INT(s->log.level, LOG_DEBUG, "an absolute path, within a group");
    settings_free(s);

    write_file("main.conf", "@include \"a.conf\"\nnode = \"mx1\";\nnope = 1;\n");
    is_fault("main.conf:3: unknown setting \"nope\"", "lines behind an include are right");
    write_file("main.conf", "@include \"a.conf\" nope = 1;\n");
    is_fault("main.conf:1: unknown setting \"nope\"", "so is the rest of its line");
    write_file("a.conf", "user = \"included\";\n\ntimezone = 3;\n");
    is_fault("a.conf:3: timezone: ", "a fault in an included file names that file");
    write_file("a.conf", "\nuser = ;\n");
    is_fault("a.conf:2: syntax error", "so does a syntax error");
    write_file("a.conf", "\n\n@include \"main.conf\"\n");
    is_fault("a.conf:3: @include of ", "a ring is told where it closes");
}

static void test_unreadable(void)
{
    struct err err = {0};
    char *faults;

    OK(settings_load(path_of("missing"), NULL, &err) == NULL && err.code == EX_NOINPUT,
       "a missing file");
    OK(strstr(err.text, "missing: No such file or directory") != NULL, "is named");
    OK(settings_load(dir, NULL, &err) == NULL && err.code == EX_NOINPUT, "a directory");
    write_bytes("main.conf", "user = \"a\";\n\0\n", 14);
    OK(load(&faults, &err) == NULL && strstr(faults, "main.conf:2: a NUL byte") != NULL,
       "a NUL byte");
    free(faults);
}

static char *printed(const struct settings *s)
{
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    settings_print(s, out);
    (void)fclose(out);
    return text;
}

static void test_print(const char *text)
{
    struct settings *s = load_good(text), *again;
    char *first = printed(s), *second;
    struct arena arena;

    arena_init(&arena, 65536);
    again = load_good(first);
    second = printed(again);
    IS_STR(second, first, "what is printed loads to the same");
    IS_SLICE(settings_fixed_changes(s, again, &arena),
             slice_str(strstr(text, "p%40ss") != NULL ? "store.url" : ""),
             "and differs in nothing but a masked password");
    OK(strstr(first, "p%40ss") == NULL, "which is not shown");
    arena_fini(&arena);
    free(first);
    free(second);
    settings_free(s);
    settings_free(again);
}

static void test_printing(void)
{
    char *text = strdup(full);

    test_print("");
    memcpy(strstr(text, "\"90s\""), "\"9s\" ", 5);
    test_print(text);
    memcpy(strstr(text, "u:p%40ss@"), "         ", 9);
    memmove(strstr(text, "redis://"), "redis://[::1]:7000/3\"; #", 24);
    test_print(text);
    free(text);
}

static void test_fixed(void)
{
    struct settings *a = load_good("node = \"a\";"), *b;
    struct arena arena;
    struct err err;

    arena_init(&arena, 65536);
    b = load_good("node = \"b\"; state_dir = \"/x\"; log: { level = \"debug\"; };\n"
                  "networks: { customers = [\"192.0.2.1\"]; };");
    IS_SLICE(settings_fixed_changes(a, b, &arena), SLICE("node, state_dir"),
             "fixed settings changed");
    IS_INT(settings_fixed_changes(a, a, &arena).len, 0, "none changed");
    OK(settings_keep_fixed(b, a, &err) == 0 && settings_fixed_changes(a, b, &arena).len == 0,
       "fixed settings keep their old values");
    IS_STR(b->node, a->node, "such as node");
    OK(b->log.level == LOG_DEBUG && b->networks.customers.count == 1, "the rest is new");
    arena_fini(&arena);
    settings_free(a);
    settings_free(b);
}

static void test_units(void)
{
    struct buf b;
    int64_t n = 0;

    OK(units_parse(UNITS_TIME, SLICE("90s"), &n) && n == 90000, "90s");
    OK(units_parse(UNITS_TIME, SLICE("7days"), &n) && n == INT64_C(604800000), "7days");
    OK(units_parse(UNITS_SIZE, SLICE("3KB"), &n) && n == 3072, "3KB");
    OK(!units_parse(UNITS_SIZE, SLICE("KB"), &n) && !units_parse(UNITS_SIZE, SLICE("-1KB"), &n) &&
           !units_parse(UNITS_SIZE, SLICE("1"), &n),
       "no size");
    buf_init(&b, 100);
    units_format(UNITS_TIME, &b, 90000);
    buf_add_char(&b, ' ');
    units_format(UNITS_TIME, &b, 7200000);
    buf_add_char(&b, ' ');
    units_format(UNITS_TIME, &b, 0);
    buf_add_char(&b, ' ');
    units_format(UNITS_SIZE, &b, 1536);
    buf_add_char(&b, ' ');
    units_format(UNITS_SIZE, &b, INT64_C(3) << 30);
    IS_SLICE(buf_slice(&b), SLICE("90s 2h 0ms 1536B 3GB"),
             "written with the largest unit that fits");
    buf_fini(&b);
}

static void test_table(void)
{
    for (size_t i = 0; i < settings_count; i++) {
        const struct setting *row = &settings_table[i];

        OK(setting_find(slice_str(row->path)) == row, row->path);
        OK(row->help != NULL && row->help[strlen(row->help) - 1] == '.', "has a help in sentences");
    }
    OK(setting_is_group(SLICE("milter")) && !setting_is_group(SLICE("node")) &&
           !setting_is_group(SLICE("")),
       "groups");
}

int main(void)
{
    if (mkdtemp(dir) == NULL)
        abort();
    test_table();
    test_units();
    test_defaults();
    test_full();
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        test_bad(i);
    test_all_told();
    test_includes();
    test_unreadable();
    test_printing();
    test_fixed();
    (void)unlink(path_of("main.conf"));
    (void)unlink(path_of("a.conf"));
    (void)unlink(path_of("log.conf"));
    (void)rmdir(dir);
    return tap_done();
}
