#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "t/bench/load.h"

static const char usage[] =
    "usage: load -s SOCKET [options]\n"
    "  -s SOCKET    unix:PATH or inet:PORT@HOST of the milter\n"
    "  -P           it is a policy service of Postfix: one request a message\n"
    "  -c NUMBER    connections (1)\n"
    "  -m NUMBER    messages (1000; with -t: no end)\n"
    "  -t SECONDS   no message begins later\n"
    "  -r RATE      messages a second, whether the last is answered or not (as fast as it goes)\n"
    "  -p NUMBER    messages a session (10)\n"
    "  -n NUMBER    recipients a message (1)\n"
    "  -H NUMBER    header fields (9)\n"
    "  -b BYTES     of the body (2000)\n"
    "  -d NUMBER    domains d1.test, d2.test ... in turn (0: example.com)\n"
    "  -u NUMBER    users a domain, in turn (1)\n"
    "  -f NUMBER    the first message's number (0), which tells its domain and user\n"
    "  -S           mail of a user with a login to elsewhere (mail from outside to a user)\n"
    "  -B           from the null sender\n"
    "One line of JSON on standard output; exit code 75 if a message was refused.\n";

static void fail(const char *what)
{
    (void)fprintf(stderr, "load: %s\n%s", what, usage);
    exit(EX_USAGE);
}

static double number_read(const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);

    if (end == text || *end != '\0' || !(value >= least) || !(value <= most))
        fail("a number is wrong or out of range");
    return value;
}

static void option_take(struct load_options *o, int letter, const char *text)
{
    switch (letter) {
    case 's':
        o->socket = text;
        break;
    case 'P':
        o->policy = true;
        break;
    case 'c':
        o->connections = (unsigned)number_read(text, 1, 100000);
        break;
    case 'm':
        o->messages = (uint64_t)number_read(text, 1, 1e9);
        break;
    case 't':
        o->seconds = number_read(text, 0.01, 86400);
        break;
    case 'r':
        o->rate = number_read(text, 0.01, 1e6);
        break;
    case 'p':
        o->per_session = (unsigned)number_read(text, 1, 1e9);
        break;
    case 'n':
        o->recipients = (unsigned)number_read(text, 1, 1e6);
        break;
    case 'H':
        o->headers = (unsigned)number_read(text, 0, 1e6);
        break;
    case 'b':
        o->body_bytes = (uint64_t)number_read(text, 0, 1e12);
        break;
    case 'd':
        o->domains = (unsigned)number_read(text, 0, 1e9);
        break;
    case 'u':
        o->users = (unsigned)number_read(text, 1, 1e9);
        break;
    case 'f':
        o->first = (uint64_t)number_read(text, 0, 1e15);
        break;
    case 'S':
        o->sent = true;
        break;
    case 'B':
        o->bounces = true;
        break;
    default:
        fail("an option is unknown");
    }
}

void load_options_read(struct load_options *o, int argc, char **argv)
{
    int letter;

    *o = (struct load_options){.connections = 1,
                               .per_session = 10,
                               .recipients = 1,
                               .headers = 9,
                               .users = 1,
                               .body_bytes = 2000};
    while ((letter = getopt(argc, argv, "s:Pc:m:t:r:p:n:H:b:d:u:f:SB")) != -1)
        option_take(o, letter, optarg);
    if (o->socket == NULL || optind != argc)
        fail("-s and no other arguments");
    if (o->messages == 0)
        o->messages = o->seconds > 0 ? UINT64_MAX : 1000;
}

void load_names_make(const struct load_options *o, uint64_t number, struct load_names *n)
{
    uint64_t at = o->first + number;
    char domain[32] = "example.com";

    n->domain = o->domains > 0 ? at % o->domains + 1 : 0;
    n->user = (o->domains > 0 ? at / o->domains : at) % o->users + 1;
    if (o->domains > 0)
        (void)snprintf(domain, sizeof domain, "d%llu.test", (unsigned long long)n->domain);
    n->login[0] = '\0';
    if (o->sent)
        (void)snprintf(n->login, sizeof n->login, "u%llu@%s", (unsigned long long)n->user, domain);
    if (o->bounces)
        n->sender[0] = '\0';
    else
        (void)snprintf(n->sender, sizeof n->sender, "%s",
                       o->sent ? n->login : "someone@elsewhere.test");
    (void)snprintf(n->queue_id, sizeof n->queue_id, "4b%010llX", (unsigned long long)at);
}

void load_names_recipient(const struct load_options *o, const struct load_names *n, unsigned which,
                          char text[LOAD_NAME_BYTES])
{
    if (o->sent)
        (void)snprintf(text, LOAD_NAME_BYTES, "r%u@elsewhere.test", which + 1);
    else if (o->domains > 0)
        (void)snprintf(text, LOAD_NAME_BYTES, "u%llu@d%llu.test",
                       (unsigned long long)n->user + which, (unsigned long long)n->domain);
    else
        (void)snprintf(text, LOAD_NAME_BYTES, "u%llu@example.com",
                       (unsigned long long)n->user + which);
}
