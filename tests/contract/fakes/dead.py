# SPDX-License-Identifier: Apache-2.0
"""Services of the tables that are gone, so that nothing stands in for them."""

DEAD = (  # service, why, source, read
    ("Google Domains (dead)", "shut down, for which ddclient 4.0 removed it",
     "https://github.com/ddclient/ddclient/blob/main/ChangeLog.md", "2026-11-23"),
    ("twoDNS", "discontinued by its operator on 2024-12-20, records deleted",
     "https://github.com/publicsuffix/list/pull/2689", "2026-11-23"),
    ("DNSPark", "defunct: ddclient 3.10 removed it, its site broken and the domain for sale since 2019",
     "https://github.com/ddclient/ddclient/issues/87", "2026-11-23"),
    ("dnsdynamic.org", "discontinued: ddupdate removed it on 2022-04-04",
     "https://github.com/leamas/ddupdate/commit/baf2189", "2026-11-23"),
    ("system-ns.com", "discontinued: ddupdate removed it on 2022-04-05",
     "https://github.com/leamas/ddupdate/commit/b57c248", "2026-11-23"),
    ("dnsmax.com", "its site named 2026-01-27 as the last day of operations",
     "https://github.com/Monotoba/UDDNSUpdater/blob/main/docs/PROVIDERS.md", "2026-11-23"),
    ("thatip.com", "one service with dnsmax.com, closed with it",
     "https://github.com/Monotoba/UDDNSUpdater/blob/main/docs/PROVIDERS.md", "2026-11-23"),
)
