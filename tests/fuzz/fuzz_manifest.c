/* SPDX-License-Identifier: Apache-2.0 */
/** Batch manifests: what is read holds what every user of it relies on, and its ids and serial numbers fit. */
#include <stdlib.h>

#include "provisioning/ledger.h"
#include "provisioning/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct manifest manifest;
    struct errinfo info = {0};
    char serial[LEDGER_SERIAL_MAX + 1];
    char id[IDENTITY_MAX + 1];
    if (manifest_read(view_n((const char *)data, size), NULL, &manifest, &info) != ERR_OK) {
        return 0;
    }
    require(manifest_check(&manifest, &info) == ERR_OK);
    require(manifest_same(&manifest, &manifest));
    require(manifest_has_station(&manifest, manifest.stations[0]));
    if (manifest.has_serials) {
        require(manifest_serial_at(&manifest, manifest.count - 1, serial) == ERR_OK);
        require(manifest_has_serial(&manifest, view_of(serial)));
        require(manifest_device_id(&manifest, view_of(serial), id) == ERR_OK);
    }
    return 0;
}
