/* Paths, the word of proxies, cookies, and forms of this site. */
#include "t/tap.h"
#include "web/http_request.h"

static struct arena arena;

static void paths(void)
{
    static const struct {
        const char *target;
        bool good;
        size_t segments;
    } table[] = {
        {"/", true, 0},
        {"/r/smtp?x=1", true, 2},
        {"/d/b%C3%BCcher.example", true, 2},
        {"", false, 0},
        {"r/smtp", false, 0},
        {"//r", false, 0},
        {"/r//smtp", false, 0},
        {"/r/smtp/", false, 0},
        {"/../etc", false, 0},
        {"/r/%2e%2e", false, 0},
        {"/r/a%2fb", false, 0},
        {"/r/%00", false, 0},
        {"/r/%", false, 0},
        {"/r/%0d%0a", false, 0},
        {"/./r", false, 0},
        {"/1/2/3/4/5/6/7", false, 0},
        {"http://x/", false, 0},
        {"*", false, 0},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct http_request r = {.segment_count = 0};
        bool good = http_request_target(&r, slice_str(table[i].target), &arena);

        OK(good == table[i].good && (!good || r.segment_count == table[i].segments),
           table[i].target);
    }
}

static void header(struct http_request *r, const char *name, const char *value)
{
    http_request_header(r, "X-Remote-User", slice_str(name), slice_str(value));
}

static void proxies(void)
{
    struct network list[1];
    struct networks trusted = {list, 1};
    struct http_request r = {.peer = SLICE("127.0.0.1")};

    OK(network_parse(SLICE("127.0.0.0/8"), &list[0], NULL) == 0, "a network");
    header(&r, "x-forwarded-for", "198.51.100.9, 192.0.2.1");
    header(&r, "x-forwarded-proto", "https");
    IS_SLICE(http_request_client(&r, &trusted), SLICE("192.0.2.1"),
             "the client is the last that a proxy adds");
    OK(http_request_is_secure(&r, &trusted), "TLS, says the proxy");
    trusted.count = 0;
    IS_SLICE(http_request_client(&r, &trusted), SLICE("127.0.0.1"),
             "of others the word is ignored");
    OK(!http_request_is_secure(&r, &trusted), "also on TLS");
    r.is_tls = true;
    OK(http_request_is_secure(&r, &trusted), "but we see our own");
    r.peer = SLICE_NONE;
    IS_SLICE(http_request_client(&r, &trusted), SLICE("192.0.2.1"),
             "who is on the Unix socket is trusted");
    r.forwarded_proto = SLICE("http");
    OK(!http_request_is_secure(&r, &trusted), "a proxy that got it in plain says so");
    r.is_tls = false;
    header(&r, "X-Forwarded-For", "nonsense");
    IS_SLICE(http_request_client(&r, &trusted), SLICE(""), "what is no address is none");
    OK(!r.is_doubled, "a list of proxies may stand in several lines");
    header(&r, "X-Remote-User", "anna");
    OK(!r.is_doubled, "a user is named once");
    header(&r, "x-remote-user", "admin");
    OK(r.is_doubled, "two are noticed");
}

static void cookies(void)
{
    struct http_request r = {.cookie = SLICE("a=1;tg=abc; __Host-tg=x=y")};

    IS_SLICE(http_request_cookie(&r, "tg"), SLICE("abc"), "a cookie");
    IS_SLICE(http_request_cookie(&r, "__Host-tg"), SLICE("x=y"), "the last one, with a sign in it");
    OK(http_request_cookie(&r, "g").ptr == NULL, "not a part of a name");
}

static void forms(void)
{
    static const struct {
        const char *host, *origin, *site;
        bool own;
    } table[] = {
        {"stats.example:8080", "https://stats.example:8080", "same-origin", true},
        {"stats.example", "http://stats.example", "", true},
        {"stats.example", "https://evil.example", "", false},
        {"stats.example", "https://stats.example.evil.example", "", false},
        {"stats.example", "https://stats.example", "cross-site", false},
        {"stats.example", "https://stats.example", "same-site", false},
        {"stats.example", "https://stats.example", "none", false},
        {"stats.example", "null", "", false},
        {"stats.example", "", "same-origin", false},
        {"", "https://", "", false},
    };

    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct http_request r = {.host = slice_str(table[i].host),
                                 .origin = slice_str(table[i].origin),
                                 .fetch_site = slice_str(table[i].site)};

        OK(http_request_is_own(&r) == table[i].own, table[i].origin);
    }
}

int main(void)
{
    arena_init(&arena, 1 << 20);
    paths();
    proxies();
    cookies();
    forms();
    arena_fini(&arena);
    return tap_done();
}
