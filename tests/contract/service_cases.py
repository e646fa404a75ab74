# SPDX-License-Identifier: Apache-2.0
"""More of the contract of every provider and template (test_providers.py): what a service documents beside its grammar. Each
case takes a Rig; what is documented of a service is said by its stand-in, never by Muster."""
import base64
import urllib.parse

from fakes import api_simple, base, dyndns2

V4, V6 = "192.0.2.{}", "2001:db8::{}"
ANY = ("applied", "refused", "retry", "unknown")
NO_APEX = {"dynadot"}  # it has a parameter for it which changes it with every name: Muster's note says so
SHORT, LONG = 1, 10 ** 7  # seconds that hardly any service takes


def case_the_time_to_live_is_the_one_asked_for(rig):
    """Where the service takes one; what it does not take is moved into its range, and never sent."""
    host = rig.host("ttl")
    session = rig.open([host])
    served = []
    for rev, ttl in enumerate((3600, 21600, SHORT, LONG), 1):
        rig.applied(session, host, V4.format(rev), rev, ttl=ttl)
        served.append(rig.fake.records[host.lower(), "A"][0])
    wanted = {True: [3600, 21600], "made": [3600, 3600], False: [rig.fake.ttl] * 2}[rig.fake.takes_ttl]
    assert served[:2] == wanted, f"served with {served[:2]} s, asked for 3600 and 21600"
    assert rig.fake.takes_ttl is not True or served[2] <= 3600 <= 21600 <= served[3], f"{SHORT} and {LONG} s became {served[2:]}"


def case_the_zone_itself_is_a_name_too(rig):
    host = rig.fake.host("@")
    session = rig.open([host])
    if not rig.fake.apex_is_a_host or rig.fake.name in NO_APEX:
        return
    rig.at_once(session, host, V4.format(1), 1)
    rig.at_once(session, host, V4.format(2), 2)
    if "AAAA" in (rig.fake.alone or rig.fake.families):
        rig.at_once(session, host, V6.format(1), 3, rtype="AAAA")
    rig.holds(host, [V4.format(2)])


def case_what_somebody_took_away_is_made_anew(rig):
    """Ids of what is gone must not be used for ever."""
    host, beside = rig.host("gone"), rig.host("stays")
    session = rig.open([host] if rig.alone else [host, beside])
    rig.applied(session, host, V4.format(1), 1)
    if not rig.alone:
        rig.applied(session, beside, V4.format(1), 2)
    with rig.fake.lock:
        rig.fake.take_away(host, "A")
    rig.holds(host, [])
    rig.applied(session, host, V4.format(3), 3)
    if not rig.alone:
        rig.applied(session, beside, V4.format(4), 4)
    if rig.fake.deletes:
        with rig.fake.lock:
            rig.fake.take_away(host, "A")
        session.submit(host, "-", 5)
        event = session.settled(5)
        assert event["outcome"] == "applied" or event["error"] == "no-delete", event


def case_two_addresses_at_one_name_become_one_or_are_told(rig):
    """Somebody else put a second address there: a change that leaves one of them must not be called applied."""
    host = rig.host("two")
    session = rig.open([host])
    rig.applied(session, host, V4.format(1), 1)
    with rig.fake.lock:
        ttl = rig.fake.records[host.lower(), "A"][0]
        if isinstance(rig.fake, api_simple.Ids):
            rig.fake.add(host.lower(), "A", V4.format(7), ttl)
        else:
            rig.fake.put(host, "A", [V4.format(1), V4.format(7)], ttl)
    session = rig.open([host])
    session.submit(host, V4.format(3), 2)
    event = session.settled(2)
    if event["outcome"] == "applied":
        rig.holds(host, [V4.format(3)])
    else:
        assert event["error"] == "several" and event["detail"], event
        rig.holds(host, [V4.format(1), V4.format(7)])


def documented_rates(fake):
    """[(calls, seconds, account or host)]"""
    found = [(*fake.rate, "account")] if getattr(fake, "rate", None) else []
    found += [rate[:3] for rate in getattr(fake, "rates", ())]
    return found + ([(1, fake.interval, "host")] if getattr(fake, "interval", 0) else [])


def is_kept(ways, alone, calls, seconds, of):
    """Whether a template's limits are no looser. `alone`: a login is one name's, so that host and account are the same."""
    kept = [(rate["calls"], rate["per_s"], rate["of"]) for rate in ways["rates"]]
    kept += [(1, ways["interval_s"], "host")] if ways["interval_s"] else []
    wider = {"host": ("host", "account", "zone"), "account": ("account", "zone")}[of]
    return any((alone or scope in wider) and ours <= calls and ours / per <= calls / seconds for ours, per, scope in kept)


def secrets_of(value):
    """Each in every form that a request may carry it in."""
    texts = {account_text for account_text in _texts(value) if len(account_text) >= 8}
    found = set()
    for text in texts:
        found |= {text, urllib.parse.quote(text, safe=""), urllib.parse.quote_plus(text), base64.b64encode(text.encode()).decode()}
    return found


def _texts(value):
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    return [value] if isinstance(value, str) else []


def case_what_a_service_repeats_of_a_login_is_not_told(rig):
    """Error pages quote the URL, and proxies the header."""
    host = rig.host("e")
    account = rig.fake.account([host])
    hidden = secrets_of({key: account[key] for key in ("password", "host_secrets") if key in account})
    login = f"{account.get('username', '')}:{account.get('password', '')}"
    hidden |= {base64.b64encode(login.encode()).decode()}

    def page(request, status):
        return base.Response(status, f"{urllib.parse.unquote_plus(request.target)} {request.target} {request.headers.fields} "
                                     f"{request.body.decode('utf-8', 'replace')} {' '.join(sorted(hidden))}\n")

    for rev, status in enumerate((200, 400, 403, 502), 1):
        session = rig.open([host])
        rig.fake.script[:] = [lambda request, status=status: page(request, status)]
        session.submit(host, V4.format(rev), rev)
        session.settled(rev, ANY)
        leaked = [text for text in hidden if text in str(session.told)]
        assert not leaked, f"{len(leaked)} forms of a secret are told: {str(session.told)[:300]}"
        rig.done(session)
    rig.fake.violations.clear()  # what a new account sends after the stop of another is not the matter here


# What the inventor of the protocol asks of a client for each code (help.dyn.com/remote-access-api/return-codes).
MEANS = {"badauth": "account", "badagent": "account", "badsys": "account", "good 127.0.0.1": "account", "nohost": "host",
         "notfqdn": "host", "abuse": "host", "!yours": "host", "!donator": "host", "numhost": "host"}

CLIENT = {"badagent", "good 127.0.0.1"}  # stop every account that a process has there


def codes_of(fake):
    """{code: account, host or wait} of the service's page, else of the protocol."""
    found = {} if fake.own_words else dict(MEANS)
    found |= {code: MEANS[code] for code in fake.words if code in MEANS}
    found |= {code: "wait" for code in fake.waits if not fake.own_words or code in fake.words}
    if fake.login == "host":
        found["badauth"] = "host"
    if fake.refuses_unknown in found:
        found[fake.refuses_unknown] = "host"
    return found | fake.means


def judge_code(rig, session, code, means, hosts):
    event = session.settled(1, ANY)
    state = session.status()["state"]
    said = f"{code} must stop the {means}: {event}, the account is {state}"
    if means == "account":
        assert event["outcome"] in ("retry", "refused") and state == "broken", said
        assert event["alarm"] or event["outcome"] == "refused", said
    elif means == "host":
        assert event["outcome"] == "refused" and state != "broken" and event["detail"], said
        if len(hosts) > 1:
            rig.at_once(session, hosts[1], V4.format(2), 2)
    elif means == "request":
        assert (state == "broken" and event["alarm"]) or event["outcome"] == "refused", said
    else:
        least = 1000 * rig.fake.waits[code] * 0.95
        assert event["outcome"] == "retry" and event["wait_ms"] >= least, f"{code} waits {event['wait_ms']} ms, not {least}: {event}"


def case_each_code_of_the_protocol_stops_what_it_must_stop(rig):
    if not isinstance(rig.fake, dyndns2.D2):
        return
    for number, (code, means) in enumerate(sorted(codes_of(rig.fake).items())):
        hosts = [rig.host(f"{number}a")] if rig.alone else [rig.host(f"{number}a"), rig.host(f"{number}b")]
        session = rig.open(hosts, apart=code in CLIENT)
        rig.fake.script[:] = [rig.fake.refuse(code) if code in rig.fake.words or " " not in code else base.Response(200, code + "\n")]
        session.submit(hosts[0], V4.format(1), 1)
        judge_code(rig, session, code, means, hosts)
        rig.done(session)
        rig.fake.cleared()
        rig.fake.forget()


CASES = {name[len("case_"):]: value for name, value in list(globals().items()) if name.startswith("case_")}
