#include "lib/core/render_card.h"

#include "lib/core/format.h"
#include "lib/core/html.h"
#include "lib/core/report.h"

#define WIDTH      360
#define HEIGHT     156
#define MARGIN     16
#define INNER      (WIDTH - 2 * MARGIN)
#define NAME_MOST  26 /* columns */
#define LIMIT_MOST 52
#define CHART_TOP  90
#define CHART_TALL 28
#define METER_TOP  126
#define DAYS_MOST  31
#define TEXT_BYTES 4096
#define PAPER      "#ffffff"
#define INK        "#17212b"
#define SOFT       "#51606f"
#define LINE       "#d5dbe1"
#define BARS       "#0072b2"
#define GOOD       "#1c7a4d"
#define WARN       "#9a5b00"
#define BAD        "#b3261e"

/* --- elements -------------------------------------------------------------------------------- */

static void rect(struct html *h, const char *fill, int64_t x, int64_t y, int64_t width,
                 int64_t height)
{
    html_open(h, "rect");
    html_attr(h, "fill", slice_str(fill));
    html_attr_tenths(h, "x", x * 10);
    html_attr_tenths(h, "y", y * 10);
    html_attr_tenths(h, "width", width * 10);
    html_attr_tenths(h, "height", height * 10);
    html_close(h, "rect");
}

static void open_text(struct html *h, int64_t x, int64_t y, int64_t size, const char *fill,
                      const char *anchor)
{
    html_open(h, "text");
    html_attr_number(h, "x", x);
    html_attr_number(h, "y", y);
    html_attr_number(h, "font-size", size);
    html_attr(h, "fill", slice_str(fill));
    html_attr(h, "text-anchor", slice_str(anchor));
}

static void text(struct html *h, int64_t x, int64_t y, int64_t size, const char *fill,
                 struct slice words)
{
    open_text(h, x, y, size, fill, "start");
    html_text(h, words);
    html_close(h, "text");
}

/* Cut where it is longer than that. */
static void text_most(struct html *h, int64_t y, int64_t size, const char *fill, struct slice words,
                      size_t most)
{
    struct buf cut;

    buf_init(&cut, TEXT_BYTES);
    if (format_width(words) > most) {
        buf_add(&cut, format_head(words, most - 1));
        buf_add_str(&cut, "…");
    } else {
        buf_add(&cut, words);
    }
    text(h, MARGIN, y, size, fill, buf_slice(&cut));
    buf_fini(&cut);
}

static void add_bytes(struct buf *b, uint64_t n)
{
    struct buf two;
    struct slice rest, part;

    buf_init(&two, 64);
    format_bytes(&two, n); /* "512  B" */
    for (rest = buf_slice(&two); slice_word(&rest, " ", &part);)
        buf_addf(b, "%s%.*s", part.ptr != two.data ? " " : "", SLICE_FMT(part));
    buf_fini(&two);
}

/* --- parts ----------------------------------------------------------------------------------- */

static void add_description(struct html *h, const struct render_card *c)
{
    struct buf b;

    buf_init(&b, TEXT_BYTES);
    html_open(h, "title");
    html_text(h, c->domain);
    html_text(h, SLICE(", "));
    html_text(h, c->month);
    html_close(h, "title");
    buf_add_str(&b, "In ");
    add_bytes(&b, c->in_bytes);
    buf_add_str(&b, ", out ");
    add_bytes(&b, c->out_bytes);
    buf_add_str(&b, ", forwarded ");
    add_bytes(&b, c->forward_bytes);
    buf_add_str(&b, c->complete ? "." : " so far.");
    if (c->limit.len > 0)
        buf_addf(&b, " Fullest limit: %.*s.", SLICE_FMT(c->limit));
    html_element(h, "desc", buf_slice(&b));
    buf_fini(&b);
}

static void add_head(struct html *h, const struct render_card *c)
{
    text_most(h, 28, 15, INK, c->domain, NAME_MOST);
    open_text(h, WIDTH - MARGIN, 28, 12, SOFT, "end");
    html_text(h, c->month);
    if (!c->complete)
        html_text(h, SLICE(" so far"));
    html_close(h, "text");
}

static void add_figure(struct html *h, int64_t x, const char *name, uint64_t bytes)
{
    struct buf b;

    buf_init(&b, 64);
    add_bytes(&b, bytes);
    text(h, x, 52, 11, SOFT, slice_str(name));
    text(h, x, 74, 18, INK, buf_slice(&b));
    buf_fini(&b);
}

/* A bar a day, as many as a month may have. What is unknown leaves its place empty. */
static void add_days(struct html *h, const struct render_card *c)
{
    int64_t step = INNER / DAYS_MOST;
    uint64_t most = 1;

    for (size_t i = 0; i < c->day_count; i++) {
        if (c->days[i] != REPORT_UNKNOWN && c->days[i] > most)
            most = c->days[i];
    }
    rect(h, LINE, MARGIN, CHART_TOP + CHART_TALL, INNER, 1);
    for (size_t i = 0; i < c->day_count && i < DAYS_MOST; i++) {
        double part = c->days[i] == REPORT_UNKNOWN ? 0 : (double)c->days[i] / (double)most;
        int64_t tall = (int64_t)(part * CHART_TALL + 0.999);

        if (tall > 0)
            rect(h, BARS, MARGIN + (int64_t)i * step, CHART_TOP + CHART_TALL - tall, step - 2,
                 tall);
    }
}

static void add_limit(struct html *h, const struct render_card *c)
{
    uint64_t percent = c->percent < 100 ? c->percent : 100;

    if (c->limit.len == 0) {
        text(h, MARGIN, METER_TOP + 16, 11, SOFT,
             c->limits_unknown ? SLICE("limits unknown") : SLICE("no limit"));
        return;
    }
    rect(h, LINE, MARGIN, METER_TOP, INNER, 4);
    rect(h,
         percent >= 100  ? BAD
         : percent >= 80 ? WARN
                         : GOOD,
         MARGIN, METER_TOP, (int64_t)percent * INNER / 100, 4);
    text_most(h, METER_TOP + 18, 11, SOFT, c->limit, LIMIT_MOST);
}

void render_card(const struct render_card *c, struct buf *out)
{
    struct html h;

    html_init(&h, out);
    html_open(&h, "svg");
    html_attr(&h, "xmlns", SLICE("http://www.w3.org/2000/svg"));
    html_attr_number(&h, "width", WIDTH);
    html_attr_number(&h, "height", HEIGHT);
    html_attr(&h, "viewBox", SLICE("0 0 360 156"));
    html_attr(&h, "role", SLICE("img"));
    html_attr(&h, "font-family", SLICE("system-ui, sans-serif"));
    add_description(&h, c);
    rect(&h, LINE, 0, 0, WIDTH, HEIGHT);
    rect(&h, PAPER, 1, 1, WIDTH - 2, HEIGHT - 2);
    add_head(&h, c);
    add_figure(&h, MARGIN, "In", c->in_bytes);
    add_figure(&h, MARGIN + INNER / 3, "Out", c->out_bytes);
    add_figure(&h, MARGIN + INNER * 2 / 3, "Forward", c->forward_bytes);
    add_days(&h, c);
    add_limit(&h, c);
    html_close(&h, "svg");
    html_newline(&h);
}
