/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/identity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/view.h"

/* Made with `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -subj /CN=...` and `-newkey rsa:2048`. */
#define CAM                                                                                                            \
    "-----BEGIN CERTIFICATE-----\n"                                                                                    \
    "MIIBejCCAR+gAwIBAgIUB5kha2st8J4as9jQT6gywIebjeYwCgYIKoZIzj0EAwIw\n"                                               \
    "ETEPMA0GA1UEAwwGY2FtLTE3MCAXDTI2MTEyMjE3MzMxNVoYDzIxMjYxMDI5MTcz\n"                                               \
    "MzE1WjARMQ8wDQYDVQQDDAZjYW0tMTcwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\n"                                               \
    "AAQgq25FVrvoustdmVZbZ/NS4d7YpwPG5V3ABPEvIFBvYXGWljEUAR0MuPu+yuT6\n"                                               \
    "cy/1n3em9vvsB62P7OvzboWao1MwUTAdBgNVHQ4EFgQUJadoyCsAywzLmR4FXb1E\n"                                               \
    "Jp9dHEIwHwYDVR0jBBgwFoAUJadoyCsAywzLmR4FXb1EJp9dHEIwDwYDVR0TAQH/\n"                                               \
    "BAUwAwEB/zAKBggqhkjOPQQDAgNJADBGAiEAjAPJYunK9K5gnfic7NHrEzLR/SyG\n"                                               \
    "SF5PxjjSgufDRisCIQD9Tx4Ueen7ae8Q83STX5NNO445gUNL/PZafKc8v1V3lA==\n"                                               \
    "-----END CERTIFICATE-----\n"
#define BAD_NAME                                                                                                       \
    "-----BEGIN CERTIFICATE-----\n"                                                                                    \
    "MIIBfTCCASOgAwIBAgIUSK9CvXCvHPmakOzkVEyaCB3irgMwCgYIKoZIzj0EAwIw\n"                                               \
    "EzERMA8GA1UEAwwIQ2FtZXJhIDUwIBcNMjYxMTIyMTczMzE1WhgPMjEyNjEwMjkx\n"                                               \
    "NzMzMTVaMBMxETAPBgNVBAMMCENhbWVyYSA1MFkwEwYHKoZIzj0CAQYIKoZIzj0D\n"                                               \
    "AQcDQgAEUgfd1xl/JzmkSBxwYtnPRLvL7JhSysoFPoqi9sWIp1wtmhZ2NNz/6e3M\n"                                               \
    "ObkcFsmh/vGtV+WoNUVI2BK8MqfB0KNTMFEwHQYDVR0OBBYEFEUZ7j4iDXBryi9A\n"                                               \
    "eBay3aEeUEYYMB8GA1UdIwQYMBaAFEUZ7j4iDXBryi9AeBay3aEeUEYYMA8GA1Ud\n"                                               \
    "EwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIhAOL0lp+t4M3li89YvB+eG/DX\n"                                               \
    "x4zTqwrvP9iPdTQtpaK2AiBpWmWkg/z/FFvUuXJ9pxvwewnM7K5exaiuMb7JViqC\n"                                               \
    "pg==\n"                                                                                                           \
    "-----END CERTIFICATE-----\n"
#define RSA                                                                                                            \
    "-----BEGIN CERTIFICATE-----\n"                                                                                    \
    "MIIDAzCCAeugAwIBAgIUBxEhA02ASb/Xse0sL2evSlCWQ4kwDQYJKoZIhvcNAQEL\n"                                               \
    "BQAwEDEOMAwGA1UEAwwFY2FtLTMwIBcNMjYxMTIyMTczMzE2WhgPMjEyNjEwMjkx\n"                                               \
    "NzMzMTZaMBAxDjAMBgNVBAMMBWNhbS0zMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A\n"                                               \
    "MIIBCgKCAQEAyeHbcG25l/Y/1lDT+CNIoh/nMWRyJ2vOLjNMnyWZiB7fRe+6xhLg\n"                                               \
    "Ei5QJJmDzMawEkWvwyiTlL6yf4f6DxtD8MxUElgGKvIXgsPjTCfdkie1aHvjDdRw\n"                                               \
    "cEt3SDCQZTGKBWxW7jP2zY6L7BhlqPJZGoGmeRjvngyOijvvSj9ZEm0srdV1czSz\n"                                               \
    "AyA1XXiLRwR6LefMMuFoSHuctZtKrJc73Jfe8HQhMDdeymY3JS1sB9/p7VjqEGJW\n"                                               \
    "rO4TvvxP0oLChWNF7lLt4JfuT41gWmMn0xlwNQRGH9gklo9GptDuFVSMFO8GtGzQ\n"                                               \
    "SxXzO5A4BvPgiA4wbT0L2DFtGaWffBWT7wIDAQABo1MwUTAdBgNVHQ4EFgQUz4SD\n"                                               \
    "BRrLO/CKEFvk+ZuGLEsmVlEwHwYDVR0jBBgwFoAUz4SDBRrLO/CKEFvk+ZuGLEsm\n"                                               \
    "VlEwDwYDVR0TAQH/BAUwAwEB/zANBgkqhkiG9w0BAQsFAAOCAQEADekrf6IqaMCU\n"                                               \
    "tCpQijtVTJ+HD283P/FMLFS8NM2tKrR5q+1fDAn+gvn4CcLGlYe0PqNczV5nios4\n"                                               \
    "OTLq0jUJFBUEpKe7ONFnmYSZa1PXEOsm89/B/g/4+h3A9DlOAbh31VX08K7y21ui\n"                                               \
    "h/ltdgwm7kPEboFX0nKIpOdgH9tvd0qqo/xvjDIqKhqOrfvsxljrXj0700DH6y79\n"                                               \
    "BSWJvdTiLcvDDX+tJB00qg78ShFyJFTXMlF2LnAlUvm/JPA473EEKM6X5JZVvJ2k\n"                                               \
    "VV76KFN1M/U1JTVtcYg8Qar4Qolj1iSiOPbuB+xe28cEnmUzpE0SOAkCGxk8j4+t\n"                                               \
    "jJf9mcRo2g==\n"                                                                                                   \
    "-----END CERTIFICATE-----\n"

static char path[] = "/tmp/muster-identity-XXXXXX";

static int make_file(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    return fd < 0 ? -1 : close(fd);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void takes_the_name_of_the_certificate(void **state)
{
    (void)state;
    const struct {
        const char *pem, *configured;
        enum err err;
        const char *said; /* the id, or a part of the reason */
    } rows[] = {
        {CAM, NULL, ERR_OK, "cam-17"},
        {CAM, "", ERR_OK, "cam-17"},
        {CAM, "cam-17", ERR_OK, "cam-17"},
        {"key first\n" CAM BAD_NAME, "cam-17", ERR_OK, "cam-17"},
        {CAM, "cam-18", ERR_INVALID, "is of 'cam-17', but device_id is 'cam-18'"},
        {BAD_NAME, NULL, ERR_INVALID, "not a device id"},
        {RSA, NULL, ERR_UNSUPPORTED, "set device_id"},
        {RSA, "cam-3", ERR_OK, "cam-3"},
        {"nothing\n", "cam-3", ERR_PARSE, "no PEM certificate"},
        {"", NULL, ERR_PARSE, "no PEM certificate"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        char id[DEVICE_ID_MAX + 1] = "";
        struct errinfo info = {0};
        assert_int_equal(file_replace(path, view_of(rows[i].pem), 0600), ERR_OK);
        enum err err = identity_read(rows[i].configured, path, id, &info);
        if (err != rows[i].err || strstr(err == ERR_OK ? id : info.text, rows[i].said) == NULL) {
            fail_msg("row %zu: %s, id '%s', %s", i, err_name(err), id, info.text);
        }
    }
}

static void says_why_a_file_cannot_be_read(void **state)
{
    (void)state;
    char id[DEVICE_ID_MAX + 1];
    struct errinfo info = {0};
    assert_int_equal(identity_read(NULL, "/nonexistent/cert.pem", id, &info), ERR_NOTFOUND);
    assert_non_null(strstr(info.text, "/nonexistent/cert.pem"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_the_name_of_the_certificate, make_file, remove_file),
        cmocka_unit_test(says_why_a_file_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
