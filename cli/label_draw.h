/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/** label_draw: a label as rectangles and texts, for formats that know no bar codes (label.c, label_png.c). */
#include "cli/label.h"

#define LABEL_CELL_WIDTH  9 /* of a letter of size 1, in dots: gd's giant font */
#define LABEL_CELL_HEIGHT 15

struct label_text_item {
    int x, y;
    int size; /* 1 or 2 cells */
    const char *text;
};

/** Where a label is drawn. */
struct label_canvas {
    void *context;
    void (*black)(void *context, int x, int y, int width, int height);
    void (*text)(void *context, const struct label_text_item *item);
};

/** @return as label_write. */
enum err label_draw(const struct label *label, const struct label_canvas *canvas) MUST_CHECK;

/** Main thread. @return as label_write, ERR_UNSUPPORTED (the machine has no libgd). */
enum err label_png(const struct label *label, struct strbuf *out) MUST_CHECK;
