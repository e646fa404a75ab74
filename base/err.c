/* SPDX-License-Identifier: Apache-2.0 */
#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const names[] = {
#define X(name, text) #name,
    ERR_TABLE(X)
#undef X
};

static const char *const texts[] = {
#define X(name, text) text,
    ERR_TABLE(X)
#undef X
};

const char *err_name(enum err err)
{
    return (size_t)err < ARRAY_LEN(names) ? names[err] : "UNKNOWN";
}

const char *err_text(enum err err)
{
    return (size_t)err < ARRAY_LEN(texts) ? texts[err] : "unknown error";
}

enum err err_from_errno(int errno_value)
{
    switch (errno_value) {
    case 0:
        return ERR_OK;
    case ENOMEM:
        return ERR_NOMEM;
    case ENOSPC:
    case EDQUOT:
        return ERR_FULL;
    case EROFS:
        return ERR_READONLY;
    case EACCES:
    case EPERM:
        return ERR_DENIED;
    case ENOENT:
        return ERR_NOTFOUND;
    case EEXIST:
        return ERR_EXISTS;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    case EAGAIN:
        return ERR_AGAIN;
    default:
        return ERR_IO;
    }
}

enum err errinfo_set(struct errinfo *info, enum err err, const char *layer, long native, const char *format, ...)
{
    if (info != NULL) {
        info->err = err;
        info->layer = layer;
        info->native = native;
        va_list args;
        va_start(args, format);
        (void)vsnprintf(info->text, sizeof(info->text), format, args); /* a cut text is still the best we have */
        va_end(args);
    }
    return err;
}
