/* SPDX-License-Identifier: Apache-2.0 */
#include <dlfcn.h>
#include <gd.h>
#include <gdfontg.h>
#include <string.h>

#include "base/crypto.h"
#include "cli/label_draw.h"

#define DPI     203
#define LIBRARY "libgd.so.3"

/* What is called of gd. It brings along some seventy libraries for formats that no label has: they would cost every
 * command its start, so gd is loaded when a label is drawn as PNG, and at no other time. */
#define FUNCTIONS(X)                                                                                                   \
    X(gdImageCreate)                                                                                                   \
    X(gdImageColorAllocate)                                                                                            \
    X(gdImageFilledRectangle)                                                                                          \
    X(gdImageChar)                                                                                                     \
    X(gdImageCopyResized)                                                                                              \
    X(gdImageSetResolution)                                                                                            \
    X(gdImagePngPtr)                                                                                                   \
    X(gdImageDestroy)                                                                                                  \
    X(gdFontGetGiant)                                                                                                  \
    X(gdFree)

static struct {
#define X(name) __typeof__(&name) name;
    FUNCTIONS(X)
#undef X
} gd;

/** Main thread, once; stays for the life of the process. */
static bool load(void)
{
    static bool loaded;
    void *library = loaded ? NULL : dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        return loaded;
    }
    bool good = true;
    void *symbol;
#define X(name)                                                                                                        \
    symbol = dlsym(library, #name);                                                                                    \
    good = good && symbol != NULL;                                                                                     \
    memcpy(&gd.name, &symbol, sizeof(symbol)); /* what POSIX has dlsym for: ISO C knows no cast of it */
    FUNCTIONS(X)
#undef X
    loaded = good;
    return loaded;
}

struct picture {
    gdImagePtr image; /* owned */
    int white, black;
    bool failed;
};

static void fill(void *context, int x, int y, int width, int height)
{
    struct picture *picture = context;
    gd.gdImageFilledRectangle(picture->image, x, y, x + width - 1, y + height - 1, picture->black);
}

/** gd's fonts come in one size: a larger one is drawn small and blown up, which keeps its edges. */
static void write_text(void *context, const struct label_text_item *item)
{
    struct picture *picture = context;
    int width = (int)strlen(item->text) * LABEL_CELL_WIDTH;
    gdImagePtr small = width > 0 ? gd.gdImageCreate(width, LABEL_CELL_HEIGHT) : NULL;
    if (small == NULL) {
        picture->failed = picture->failed || width > 0;
        return;
    }
    (void)gd.gdImageColorAllocate(small, 255, 255, 255); /* the first colour is the background's */
    int black = gd.gdImageColorAllocate(small, 0, 0, 0);
    for (int i = 0; item->text[i] != '\0'; i++) {
        gd.gdImageChar(small, gd.gdFontGetGiant(), i * LABEL_CELL_WIDTH, 0, (unsigned char)item->text[i], black);
    }
    gd.gdImageCopyResized(picture->image, small, item->x, item->y, 0, 0, width * item->size,
                          LABEL_CELL_HEIGHT * item->size, width, LABEL_CELL_HEIGHT);
    gd.gdImageDestroy(small);
}

static enum err encode(struct picture *picture, struct strbuf *out)
{
    int size = 0;
    void *png = gd.gdImagePngPtr(picture->image, &size);
    if (png == NULL) {
        return ERR_NOMEM;
    }
    enum err err = strbuf_add(out, view_n(png, (size_t)size));
    crypto_zeroise(png, (size_t)size);
    gd.gdFree(png);
    return err;
}

enum err label_png(const struct label *label, struct strbuf *out)
{
    struct picture picture = {.failed = false};
    if (!load()) {
        return ERR_UNSUPPORTED;
    }
    picture.image = gd.gdImageCreate(LABEL_WIDTH, LABEL_HEIGHT);
    if (picture.image == NULL) {
        return ERR_NOMEM;
    }
    picture.white = gd.gdImageColorAllocate(picture.image, 255, 255, 255);
    picture.black = gd.gdImageColorAllocate(picture.image, 0, 0, 0);
    gd.gdImageSetResolution(picture.image, DPI, DPI);
    const struct label_canvas canvas = {&picture, fill, write_text};
    enum err err = label_draw(label, &canvas);
    if (err == ERR_OK) {
        err = picture.failed ? ERR_NOMEM : encode(&picture, out);
    }
    gd.gdImageDestroy(picture.image);
    return err;
}
