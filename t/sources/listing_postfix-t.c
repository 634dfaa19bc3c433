/* Worlds out of a real Postfix configuration directory, through postconf and postmap. */
#include "t/tap.h"

#include <stdarg.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/postfix_list.h"
#include "lib/sources/postfix.h"
#include "t/sources/source_fixture.h"

static char dir[64];
static int64_t skew_ms; /* the clock is ahead by this much */

int64_t __real_clock_monotonic_ms(void);
int64_t __wrap_clock_monotonic_ms(void);

int64_t __wrap_clock_monotonic_ms(void)
{
    return __real_clock_monotonic_ms() + skew_ms;
}

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void shell(const char *format, ...)
{
    char command[1024];
    va_list ap;

    va_start(ap, format);
    (void)vsnprintf(command, sizeof command, format, ap);
    va_end(ap);
    if (system(command) != 0)
        printf("# failed: %s\n", command);
}

static void write_postfix(void)
{
    write_file("master.cf", "");
    write_file("mailname", "host.test\n");
    write_file("more-domains", "# these too\nfile1.test file2.test\n!not.test\nnot.test\n");
    write_file("dests", "table.test x\n");
    write_file("virtual", "valias.test   anything\n"
                          "Fwd@valias.test  a@x.test, b@y.test\n"
                          "@all.test  catch@z.test\n"
                          "@moved.test  @far.test\n"
                          "bare   far@x.test\n"
                          "keep@host.test keep, away@x.test\n");
    write_file("virtual2", "fwd@valias.test second@x.test\nonly2@valias.test two@x.test\n");
    write_file("members", "# list\nm1@x.test\nm2@y.test, local\n");
    write_file("aliases", "root: admin\n"
                          "admin: admin@x.test\n"
                          "list: one@x.test,\n"
                          "   two@y.test\n"
                          "cmd: \"|/bin/cmd a, b\", /dev/null, \\cmd\n");
    shell("cd %s && echo 'inc: :include:%s/members, :include:%s/secret' >>aliases && postmap -c . "
          "hash:dests "
          "hash:virtual 2>/dev/null && postalias -c . hash:aliases 2>/dev/null",
          dir, dir, dir);
}

static void write_main(const char *more)
{
    char text[2048];

    (void)snprintf(
        text, sizeof text,
        "compatibility_level = 3.6\n"
        "myhostname = mx.host.test\n"
        "myorigin = %s/mailname\n"
        "mydestination = $myhostname, host.test, localhost\n"
        "   hash:%s/dests, %s/more-domains\n"
        "virtual_alias_maps = hash:%s/virtual, proxy:texthash:%s/virtual2,\n"
        "   inline:{ in@valias.test=in@x.test, { two@valias.test = t1@x.test, t2@x.test } }\n"
        "virtual_mailbox_domains = vmail.test\n"
        "alias_maps = hash:%s/aliases\n%s",
        dir, dir, dir, dir, dir, dir, more);
    write_file("main.cf", text);
}

static char source[80];

static struct hosted *load_both(struct err *err)
{
    use_sources(source, source, "");
    return load(err);
}

static void test_domains(const struct hosted *w)
{
    static const char *const hosted[] = {"mx.host.test", "host.test",  "localhost",   "table.test",
                                         "file1.test",   "file2.test", "valias.test", "vmail.test"};

    for (size_t i = 0; i < sizeof hosted / sizeof hosted[0]; i++)
        IS_STR(charged(w, hosted[i]), hosted[i], hosted[i]);
    IS_STR(charged(w, "not.test"), "-", "!name is none");
    IS_STR(charged(w, "sub.host.test"), "-", "nor a sub-domain");
    IS_STR(charged(w, "anything"), "-", "a table's value is no domain");
}

static void test_forwards(const struct hosted *w)
{
    IS_STR(targets(w, "fwd@valias.test"), "a@x.test b@y.test", "virtual; the first table counts");
    IS_STR(targets(w, "only2@valias.test"), "two@x.test", "the second table (proxy: is left out)");
    IS_STR(targets(w, "two@valias.test"), "t1@x.test t2@x.test", "an inline table");
    IS_STR(targets(w, "any@all.test"), "catch@z.test", "catch-all");
    IS_STR(targets(w, "any@moved.test"), "@far.test", "the same user at another domain");
    IS_STR(targets(w, "bare@host.test"), "far@x.test", "a bare name, in mydestination");
    IS_STR(targets(w, "bare@table.test"), "far@x.test", "in a table of mydestination too");
    IS_STR(targets(w, "bare@vmail.test"), "-", "not in another domain");
    IS_STR(targets(w, "keep@host.test"), "keep@host.test away@x.test",
           "a name without a domain: $myorigin");
    IS_STR(targets(w, "root@host.test"), "admin@host.test", "an alias of an alias");
    IS_STR(targets(w, "list+x@host.test"), "one@x.test two@y.test", "a list, with an extension");
    IS_STR(targets(w, "cmd@host.test"), "cmd@host.test",
           "commands and files lead nowhere (postalias has taken the backslash off \\cmd)");
    IS_STR(targets(w, "inc@host.test"), "m1@x.test m2@y.test local@host.test", ":include:");
    OK(strstr(warnings, "/secret") != NULL, "an include that cannot be read is told");
}

static void test_asked(void)
{
    struct err err = {0};
    struct hosted *w;

    write_main(
        "virtual_alias_domains = hash:$config_directory/dests, regexp:$config_directory/re\n");
    shell("echo '/^r.*\\.test$/ x' >%s/re", dir);
    w = load_both(&err);
    OK(w != NULL && w->domains_asked && !w->forwards_asked, err.text);
    hosted_free(w);
    write_main("virtual_alias_maps = pcre:/x, mysql:/etc/x.cf\n");
    w = load_both(&err);
    OK(w != NULL && w->forwards_asked, "tables that cannot be listed are asked");
    hosted_free(w);
}

static const char COPIES[] =
    "recipient_delimiter = +\n"
    "recipient_bcc_maps = inline:{ r@valias.test=copy@x.test, bare=bare@x.test, "
    "@all.test=all@x.test,"
    "   { t+x@valias.test = keep@x.test }, { two@valias.test = a@x.test, b@x.test },"
    "   local@valias.test=away, bad@valias.test=@x } proxy:hash:$config_directory/copies\n"
    "sender_bcc_maps = inline:{ s@valias.test=sent@x.test } texthash:$config_directory/copies\n";

static void test_copies_of(const struct hosted *w)
{
    static const struct {
        enum hosted_copy kind;
        const char *address, *want;
    } cases[] = {
        {HOSTED_COPY_RECIPIENT, "R@valias.test", "copy@x.test"},
        {HOSTED_COPY_RECIPIENT, "r+ext@valias.test", "copy@x.test"},
        {HOSTED_COPY_RECIPIENT, "t+x@valias.test", "keep@x.test"},
        {HOSTED_COPY_RECIPIENT, "t+y@valias.test", "-"},
        {HOSTED_COPY_RECIPIENT, "any+x@all.test", "all@x.test"},
        {HOSTED_COPY_RECIPIENT, "bare+x@host.test", "bare@x.test"},
        {HOSTED_COPY_RECIPIENT, "bare@vmail.test", "-"},
        {HOSTED_COPY_RECIPIENT, "two@valias.test", "a@x.test"},
        {HOSTED_COPY_RECIPIENT, "local@valias.test", "away@host.test"},
        {HOSTED_COPY_RECIPIENT, "bad@valias.test", "-"},
        {HOSTED_COPY_RECIPIENT, "both@valias.test", "file@x.test"},
        {HOSTED_COPY_RECIPIENT, "s@valias.test", "-"},
        {HOSTED_COPY_SENDER, "s@valias.test", "sent@x.test"},
        {HOSTED_COPY_SENDER, "r@valias.test", "second@x.test"},
        {HOSTED_COPY_SENDER, "both@valias.test", "file@x.test"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        IS_STR(copy_of(w, cases[i].kind, cases[i].address), cases[i].want, cases[i].address);
    OK(strstr(warnings, "two@valias.test: Postfix sends a copy to one address only") != NULL &&
           strstr(warnings, "copies of bad@valias.test: ") != NULL,
       warnings);
}

static void test_copies(void)
{
    /* as domains, as forwarders, and as both */
    const char *const lists[][2] = {{source, ""}, {"", source}, {source, source}};
    struct err err = {0};
    struct hosted *w;

    write_main(COPIES);
    write_file("copies", "r@valias.test second@x.test\nboth@valias.test file@x.test\n");
    shell("cd %s && postmap -c . hash:copies", dir);
    for (size_t i = 0; i < 3; i++) {
        use_sources(lists[i][0], lists[i][1], "");
        w = load(&err);
        OK(w != NULL && !w->copies_asked[0] && !w->copies_asked[1], err.text);
        if (w != NULL)
            test_copies_of(w);
        hosted_free(w);
    }
    write_main("recipient_delimiter =\nrecipient_bcc_maps = inline:{r@valias.test=copy@x.test}\n");
    w = load_both(&err);
    OK(w != NULL, err.text);
    IS_STR(copy_of(w, HOSTED_COPY_RECIPIENT, "r+ext@valias.test"), "-",
           "without recipient_delimiter no extension is cut");
    hosted_free(w);
    write_main("recipient_bcc_maps = regexp:$config_directory/re\n"
               "sender_bcc_maps = hash:$config_directory/none\n");
    w = load_both(&err);
    OK(w != NULL && w->copies_asked[HOSTED_COPY_RECIPIENT] && !w->copies_asked[HOSTED_COPY_SENDER],
       "a table that cannot be listed is asked");
    OK(strstr(warnings, "/none: the table is missing") != NULL, warnings);
    hosted_free(w);
}

/* Entries of virtual(5) without a domain need no aliases. */
static void test_bare(void)
{
    struct err err = {0};
    struct hosted *w;

    write_main("alias_maps =\n");
    w = load_both(&err);
    OK(w != NULL, err.text);
    IS_STR(targets(w, "bare@host.test"), "far@x.test", "of mydestination");
    IS_STR(targets(w, "root@host.test"), "-", "without alias_maps no alias");
    hosted_free(w);
}

static void test_faults(void)
{
    struct err err = {0};
    char missing[96];

    struct hosted *w;

    write_main("alias_maps = hash:$config_directory/none\n");
    w = load_both(&err);
    OK(w != NULL && strstr(warnings, "/none: the table is missing") != NULL, warnings);
    IS_STR(targets(w, "fwd@valias.test"), "a@x.test b@y.test", "the other tables count");
    hosted_free(w);
    write_main("alias_maps = hash:$config_directory/none\nmydestination =\n");
    w = load_both(&err);
    OK(w != NULL && strstr(warnings, "/none") == NULL,
       "aliases without mydestination are no matter");
    hosted_free(w);
    write_main("virtual_mailbox_domains = hash:$config_directory/none\n");
    OK(load_both(&err) == NULL && err.code == EX_UNAVAILABLE && strstr(err.text, "/none"),
       err.text);
    (void)snprintf(missing, sizeof missing, "postfix:%s/none", dir);
    use_sources(missing, "", "");
    OK(load(&err) == NULL && strstr(err.text, "main.cf"), err.text);
    use_sources("", "", source);
    OK(load(&err) == NULL && strstr(err.text, "logins"), err.text);
}

static bool has_changed(struct source_watch *w)
{
    bool written = source_watch_look(w) == SOURCES_WRITTEN;

    skew_ms += 2000;
    return written && source_watch_look(w) == SOURCES_CHANGED;
}

static void test_watch(void)
{
    struct err err = {0};
    struct source_watch *w;

    write_main("");
    use_sources(source, source, "");
    w = source_watch_new(&settings, NULL, &err);
    OK(source_watch_look(w) == SOURCES_SAME, "nothing has changed");
    write_main("virtual_alias_domains = new.test\n");
    OK(has_changed(w) && source_watch_look(w) == SOURCES_SAME, "main.cf has");
    write_file("virtual2", "fwd@valias.test other@x.test\n");
    OK(has_changed(w), "a table has");
    shell("cd %s && postmap -c . hash:virtual", dir);
    OK(has_changed(w), "a table has been made again");
    write_file("more-domains", "file3.test\n");
    OK(has_changed(w) && source_watch_look(w) == SOURCES_SAME, "a file of domains has");
    source_watch_free(w);
    write_main("sender_bcc_maps = texthash:$config_directory/copies\n");
    write_file("copies", "a@valias.test a@x.test\n");
    w = source_watch_new(&settings, NULL, &err);
    write_file("copies", "a@valias.test second@x.test\n");
    OK(has_changed(w), "a table of copies has");
    source_watch_free(w);
}

static void test_delimiters(void)
{
    static const struct {
        const char *setting, *address, *want;
    } cases[] = {
        {"", "list+x@host.test", "-"},
        {"+", "list+x@host.test", "one@x.test two@y.test"},
        {"-", "list+x@host.test", "-"},
        {"+-", "list-2026@host.test", "one@x.test two@y.test"},
        {"+-", "fwd-2026+x@valias.test", "a@x.test b@y.test"},
        {"-", "list-request@host.test", "-"},
        {"-", "-fwd@valias.test", "-"},
    };
    struct err err = {0};
    char line[64];
    struct hosted *w;

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)snprintf(line, sizeof line, "recipient_delimiter = %s\n", cases[i].setting);
        write_main(line);
        w = load_both(&err);
        OK(w != NULL, line);
        if (w == NULL)
            continue;
        IS_STR(targets(w, cases[i].address), cases[i].want, cases[i].address);
        IS_SLICE(w->user_delimiters,
                 slice_str(cases[i].setting[0] != '\0' ? cases[i].setting : "+"), "and users");
        hosted_free(w);
    }
}

static const char *asked(const char *table, const char *keys)
{
    static char text[256];
    struct slice key, value, rest;
    struct err err = {0};
    struct buf out;
    size_t len = 0;

    text[0] = '\0';
    if (postfix_table_ask(dir, table, slice_str(keys), &out, &err) != 0) {
        (void)snprintf(text, sizeof text, "! %.200s", err.text);
        return text;
    }
    rest = buf_slice(&out);
    while (postfix_pair_next(&rest, &key, &value))
        len += (size_t)snprintf(text + len, sizeof text - len, "%.*s=%.*s;", SLICE_FMT(key),
                                SLICE_FMT(value));
    buf_fini(&out);
    return text;
}

static void test_questions(void)
{
    char table[128];

    (void)snprintf(table, sizeof table, "hash:%s/virtual", dir);
    IS_STR(asked(table, "none@valias.test\nfwd@valias.test\n"),
           "fwd@valias.test=a@x.test, b@y.test;", "found");
    IS_STR(asked(table, "none@valias.test\n"), "", "not found is no failure");
    OK(strstr(asked("hash:/nonexistent", "a\n"), "! ") != NULL, asked("hash:/nonexistent", "a\n"));
    OK(strstr(asked("mysql:/nonexistent", "a\n"), "mysql") != NULL,
       "a type that this Postfix has not");
}

static void test_items(void)
{
    struct slice rest = SLICE(
                     " a.test,b.test !c.test, proxy:mysql:/x /file,inline:{ a=b, {c = d e} } {x"),
                 list;
    static const char *const texts[] = {
        "a.test", "b.test", "c.test", "mysql:/x", "/file", "inline:{ a=b, {c = d e} }", "{x"};
    struct postfix_item item;

    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        OK(postfix_list_next(&rest, &item), "an item");
        IS_SLICE(item.text, slice_str(texts[i]), "is");
        OK(item.negated == (i == 2) && item.listable == (i == 5), "and what it is");
    }
    OK(!postfix_list_next(&rest, &item), "no more");
    list = SLICE("btree:/etc/x");
    OK(postfix_list_next(&list, &item) && item.listable && slice_equal(item.path, SLICE("/etc/x")),
       "a file's path");
}

int main(void)
{
    struct err err = {0};
    struct hosted *w;

    (void)snprintf(dir, sizeof dir, "/tmp/tg-postfix-XXXXXX");
    if (mkdtemp(dir) == NULL)
        return 1;
    (void)chmod(dir, 0755);
    source_dir = dir;
    (void)snprintf(source, sizeof source, "postfix:%s", dir);
    settings.state_dir = dir;
    settings.hosted.default_domain = settings.accounting.spam_header = "";
    settings.accounting.delimiter = "+";
    write_main("recipient_delimiter = +\n");
    write_postfix();
    w = load_both(&err);
    OK(w != NULL && !w->domains_asked && !w->forwards_asked, err.text);
    if (w != NULL) {
        test_domains(w);
        test_forwards(w);
        hosted_free(w);
    }
    test_questions();
    test_delimiters();
    test_watch();
    test_copies();
    test_bare();
    test_asked();
    test_faults();
    test_items();
    shell("rm -rf %s", dir);
    return tap_done();
}
