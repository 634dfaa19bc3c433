/* format and the cells of CSV: figures and texts as they are shown. */
#include "t/tap.h"

#include "lib/core/format.h"
#include "lib/core/render.h"
#include "t/random.h"

static void is_figure(void (*add)(struct buf *, uint64_t), uint64_t n, const char *want)
{
    struct buf b;

    buf_init(&b, 100);
    add(&b, n);
    IS_SLICE(buf_slice(&b), slice_str(want), want);
    buf_fini(&b);
}

static void test_figures(void)
{
    is_figure(format_count, 0, "0");
    is_figure(format_count, 999, "999");
    is_figure(format_count, 1000, "1,000");
    is_figure(format_count, 1002003, "1,002,003");
    is_figure(format_count, UINT64_MAX, "18,446,744,073,709,551,615");
    is_figure(format_short, 9999, "9999");
    is_figure(format_short, 10000, "10.0k");
    is_figure(format_short, 99899, "99.9k");
    is_figure(format_short, 99999, "99k");
    is_figure(format_short, 999999, "999k");
    is_figure(format_short, 1000000, "1.0M");
    is_figure(format_short, UINT64_MAX, "18.4E");
    is_figure(format_bytes, 0, "0  B");
    is_figure(format_bytes, 999, "999  B");
    is_figure(format_bytes, 1000, "1.0 KB");
    is_figure(format_bytes, 1536, "1.5 KB");
    is_figure(format_bytes, 1023897, "999.9 KB");
    is_figure(format_bytes, 1023950, "1.0 MB");
    is_figure(format_bytes, UINT64_C(1) << 40, "1.0 TB");
    is_figure(format_bytes, UINT64_MAX, "16.0 EB");
}

static void test_text(void)
{
    struct buf b;

    buf_init(&b, 1000);
    format_text(&b, SLICE("a\033[2Jb\xff\xc3\xa9\xc2\x9b\x7f\xed\xa0\x80\xf0\x8f\xbf\xbf"));
    IS_SLICE(buf_slice(&b),
             SLICE("a\\x1b[2Jb\\xff\xc3\xa9\\u009b\\x7f\\xed\\xa0\\x80\\xf0\\x8f\\xbf\\xbf"),
             "controls and what is no UTF-8 are written as escapes");
    buf_reset(&b);
    format_text(&b, SLICE("a\xe2\x80\xaegnp.exe\xe2\x81\xa6\xd8\x9c\xe2\x80\x8f\xe2\x80\xa8"));
    IS_SLICE(buf_slice(&b), SLICE("a\\u202egnp.exe\\u2066\\u061c\\u200f\\u2028"),
             "and what turns a text around or breaks its line");
    IS_INT(format_width(SLICE("b\xc3\xbc"
                              "cher")),
           6, "a character is one column");
    IS_SLICE(format_head(SLICE("b\xc3\xbc"
                               "cher"),
                         2),
             SLICE("b\xc3\xbc"), "cut between characters");
    IS_INT(format_width(SLICE("\xe6\x97\xa5\xe6\x9c\xac")), 4, "wide characters take two");
    IS_INT(format_width(SLICE("e\xcc\x81\xf0\x9f\x93\xab")), 3, "combining ones none, emoji two");
    IS_INT(format_width(SLICE("\033\xe2\x80\xae")), 10, "an escape takes what it shows");
    IS_SLICE(format_head(SLICE("\xe6\x97\xa5\xe6\x9c\xac"), 3), SLICE("\xe6\x97\xa5"),
             "no half of a wide one");
    buf_reset(&b);
    format_fit(&b,
               SLICE("\xe6\x97\xa5\xe6\x9c\xac"
                     "abc"),
               6, "...");
    format_fit(&b, SLICE("ab"), 3, "...");
    IS_SLICE(buf_slice(&b), SLICE("\xe6\x97\xa5... ab "), "cut, and filled up to the width");
    buf_reset(&b);
    format_left(&b, SLICE("\xc3\xbc"), 3);
    format_right(&b, SLICE("\xc3\xbc"), 3);
    IS_SLICE(buf_slice(&b), SLICE("\xc3\xbc    \xc3\xbc"), "filled up on either side");
    buf_fini(&b);
}

static const struct {
    const char *text, *cell;
} csv_cells[] = {
    {"", ""},
    {"a@example.com", "a@example.com"},
    {"=1+1@example.com", "'=1+1@example.com"},
    {"+plus@example.com", "'+plus@example.com"},
    {"-minus@example.com", "'-minus@example.com"},
    {"@server", "'@server"},
    {"=\"a,b\"", "\"'=\"\"a,b\"\"\""},
    {"\t=1", "\\x09=1"},
    {"\r=1", "\\x0d=1"},
    {"a\"b", "\"a\"\"b\""},
    {"a\r\nb", "a\\x0d\\x0ab"},
    {"\xc2\x9b", "\\u009b"},
    {"\xe2\x80\xaegnp.exe", "\\u202egnp.exe"},
    {"b\xc3\xbc", "b\xc3\xbc"},
};

static void test_csv_text(void)
{
    struct buf b;

    buf_init(&b, 1000);
    for (size_t i = 0; i < sizeof csv_cells / sizeof csv_cells[0]; i++) {
        buf_reset(&b);
        render_csv_text(&b, slice_str(csv_cells[i].text));
        IS_SLICE(buf_slice(&b), slice_str(csv_cells[i].cell), "a cell of text");
    }
    buf_fini(&b);
}

/* As printf says it. */
static bool is_printed(uint64_t n)
{
    static const char *const units[] = {"KB", "MB", "GB", "TB", "PB", "EB"};
    double value = (double)n / 1024;
    size_t unit = 0;
    char want[40];
    struct buf b;
    bool good;

    for (; value >= 999.95; value /= 1024)
        unit++;
    (void)snprintf(want, sizeof want, "%.1f %s", value, units[unit]);
    buf_init(&b, 100);
    format_bytes(&b, n);
    good = slice_equal(buf_slice(&b), slice_str(want));
    if (!good)
        printf("# %llu: %.*s, not %s\n", (unsigned long long)n, SLICE_FMT(buf_slice(&b)), want);
    buf_fini(&b);
    return good;
}

static void test_rounding(void)
{
    struct random_source source = {1};
    bool good = true;

    for (uint64_t n = 1000; n < 300000 && good; n++)
        good = is_printed(n);
    for (int i = 0; i < 200000 && good; i++)
        good = is_printed(1000 + random_next(&source) % (UINT64_C(1) << (10 + i % 43)));
    for (int shift = 11; shift < 53 && good; shift++)
        for (uint64_t k = 1; k < 40 && good; k++) /* in the middle between two tenths */
            good = is_printed((k << shift) + (UINT64_C(1) << (shift - 2)));
    OK(good, "bytes are rounded as printf does");
}

/* A byte that is to be escaped is found wherever it stands between plain ones. */
static void test_places(void)
{
    bool good = true;

    for (unsigned byte = 1; byte < 256; byte++) {
        bool plain = byte >= 0x20 && byte < 0x7f;

        for (size_t at = 0; at < 20; at++) {
            char text[] = "customer-00000.example";

            text[at] = (char)byte;
            good = good && format_width(slice_str(text)) == strlen(text) + (plain ? 0 : 3);
        }
    }
    OK(good, "every byte is seen at every place");
}

int main(void)
{
    test_places();
    test_figures();
    test_rounding();
    test_text();
    test_csv_text();
    return tap_done();
}
