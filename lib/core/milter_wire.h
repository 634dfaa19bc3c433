#ifndef TG_CORE_MILTER_WIRE_H
#define TG_CORE_MILTER_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/slice.h"

/*
 * The milter protocol on the wire, version 6 (libmilter/mfdef.h): packets of a big-endian length, a
 * command byte and data. Pure: writes packets to a buffer, and reads them from one.
 */

#define MILTER_VERSION     6u
#define MILTER_CHUNK_BYTES 65535u /* of a body packet */
#define MILTER_DATA_BYTES  65535u /* of any other packet, unless more was negotiated */

/* Commands of the MTA. */
enum milter_command {
    MILTER_ABORT = 'A',
    MILTER_BODY = 'B',
    MILTER_CONNECT = 'C',
    MILTER_MACRO = 'D',
    MILTER_EOM = 'E',
    MILTER_HELO = 'H',
    MILTER_QUIT_NC = 'K', /* the session ends, another follows on this connection */
    MILTER_HEADER = 'L',
    MILTER_MAIL = 'M',
    MILTER_EOH = 'N',
    MILTER_OPTNEG = 'O',
    MILTER_QUIT = 'Q',
    MILTER_RCPT = 'R',
    MILTER_DATA = 'T',
    MILTER_UNKNOWN = 'U'
};

/* Answers of the milter: changes and progress first, then the replies that are final. */
enum milter_reply {
    MILTER_ADD_RCPT = '+',
    MILTER_ADD_RCPT_PAR = '2',
    MILTER_DELETE_RCPT = '-',
    MILTER_REPLACE_BODY = 'b',
    MILTER_CHANGE_FROM = 'e',
    MILTER_ADD_HEADER = 'h',
    MILTER_INSERT_HEADER = 'i',
    MILTER_CHANGE_HEADER = 'm',
    MILTER_PROGRESS = 'p',
    MILTER_QUARANTINE = 'q',

    MILTER_ACCEPT = 'a',
    MILTER_CONTINUE = 'c',
    MILTER_DISCARD = 'd',
    MILTER_CONN_FAIL = 'f',
    MILTER_REJECT = 'r',
    MILTER_SHUTDOWN = '4', /* 421, and the connection ends */
    MILTER_SKIP = 's',
    MILTER_TEMPFAIL = 't',
    MILTER_REPLY_CODE = 'y'
};

/* Actions that a milter may ask for (SMFIF_*). */
#define MILTER_CAN_ADD_HEADER    0x001u
#define MILTER_CAN_CHANGE_BODY   0x002u
#define MILTER_CAN_ADD_RCPT      0x004u
#define MILTER_CAN_DELETE_RCPT   0x008u
#define MILTER_CAN_CHANGE_HEADER 0x010u /* and insert */
#define MILTER_CAN_QUARANTINE    0x020u
#define MILTER_CAN_CHANGE_FROM   0x040u
#define MILTER_CAN_ADD_RCPT_PAR  0x080u
#define MILTER_CAN_SET_SYMLIST   0x100u
#define MILTER_CAN_ALL           0x1ffu

/* Steps that the MTA can leave out (NO_*) or expects no reply to (NR_*) (SMFIP_*). */
#define MILTER_NO_CONNECT    0x000001u
#define MILTER_NO_HELO       0x000002u
#define MILTER_NO_MAIL       0x000004u
#define MILTER_NO_RCPT       0x000008u
#define MILTER_NO_BODY       0x000010u
#define MILTER_NO_HEADER     0x000020u
#define MILTER_NO_EOH        0x000040u
#define MILTER_NR_HEADER     0x000080u
#define MILTER_NO_UNKNOWN    0x000100u
#define MILTER_NO_DATA       0x000200u
#define MILTER_CAN_SKIP      0x000400u
#define MILTER_REJECTED_RCPT 0x000800u
#define MILTER_NR_CONNECT    0x001000u
#define MILTER_NR_HELO       0x002000u
#define MILTER_NR_MAIL       0x004000u
#define MILTER_NR_RCPT       0x008000u
#define MILTER_NR_DATA       0x010000u
#define MILTER_NR_UNKNOWN    0x020000u
#define MILTER_NR_EOH        0x040000u
#define MILTER_NR_BODY       0x080000u
#define MILTER_LEAD_SPACE    0x100000u /* a header's value keeps the blank behind the colon */
#define MILTER_STEPS_ALL     0x1fffffu

/* The stages that a milter can ask macros for (SMFIM_*: these numbers are on the wire). */
enum milter_stage {
    MILTER_STAGE_CONNECT,
    MILTER_STAGE_HELO,
    MILTER_STAGE_MAIL,
    MILTER_STAGE_RCPT,
    MILTER_STAGE_DATA,
    MILTER_STAGE_EOM,
    MILTER_STAGE_EOH,
    MILTER_STAGES
};

enum milter_wire_take { WIRE_MORE, WIRE_PACKET, WIRE_BAD };

struct milter_wire_packet {
    char command;
    struct slice data;
};

/* Removes one packet from the front of *in, with at most max_bytes of data. WIRE_BAD: it is longer,
 * or its length is 0. */
enum milter_wire_take milter_wire_take(struct slice *in, size_t max_bytes,
                                       struct milter_wire_packet *out) TG_NONNULL(1);
/* A packet of the parts given, one after the other. */
void milter_wire_add(struct buf *b, char command, size_t parts, const struct slice *part)
    TG_NONNULL(1);
/* Removes one NUL-terminated string from the front of *data; false if there is none. */
bool milter_wire_take_string(struct slice *data, struct slice *text) TG_NONNULL(1);

/* A packet whose size is known only at its end: begin returns its place, end fills in the length.
 */
size_t milter_wire_begin(struct buf *b, char command) TG_NONNULL(1);
void milter_wire_end(struct buf *b, size_t begun) TG_NONNULL(1);
/* Adds a text and a NUL. The text is cut at a NUL: the protocol has C strings. */
void milter_wire_add_string(struct buf *b, struct slice text) TG_NONNULL(1);

#endif
