/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/**
 * label: what is stuck on a device: a QR code that makes its reader the owner, the serial number as a bar code, and
 * both in letters. 80 by 40 mm at 8 dots a millimetre, as PNG, SVG or the language of Zebra's printers. The owner code
 * on it is a secret: whoever writes a label to a disk writes it for the owner of the file alone. Pure.
 */
#include <stdint.h>

#include "base/err.h"
#include "base/strbuf.h"
#include "provisioning/ownercode.h"

enum label_format { LABEL_PNG, LABEL_SVG, LABEL_ZPL };
#define LABEL_FORMATS (LABEL_ZPL + 1)
extern const char *const label_formats[]; /* "png", "svg", "zpl", NULL: names and file endings */

#define LABEL_MAX    262144 /* bytes of a label in any format */
#define LABEL_WIDTH  640    /* dots */
#define LABEL_HEIGHT 320
#define LABEL_DPMM   8 /* dots a millimetre: a printer of 203 dpi */

struct label {
    const char *serial; /* as ledger_serial_valid has it */
    const char *model;  /* may be "" */
    const char *tail;   /* end of the key's digest (provisioning/factoryline.h); may be "" */
    const struct ownercode *code;
};

/** The text in the QR code, "muster:1:<serial>:<owner code>": a secret. */
enum err label_text(const struct label *label, struct strbuf *out) MUST_CHECK;

/** Appends the label. Secret: the caller zeroises what it does not hand on. @return ERR_INVALID (a serial that no bar
 * code holds), ERR_UNSUPPORTED (PNG without libgd), ERR_LIMIT, ERR_NOMEM. */
enum err label_write(const struct label *label, enum label_format format, struct strbuf *out) MUST_CHECK;
