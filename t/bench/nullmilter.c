/*
 * nullmilter SOCKET [STEPS]
 *
 * A milter on libmilter that counts header and body bytes and does nothing else: what libmilter
 * alone costs. It negotiates what tollgated does on its own engine, no replies to MAIL, RCPT and
 * header fields among it, or STEPS (a number, as SMFIP_*): 0x340 is what libmilter negotiates for a
 * filter with these callbacks that does not negotiate.
 */
#include <libmilter/mfapi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static unsigned long wanted_steps = SMFIP_NODATA | SMFIP_NOEOH | SMFIP_NOUNKNOWN | SMFIP_NR_MAIL |
                                    SMFIP_NR_RCPT | SMFIP_NR_HDR | SMFIP_HDR_LEADSPC;

static sfsistat quiet_if(unsigned long step)
{
    return (wanted_steps & step) != 0 ? SMFIS_NOREPLY : SMFIS_CONTINUE;
}

static sfsistat on_negotiate(SMFICTX *ctx, unsigned long actions, unsigned long steps,
                             unsigned long f2, unsigned long f3, unsigned long *our_actions,
                             unsigned long *our_steps, unsigned long *our_f2, unsigned long *our_f3)
{
    (void)ctx, (void)actions, (void)f2, (void)f3;
    *our_actions = 0;
    *our_steps = steps & wanted_steps;
    *our_f2 = *our_f3 = 0;
    return SMFIS_CONTINUE;
}

static sfsistat on_connect(SMFICTX *ctx, char *host, _SOCK_ADDR *address)
{
    size_t *count = calloc(1, sizeof *count);

    (void)host, (void)address;
    (void)smfi_setpriv(ctx, count);
    return count != NULL ? SMFIS_CONTINUE : SMFIS_TEMPFAIL;
}

static sfsistat on_helo(SMFICTX *ctx, char *name)
{
    (void)ctx, (void)name;
    return SMFIS_CONTINUE;
}

static sfsistat on_mail(SMFICTX *ctx, char **args)
{
    (void)ctx, (void)args;
    return quiet_if(SMFIP_NR_MAIL);
}

static sfsistat on_rcpt(SMFICTX *ctx, char **args)
{
    (void)ctx, (void)args;
    return quiet_if(SMFIP_NR_RCPT);
}

static sfsistat on_header(SMFICTX *ctx, char *name, char *value)
{
    size_t *count = smfi_getpriv(ctx);

    *count += strlen(name) + 1 + strlen(value) + 2;
    return quiet_if(SMFIP_NR_HDR);
}

static sfsistat on_body(SMFICTX *ctx, unsigned char *octets, size_t len)
{
    size_t *count = smfi_getpriv(ctx);

    (void)octets;
    *count += len;
    return quiet_if(SMFIP_NR_BODY);
}

static sfsistat on_plain(SMFICTX *ctx)
{
    (void)ctx;
    return SMFIS_CONTINUE;
}

static sfsistat on_close(SMFICTX *ctx)
{
    free(smfi_getpriv(ctx));
    (void)smfi_setpriv(ctx, NULL);
    return SMFIS_CONTINUE;
}

int main(int argc, char **argv)
{
    static char name[] = "nullmilter";
    struct smfiDesc filter = {.xxfi_name = name,
                              .xxfi_version = SMFI_VERSION,
                              .xxfi_connect = on_connect,
                              .xxfi_helo = on_helo,
                              .xxfi_envfrom = on_mail,
                              .xxfi_envrcpt = on_rcpt,
                              .xxfi_header = on_header,
                              .xxfi_body = on_body,
                              .xxfi_eom = on_plain,
                              .xxfi_abort = on_plain,
                              .xxfi_close = on_close,
                              .xxfi_negotiate = on_negotiate};

    if (argc < 2) {
        (void)fprintf(stderr, "usage: nullmilter SOCKET [STEPS]\n");
        return EX_USAGE;
    }
    if (argc > 2)
        wanted_steps = strtoul(argv[2], NULL, 0);
    if (smfi_setconn(argv[1]) != MI_SUCCESS || smfi_register(filter) != MI_SUCCESS ||
        smfi_opensocket(true) != MI_SUCCESS)
        return EX_OSERR;
    return smfi_main() == MI_SUCCESS ? EX_OK : EX_OSERR;
}
