/* html: what is written is what was meant, whatever the texts hold. */
#include "t/tap.h"

#include <stdlib.h>

#include "lib/core/html.h"
#include "lib/core/utf8.h"
#include "t/random.h"

static void begin(struct html *h, struct buf *b)
{
    buf_init(b, 100000);
    html_init(h, b);
}

static void is_written(struct buf *b, const char *want)
{
    OK(!b->failed, "nothing failed");
    IS_SLICE(buf_slice(b), slice_str(want), want);
    buf_fini(b);
}

static void test_elements(void)
{
    struct html h;
    struct buf b;

    begin(&h, &b);
    html_doctype(&h);
    html_open(&h, "p");
    html_attr(&h, "class", SLICE("a b"));
    html_text(&h, SLICE("one"));
    html_open(&h, "br");
    html_close(&h, "br");
    html_textf(&h, "%d < %s", 2, "&");
    html_newline(&h);
    html_element(&h, "b", SLICE("three"));
    html_element_class(&h, "i", "c", SLICE_NONE);
    html_close(&h, "p");
    is_written(&b, "<!DOCTYPE html>\n<p class=\"a b\">one<br/>2 &lt; &amp;\n"
                   "<b>three</b><i class=\"c\"></i></p>");
}

static void test_attributes(void)
{
    struct html h;
    struct buf b;

    begin(&h, &b);
    html_open(&h, "input");
    html_attr(&h, "value", SLICE("\"><script>'"));
    html_attr_number(&h, "min", -5);
    html_attr_tenths(&h, "x", 125);
    html_attr_tenths(&h, "y", -7);
    html_attr_tenths(&h, "z", 30);
    html_attr_flag(&h, "checked", true);
    html_attr_flag(&h, "disabled", false);
    html_close(&h, "input");
    is_written(&b,
               "<input value=\"&quot;&gt;&lt;script&gt;&#39;\" min=\"-5\" x=\"12.5\" y=\"-0.7\" "
               "z=\"3\" checked=\"\"/>");
}

/* A text, and what a reader sees of it. */
static void test_texts(void)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"a & b < c > d \" e ' f", "a &amp; b &lt; c &gt; d &quot; e &#39; f"},
        {"&amp;", "&amp;amp;"},
        {"b\xc3\xbc"
         "cher",
         "b\xc3\xbc"
         "cher"},
        {"\x1b[31m\n\r\t", "\\x1b[31m\\x0a\\x0d\\x09"},
        {"\xff<\xc3&", "\\xff&lt;\\xc3&amp;"},
        {"a\xe2\x80\xaetxt", "a\\u202etxt"},
        {"\xef\xbf\xbe\xef\xbf\xbf\xef\xbf\xbd", "\\ufffe\\uffff\xef\xbf\xbd"},
        {"", ""},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct html h;
        struct buf b;

        begin(&h, &b);
        html_text(&h, slice_str(cases[i].text));
        is_written(&b, cases[i].want);
    }
}

static void test_links(void)
{
    static const struct {
        const char *url, *want;
    } cases[] = {
        {"/r/smtp?mode=trend&domain=a", "<a href=\"/r/smtp?mode=trend&amp;domain=a\"></a>"},
        {"/", "<a href=\"/\"></a>"},
        {"?step=day", "<a href=\"?step=day\"></a>"},
        {"#total", "<a href=\"#total\"></a>"},
        {"javascript:alert(1)", "<a href=\"#\"></a>"},
        {"//evil.example/", "<a href=\"#\"></a>"},
        {"/\\evil.example/", "<a href=\"#\"></a>"},
        {"https://evil.example/", "<a href=\"#\"></a>"},
        {" /r", "<a href=\"#\"></a>"},
        {"", "<a href=\"#\"></a>"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct html h;
        struct buf b;

        begin(&h, &b);
        html_open(&h, "a");
        html_attr_url(&h, "href", slice_str(cases[i].url));
        html_close(&h, "a");
        is_written(&b, cases[i].want);
    }
}

static void test_urls(void)
{
    struct buf url;

    buf_init(&url, 1000);
    buf_add_str(&url, "/d");
    html_url_segment(&url, SLICE("a/b c.example"));
    html_url_query(&url, "user", SLICE("a+b@x.example&admin=1"));
    html_url_query(&url, "step", SLICE("day~-_."));
    is_written(&url, "/d/a%2Fb%20c.example?user=a%2Bb%40x.example%26admin%3D1&step=day~-_.");
    html_url_segment(&url, SLICE(".."));
    html_url_segment(&url, SLICE("..."));
    html_url_segment(&url, SLICE("\xff"));
    is_written(&url, "/-/.../%FF");
}

static void test_failures(void)
{
    char huge[2000];
    struct html h;
    struct buf b;

    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    begin(&h, &b);
    html_textf(&h, "%s", huge);
    OK(b.failed, "a text that printf would cut fails");
    buf_fini(&b);

    begin(&h, &b);
    html_style_sheet(&h, SLICE("a > b { color: red }"));
    is_written(&b, "<style>a > b { color: red }</style>");
}

/* Any bytes: what is written is UTF-8 without controls, and holds none of the five characters but
 * in references. */
static bool is_harmless(struct slice s)
{
    static const char *const references[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;"};

    if (!utf8_valid(s))
        return false;
    while (s.len > 0) {
        size_t length = utf8_length(s);
        bool known = *s.ptr != '&';

        if (utf8_is_control(utf8_code(s, length)) || memchr("<>\"'", *s.ptr, 4) != NULL)
            return false;
        for (size_t i = 0; i < 5; i++)
            known = known || slice_starts(s, slice_str(references[i]));
        if (!known)
            return false;
        s = slice_from(s, length);
    }
    return true;
}

static void test_any_bytes(void)
{
    static const char pieces[] = "<>&\"'\x1b\xe2\x80\xae\xef\xbf\xbe\xc3\xbc\xff"
                                 "a;";
    struct random_source r = {7};
    size_t bad = 0;

    for (int n = 0; n < 20000; n++) {
        char text[24];
        size_t len = random_below(&r, sizeof text);
        struct html h;
        struct buf b;

        for (size_t i = 0; i < len; i++)
            text[i] = random_below(&r, 4) > 0 ? pieces[random_below(&r, sizeof pieces)]
                                              : (char)random_below(&r, 256);
        begin(&h, &b);
        html_text(&h, (struct slice){text, len});
        bad += b.failed || !is_harmless(buf_slice(&b));
        buf_fini(&b);
    }
    IS_INT(bad, 0, "20,000 texts of any bytes are harmless");
}

int main(void)
{
    test_elements();
    test_attributes();
    test_texts();
    test_links();
    test_urls();
    test_failures();
    test_any_bytes();
    return tap_done();
}
