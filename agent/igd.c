/* SPDX-License-Identifier: Apache-2.0 */
/*
 * muster-igd: asks the router once, over UPnP, for the address of its far side, prints it and ends. Started by the
 * agent's source "upnp". miniupnpc blocks and reads XML that anybody in the house may have written: that happens in
 * here, for a few seconds, and nowhere else. Exit status: 0 with one line of output, the address or "none", 1 with one
 * line of errors, 64 for a wrong call. Source: UPnP WANIPConnection:1 (GetExternalIPAddress); miniupnpc API 17 (Debian
 * 12) and, tried, 21.
 */
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "agent/detect/echobody.h"
#include "base/args.h"

#define DISCOVER_MS  1500 /* the longest wait for routers to answer one search; they answer within a second (MX) */
#define EXTERNAL_MAX 64
#define SSDP_TTL     2 /* the default of UPnP Device Architecture 1.1, 1 */

struct options {
    const char *interface, *gateway;
    uint64_t timeout_ms;
};

static const struct args_row rows[] = {
    {"interface", 0, "NAME", ARGS_STRING, offsetof(struct options, interface), .help = "Ask on this interface"},
    {"gateway", 0, "ADDRESS", ARGS_STRING, offsetof(struct options, gateway),
     .help = "Believe this router only (default: whoever answers first)"},
    {"timeout", 0, "DURATION", ARGS_DURATION, offsetof(struct options, timeout_ms), .min = 100, .max = 600000,
     .help = "What the whole question may take; half of it, 3s at most, is the wait for routers (default 10s)"},
    {0},
};

static const struct args_schema schema = {
    .program = "muster-igd",
    .summary = "Asks the router over UPnP for its outside address and prints it. Started by muster-agent.",
    .rows = rows,
};

static int fail(const char *text)
{
    (void)fprintf(stderr, "upnp: %s\n", text); /* nowhere else to say it */
    return 1;
}

/* Whether the host of @p url is @p gateway; anybody's where none was given. */
static bool is_of(const char *url, const struct ip *gateway)
{
    char host[ECHO_HOST_SIZE];
    struct ip ip;
    return gateway->family == IP_NONE || (url != NULL && echo_url_host(view_of(url), host, NULL) == ERR_OK &&
                                          ip_parse(view_of(host), &ip) == ERR_OK && ip_equal(&ip, gateway));
}

/* Takes those that are not the router off the list, so that their descriptions are never fetched. */
static struct UPNPDev *only_of(struct UPNPDev *devices, const struct ip *gateway)
{
    struct UPNPDev *kept = NULL, *rejected = NULL, **kept_end = &kept, **rejected_end = &rejected;
    for (struct UPNPDev *device = devices; device != NULL; device = device->pNext) {
        struct UPNPDev ***end = is_of(device->descURL, gateway) ? &kept_end : &rejected_end;
        **end = device;
        *end = &device->pNext;
    }
    *kept_end = NULL;
    *rejected_end = NULL;
    freeUPNPDevlist(rejected);
    return kept;
}

/* Version 2 answers to a search for version 1 (UPnP Device Architecture 1.1, 1.3); who answers to neither is asked as
 * a mere device. The library's own list has three searches more, and a wait after each. */
static struct UPNPDev *search(const struct options *options, const struct ip *gateway)
{
    static const char *const types[] = {"urn:schemas-upnp-org:device:InternetGatewayDevice:1", "upnp:rootdevice", NULL};
    int wait_ms = (int)MIN(options->timeout_ms / 4, (uint64_t)DISCOVER_MS);
    int error = 0;
    struct UPNPDev *devices =
        upnpDiscoverDevices(types, wait_ms, options->interface, NULL, UPNP_LOCAL_PORT_ANY, 0, SSDP_TTL, &error, 0);
    return only_of(devices, gateway);
}

/* @return what UPNP_GetValidIGD does: 0 none, then the kinds of is_usable. */
static int find_igd(struct UPNPDev *devices, struct UPNPUrls *urls, struct IGDdatas *data)
{
    char lan[EXTERNAL_MAX] = "";
#if MINIUPNPC_API_VERSION >= 18
    char wan[EXTERNAL_MAX] = "";
    return UPNP_GetValidIGD(devices, urls, data, lan, sizeof(lan), wan, sizeof(wan));
#else
    return UPNP_GetValidIGD(devices, urls, data, lan, sizeof(lan));
#endif
}

/* A router that is connected, or says that it is not: what its far side has is asked all the same, since miniupnpc
 * counts one with a private address as not connected, and that address is what shows a second NAT behind it. */
static bool is_usable(int kind)
{
#if MINIUPNPC_API_VERSION >= 18
    return kind >= 1 && kind <= 3; /* 2: its address is private; 4: no router */
#else
    return kind == 1 || kind == 2; /* 3: no router */
#endif
}

static int say(const char *line)
{
    return printf("%s\n", line) > 0 && fflush(stdout) == 0 ? EX_OK : EX_IOERR;
}

/* A router without an address on its far side says 0.0.0.0 or nothing; so does miniupnpd where it has a private one. */
static int say_address(const struct UPNPUrls *urls, const struct IGDdatas *data)
{
    char text[EXTERNAL_MAX] = "";
    struct ip ip;
    int rc = UPNP_GetExternalIPAddress(urls->controlURL, data->first.servicetype, text);
    if (rc != UPNPCOMMAND_SUCCESS) {
        const char *why = strupnperror(rc);
        return fail(why != NULL ? why : "the router refuses to tell its address");
    }
    if (text[0] == '\0') {
        return say("none");
    }
    if (ip_parse(view_of(text), &ip) != ERR_OK || ip.family != IP_V4) {
        return fail("the router answered with something else than an IPv4 address");
    }
    if (ip_classify(&ip) == IP_CLASS_UNSPECIFIED) {
        return say("none");
    }
    (void)ip_format(&ip, text);
    return say(text);
}

static int ask(struct UPNPDev *devices, const struct ip *gateway)
{
    struct UPNPUrls urls = {0};
    struct IGDdatas data = {0};
    int kind = find_igd(devices, &urls, &data);
    int status = 0;
    if (!is_usable(kind)) {
        status = fail(kind <= 0 ? "no router with UPnP" : "what answered is no router");
    } else if (!is_of(urls.controlURL, gateway)) {
        status = fail("the router points to another host");
    } else {
        status = say_address(&urls, &data);
    }
    if (kind > 0) {
        FreeUPNPUrls(&urls);
    }
    return status;
}

int main(int argc, char *argv[])
{
    struct options options = {.timeout_ms = 10000};
    struct args_result result;
    struct ip gateway = {0};
    int status = EX_OK;
    if (!args_run(&schema, argc, argv, &options, &result, &status)) {
        return status;
    }
    if (options.gateway != NULL && ip_parse(view_of(options.gateway), &gateway) != ERR_OK) {
        (void)fail("--gateway: no address");
        return EX_USAGE;
    }
    struct UPNPDev *devices = search(&options, &gateway);
    status = devices != NULL ? ask(devices, &gateway) : fail("no answer from the router: UPnP may be off there");
    freeUPNPDevlist(devices);
    return status;
}
