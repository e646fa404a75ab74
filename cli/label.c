/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/label.h"

#include <errno.h>
#include <qrencode.h>
#include <stdio.h>
#include <string.h>

#include "base/crypto.h"
#include "cli/code128.h"
#include "cli/label_draw.h"

#define MARGIN       16
#define QR_BOX       208 /* dots, the quiet zone included */
#define QR_QUIET     4   /* modules */
#define COLUMN       240 /* where the letters begin */
#define BAR_TOP      240
#define BAR_HEIGHT   64
#define TEXT_MAX     160 /* in the QR code */
#define COLUMN_WIDTH (LABEL_WIDTH - COLUMN - MARGIN)

const char *const label_formats[] = {"png", "svg", "zpl", NULL};

enum err label_text(const struct label *label, struct strbuf *out)
{
    char code[OWNERCODE_SIZE];
    ownercode_write(label->code, code);
    enum err err = strbuf_addf(out, "muster:1:%s:%s", label->serial, code);
    crypto_zeroise(code, sizeof(code));
    return err;
}

/* ---- drawing ---- */

static enum err make_qr(const struct label *label, QRcode **ret_qr)
{
    struct strbuf text;
    strbuf_init(&text, TEXT_MAX);
    enum err err = label_text(label, &text);
    if (err == ERR_OK) {
        *ret_qr = QRcode_encodeString8bit(strbuf_str(&text), 0, QR_ECLEVEL_M);
        err = *ret_qr != NULL ? ERR_OK : errno == ENOMEM ? ERR_NOMEM : ERR_INVALID;
    }
    if (text.ptr != NULL) {
        crypto_zeroise(text.ptr, text.size);
    }
    strbuf_deinit(&text);
    return err;
}

static enum err draw_qr(const struct label *label, const struct label_canvas *canvas)
{
    QRcode *qr = NULL;
    enum err err = make_qr(label, &qr);
    if (err != ERR_OK) {
        return err;
    }
    int scale = QR_BOX / (qr->width + 2 * QR_QUIET);
    for (int y = 0; y < qr->width; y++) {
        for (int x = 0; x < qr->width; x++) {
            if ((qr->data[y * qr->width + x] & 1) != 0) {
                canvas->black(canvas->context, MARGIN + (x + QR_QUIET) * scale, MARGIN + (y + QR_QUIET) * scale, scale,
                              scale);
            }
        }
    }
    QRcode_free(qr);
    return ERR_OK;
}

/** Dots a module, for the widest bars that fit. */
static int bar_scale(const struct code128 *code)
{
    return LABEL_WIDTH / (int)(code->modules + 2 * CODE128_QUIET);
}

static void draw_bars(const struct code128 *code, const struct label_canvas *canvas)
{
    int scale = bar_scale(code);
    int x = (LABEL_WIDTH - (int)code->modules * scale) / 2;
    for (unsigned i = 0; i < code->len; i++) {
        int width = code->widths[i] * scale;
        if (i % 2 == 0) {
            canvas->black(canvas->context, x, BAR_TOP, width, BAR_HEIGHT);
        }
        x += width;
    }
}

/** As large as it fits beside the QR code. */
static int size_of(const char *text)
{
    return (int)strlen(text) * LABEL_CELL_WIDTH * 2 <= COLUMN_WIDTH ? 2 : 1;
}

/** The lines of letters. @param code the owner code's text; borrowed as long as the lines. @param tail "key ...". */
#define LINES 5
static void lines_of(const struct label *label, const char *code, const char *tail,
                     struct label_text_item ret_lines[static LINES])
{
    const struct label_text_item lines[LINES] = {
        {COLUMN, 24, 1, label->model},  {COLUMN, 56, size_of(label->serial), label->serial},
        {COLUMN, 112, 1, "Owner code"}, {COLUMN, 136, size_of(code), code},
        {COLUMN, 192, 1, tail},
    };
    memcpy(ret_lines, lines, sizeof(lines));
}

static void tail_of(const struct label *label, char ret_text[static 32])
{
    (void)snprintf(ret_text, 32, label->tail[0] != '\0' ? "key %s" : "%s", label->tail); /* tails have 9 digits */
}

enum err label_draw(const struct label *label, const struct label_canvas *canvas)
{
    struct code128 bars;
    struct label_text_item lines[LINES];
    char code[OWNERCODE_SIZE];
    char tail[32];
    enum err err = code128_encode(view_of(label->serial), &bars);
    if (err == ERR_OK) {
        err = draw_qr(label, canvas);
    }
    if (err != ERR_OK) {
        return err;
    }
    ownercode_write(label->code, code);
    tail_of(label, tail);
    lines_of(label, code, tail, lines);
    for (size_t i = 0; i < LINES; i++) {
        canvas->text(canvas->context, &lines[i]);
    }
    draw_bars(&bars, canvas);
    crypto_zeroise(code, sizeof(code));
    return ERR_OK;
}

/* ---- SVG ---- */

static void svg_black(void *context, int x, int y, int width, int height)
{
    (void)strbuf_addf(context, "<rect x=\"%d\" y=\"%d\" width=\"%d\" height=\"%d\"/>\n", x, y, width,
                      height); /* sticky: asked for at the end, as below */
}

static void add_escaped(struct strbuf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '<' || *text == '>' || *text == '&') {
            (void)strbuf_addf(out, "&#%d;", *text);
        } else {
            (void)strbuf_addc(out, *text);
        }
    }
}

static void svg_text(void *context, const struct label_text_item *item)
{
    struct strbuf *out = context;
    if (item->text[0] == '\0') {
        return;
    }
    (void)strbuf_addf(out,
                      "<text x=\"%d\" y=\"%d\" font-family=\"monospace\" font-size=\"%d\" textLength=\"%d\" "
                      "lengthAdjust=\"spacingAndGlyphs\">",
                      item->x, item->y + LABEL_CELL_HEIGHT * item->size * 4 / 5, LABEL_CELL_HEIGHT * item->size,
                      (int)strlen(item->text) * LABEL_CELL_WIDTH * item->size);
    add_escaped(out, item->text);
    (void)strbuf_adds(out, "</text>\n");
}

static enum err write_svg(const struct label *label, struct strbuf *out)
{
    const struct label_canvas canvas = {out, svg_black, svg_text};
    (void)strbuf_addf(
        out,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%dmm\" height=\"%dmm\" viewBox=\"0 0 %d %d\">\n"
        "<rect width=\"%d\" height=\"%d\" fill=\"white\"/>\n<g>\n",
        LABEL_WIDTH / LABEL_DPMM, LABEL_HEIGHT / LABEL_DPMM, LABEL_WIDTH, LABEL_HEIGHT, LABEL_WIDTH, LABEL_HEIGHT);
    enum err err = label_draw(label, &canvas);
    (void)strbuf_adds(out, "</g>\n</svg>\n");
    return err != ERR_OK ? err : strbuf_error(out);
}

/* ---- ZPL ---- */

/** "^" and "~" begin commands. */
static void add_zpl_text(struct strbuf *out, const struct label_text_item *item)
{
    (void)strbuf_addf(out, "^FO%d,%d^A0N,%d,%d^FD", item->x, item->y, LABEL_CELL_HEIGHT * item->size * 6 / 5,
                      LABEL_CELL_WIDTH * item->size);
    for (const char *p = item->text; *p != '\0'; p++) {
        (void)strbuf_addc(out, *p == '^' || *p == '~' ? ' ' : *p);
    }
    (void)strbuf_adds(out, "^FS\n");
}

/** The printer draws both codes itself, at its own resolution. */
static enum err write_zpl(const struct label *label, struct strbuf *out)
{
    struct code128 bars;
    struct label_text_item lines[LINES];
    char code[OWNERCODE_SIZE];
    char tail[32];
    enum err err = code128_encode(view_of(label->serial), &bars);
    if (err != ERR_OK) {
        return err;
    }
    ownercode_write(label->code, code);
    tail_of(label, tail);
    lines_of(label, code, tail, lines);
    (void)strbuf_addf(out, "^XA\n^CI28\n^PW%d\n^LL%d\n^FO%d,%d^BQN,2,4^FDMA,", LABEL_WIDTH, LABEL_HEIGHT, MARGIN,
                      MARGIN);
    if (label_text(label, out) == ERR_OK) {
        (void)strbuf_adds(out, "^FS\n");
    }
    for (size_t i = 0; i < LINES; i++) {
        add_zpl_text(out, &lines[i]);
    }
    int scale = bar_scale(&bars);
    err = strbuf_addf(out, "^BY%d\n^FO%d,%d^BCN,%d,N,N,N,A^FD%s^FS\n^XZ\n", scale,
                      (LABEL_WIDTH - (int)bars.modules * scale) / 2, BAR_TOP, BAR_HEIGHT, label->serial);
    crypto_zeroise(code, sizeof(code));
    return err;
}

enum err label_write(const struct label *label, enum label_format format, struct strbuf *out)
{
    switch (format) {
    case LABEL_PNG:
        return label_png(label, out);
    case LABEL_SVG:
        return write_svg(label, out);
    case LABEL_ZPL:
        return write_zpl(label, out);
    }
    return ERR_INVALID;
}
