/* The settings of throttling: plans and their faults, and that what is printed loads again. */
#include <stdlib.h>
#include <unistd.h>

#include "lib/sys/settings.h"
#include "t/tap.h"

static char file[] = "/tmp/tg-plans-XXXXXX";
static char *faults;

static struct settings *load(const char *text)
{
    struct settings *s;
    size_t size = 0;
    FILE *f = fopen(file, "w"), *out;

    if (f == NULL)
        abort();
    (void)fputs(text, f);
    (void)fclose(f);
    free(faults);
    faults = NULL;
    out = open_memstream(&faults, &size);
    s = settings_load(file, out, NULL);
    (void)fclose(out);
    return s;
}

static void bad(const char *text, unsigned line, const char *what)
{
    char want[64];
    struct settings *s = load(text);

    (void)snprintf(want, sizeof want, "%s:%u: ", file, line);
    if (!OK(s == NULL && strstr(faults, want) != NULL && strstr(faults, what) != NULL, what))
        printf("# told: %s", faults);
    settings_free(s);
}

#define GOOD                                                                                       \
    "throttle: { mode = \"enforce\"; exempt: { users = [\"boss@example.com\"]; }; };\n"            \
    "plans = ( { name = \"default\"; limits = (\n"                                                 \
    "    { scope = \"domain\"; metric = \"bytes\"; max = \"10GB\"; per = \"24h\";\n"               \
    "      action = \"hold\"; soft = 80; forwards = true; },\n"                                    \
    "    { scope = \"user\"; metric = \"messages\"; max = 100; per = \"month\"; } ); },\n"         \
    "  { name = \"none\"; limits = ( ); } );\n"

static void test_good(void)
{
    struct settings *s = load(GOOD);
    char *printed = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&printed, &size);
    const struct limit *l;

    if (!OK(s != NULL, "loads")) {
        printf("# %s", faults);
        return;
    }
    l = s->plans[0].limits;
    OK(s->plan_count == 2 && s->plans[0].count == 2 && s->plans[1].count == 0, "two plans");
    OK(l[0].scope == LIMIT_DOMAIN && l[0].metric == METRIC_BYTES &&
           l[0].max == UINT64_C(10) << 30 && l[0].window_ms == 86400000 &&
           l[0].action == ACTION_HOLD && l[0].soft_percent == 80 && l[0].forwards,
       "a limit with all of it");
    OK(l[1].max == 100 && l[1].window_ms == LIMIT_WINDOW_MONTH && l[1].action == ACTION_DEFER,
       "a limit with the defaults");
    OK(s->throttle.mode == THROTTLE_ENFORCE && s->throttle.exempt.users.count == 1, "throttle");
    settings_print(s, out);
    (void)fclose(out);
    settings_free(s);
    s = load(printed);
    if (!OK(s != NULL && s->plan_count == 2 && s->plans[0].limits[0].max == UINT64_C(10) << 30 &&
                s->plans[0].limits[0].soft_percent == 80 && s->throttle.exempt.users.count == 1,
            "what is printed loads again"))
        printf("# %s\n# %s", faults, printed);
    settings_free(s);
    free(printed);
}

#define LIMIT(text) "plans = ( { name = \"p\";\n limits = (\n  { " text " } ); } );\n"

int main(void)
{
    struct settings *s;

    (void)close(mkstemp(file));
    s = load("node = \"mx1\";\n");
    OK(s != NULL && s->plan_count == 1 && s->plans[0].limits[0].max == 600 &&
           s->throttle.mode == THROTTLE_OBSERVE,
       "the default: one plan, observed");
    settings_free(s);
    test_good();
    bad("plans = 5;\n", 1, "wrong type");
    bad("plans = ( { name = \"a\"; limits = ( ); },\n { name = \"a\"; limits = ( ); } );\n", 2,
        "is defined twice");
    bad("plans = ( { limits = ( ); } );\n", 1, "the name of a plan");
    bad("plans = ( { name = \"a\";\n limit = ( ); } );\n", 2, "unknown setting \"limit\"");
    bad(LIMIT("scope = \"domain\"; metric = \"bytes\"; per = \"day\";"), 3, "add what is missing");
    bad(LIMIT("scope = \"all\"; metric = \"bytes\"; max = 1; per = \"day\";"), 3, "scope");
    bad(LIMIT("scope = \"user\"; metric = \"mails\"; max = 1; per = \"day\";"), 3, "metric");
    bad(LIMIT("scope = \"user\"; metric = \"bytes\"; max = \"1XB\"; per = \"day\";"), 3, "max");
    bad(LIMIT("scope = \"user\"; metric = \"bytes\"; max = 1; per = \"often\";"), 3, "per");
    bad(LIMIT("scope = \"user\"; metric = \"bytes\"; max = 1; per = \"day\"; action = \"stop\";"),
        3, "action");
    bad(LIMIT("scope = \"user\"; metric = \"bytes\"; max = 1; per = \"day\"; soft = 100;"), 3,
        "soft");
    bad(LIMIT("scope = \"user\"; metric = \"bytes\"; max = 1; per = \"day\"; color = 1;"), 3,
        "color");
    bad("throttle: { mode = \"on\"; };\n", 1, "observe, enforce");
    bad("throttle: { exempt: {\n users = [\"nobody\"]; }; };\n", 2, "is not an address");
    (void)unlink(file);
    free(faults);
    return tap_done();
}
