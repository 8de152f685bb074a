"""The readers: for each its good inputs, and what the program does with one.

Rules of this file:
- A reader may raise `Failure` and nothing else. What is understood goes on through what is made of it: plans, reports,
  texts.
- Nothing here waits, and no network is used: answers are handed over as bytes.
"""

from __future__ import annotations

import base64
import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import httpx
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat

from cf_mtls import workflow
from cf_mtls.access.explain import explain
from cf_mtls.bring.draft import draft, heading
from cf_mtls.bring.match import match
from cf_mtls.bring.select import Wish, select
from cf_mtls.ci.event import is_from_fork
from cf_mtls.ci.issue import Run, body
from cf_mtls.ci.mark import Mark, mark_of
from cf_mtls.ci.outputs import annotated, outputs, summary
from cf_mtls.ci.reading import report, told
from cf_mtls.declare import yaml_text
from cf_mtls.declare.border import document
from cf_mtls.declare.example import GEORGETOWN
from cf_mtls.diagnostics import Failure
from cf_mtls.model.plan import Allowed, Plan
from cf_mtls.model.resources import (
    AccessApplication,
    AccessPolicy,
    Address,
    CaCertificate,
    Kind,
    Rule,
    Scope,
    public,
)
from cf_mtls.model.state import State
from cf_mtls.pki import pkcs12
from cf_mtls.pki.authority import root
from cf_mtls.pki.identity import Identity, is_encrypted, load_identity
from cf_mtls.pki.keys import generate
from cf_mtls.pki.lint import lint_chain, lint_client
from cf_mtls.pki.pem import read_certificates, read_chain
from cf_mtls.pki.requests import read_request
from cf_mtls.pki.tree import tree
from cf_mtls.planning import codec, planfile_reader
from cf_mtls.planning.check import Known, findings
from cf_mtls.planning.planfile import as_json, sealed, text, written
from cf_mtls.remote import doctor
from cf_mtls.remote.diagnosis import diagnose
from cf_mtls.remote.errors import failure
from cf_mtls.remote.findings import Declared
from cf_mtls.remote.gateway import Answer, NoAnswer, Reader, answer
from cf_mtls.remote.pace import Clock, Pace
from cf_mtls.remote.snapshot import read
from cf_mtls.remote.token_end import token_ends
from cf_mtls.report.account_text import account_json, account_text
from cf_mtls.report.doctor_text import doctor_json, doctor_text
from cf_mtls.report.drift_text import drift_text
from cf_mtls.report.explain_text import explain_json, explain_text
from cf_mtls.report.pki import certificate_object
from cf_mtls.report.pki import tree as tree_text
from cf_mtls.report.plan_text import plan_text
from cf_mtls.report.terminal import Paint, messages
from cf_mtls.verify.answer import evidence, parse, replayable
from tests.ci.reports import a_report, a_stack
from tests.fuzz import writes
from tests.fuzz.mutate import mutated, mutated_json
from tests.planning.saved_worlds import a_plan

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
ACCOUNT = "0123456789abcdef0123456789abcdef"
SCOPE = Scope("account", ACCOUNT)
SECRET = b"correct horse"
PLAIN = Paint()
RIGHT = 0.03
"""How many inputs are left as they are: a reader that refuses all would pass."""


@dataclass(frozen=True)
class Fuzzed:
    """A reader: an input that is made wrong, and what is done with it. True when it was understood."""

    make: Callable[[Random], bytes]
    do: Callable[[bytes], bool]


def of_bytes(seeds: Callable[[], tuple[bytes, ...]], do: Callable[[bytes], bool]) -> Fuzzed:
    def make(random: Random) -> bytes:
        good = random.choice(seeds())
        return good if random.random() < RIGHT else mutated(random, good, seeds())

    return Fuzzed(make, do)


def of_json(seeds: Callable[[], tuple[Any, ...]], do: Callable[[bytes], bool]) -> Fuzzed:
    """Mostly members that are something else, sometimes bytes."""

    def make(random: Random) -> bytes:
        value = random.choice(seeds())
        return (
            mutated_json(random, value)
            if random.random() < 0.85
            else mutated(random, json.dumps(value).encode())
        )

    return Fuzzed(make, do)


# Files


@cache
def yamls() -> tuple[bytes, ...]:
    plans = sorted((Path(__file__).parents[2] / "plans").glob("*.yaml"))
    return (GEORGETOWN.encode(), *(p.read_bytes() for p in plans))


def read_yaml(data: bytes) -> bool:
    try:
        reading = yaml_text.read(data.decode("utf-8-sig"), "f.yaml")
    except UnicodeDecodeError:
        return False  # `load` says so
    document(reading)
    messages(reading.diagnostics, PLAIN)
    return not reading.diagnostics


@cache
def folder() -> Path:
    made = Path(tempfile.mkdtemp(prefix="cf-mtls-fuzz-"))
    authority = root("CA", now=NOW).intermediate("clients", now=NOW)
    client = authority.issue("jean", now=NOW)
    (made / "certs").mkdir()
    (made / "certs/certchain.pem").write_text(authority.chain.pem)
    (made / "certs/clientcert.pem").write_text(client.certificate_pem)
    (made / "certs/clientcert.key").write_text(client.key_pem)
    return made


def read_plan_file(data: bytes) -> bool:
    path = folder() / "plan.yaml"
    path.write_bytes(data)
    stack = workflow.validate(path, NOW)
    workflow.planned(stack.name, SCOPE, stack.state, State(), Allowed())
    return True


@cache
def people() -> tuple[Identity, ...]:
    authority = root("CA", now=NOW).intermediate("clients", now=NOW)
    return tuple(authority.issue("jean", now=NOW, key_type=kind) for kind in ("ec256", "rsa2048", "ed25519"))


@cache
def pems() -> tuple[bytes, ...]:
    authority = root("CA", now=NOW).intermediate("clients", now=NOW)
    return (
        authority.chain.pem.encode(),
        people()[0].certificate_pem.encode(),
        b"\n\n".join(p.certificate_pem.encode() for p in people()),
    )


def read_pem(data: bytes) -> bool:
    chain, problems = read_chain(data)
    found, _ = read_certificates(data)
    messages(problems, PLAIN)
    for certificate in found[:3]:
        certificate_object(certificate, NOW)
        lint_client(certificate, found, at=NOW)
    if chain:
        lint_chain(chain.certificates, at=NOW)
        tree_text(tree(chain.certificates), NOW, PLAIN)
    return chain is not None


@cache
def keys() -> tuple[bytes, ...]:
    made = [p.key_pem.encode() for p in people()]
    for person in people()[:2]:
        key = person.key
        locked = BestAvailableEncryption(SECRET)
        made += [
            key.private_bytes(Encoding.PEM, form, locked)
            for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
        ]
    return tuple(made)


def read_key(data: bytes) -> bool:
    identity, problems = load_identity(
        people()[0].certificate_pem.encode(), data, SECRET if is_encrypted(data) else None
    )
    messages(problems, PLAIN)
    return identity is not None


@cache
def locked_ders() -> tuple[bytes, ...]:
    """The encrypted keys without their armour: so that a change meets the numbers in them."""
    bodies = ("".join(key.decode().splitlines()[1:-1]) for key in keys() if b"BEGIN ENCRYPTED" in key)
    return tuple(base64.b64decode(body) for body in bodies)


def read_locked_der(data: bytes) -> bool:
    """An encrypted key that somebody changed, in whole armour."""
    body = base64.encodebytes(data)
    armed = b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n" + body + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    return read_key(armed)


@cache
def packed() -> tuple[bytes, ...]:
    ec, rsa, _ = people()
    return (pkcs12.export(ec, "jean", SECRET), pkcs12.export(rsa, "jean", SECRET, compat=True))


def read_pkcs12(data: bytes) -> bool:
    identity, problems = pkcs12.load(data, SECRET)
    messages(problems, PLAIN)
    return identity is not None


@cache
def requests() -> tuple[bytes, ...]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import NameOID

    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "jean")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    made = [builder.sign(generate(kind), hashes.SHA256()) for kind in ("ec256", "rsa2048")]  # type: ignore[arg-type]
    return tuple(request.public_bytes(Encoding.PEM) for request in made)


def read_csr(data: bytes) -> bool:
    return hasattr(read_request(data), "public")


# What this program wrote


@cache
def plans() -> tuple[Plan, ...]:
    return tuple(a_plan(seed) for seed in range(6))


@cache
def saved() -> tuple[Any, ...]:
    return tuple(as_json(plan) for plan in plans())


def make_saved(random: Random) -> bytes:
    """A saved plan with a change; half of them written anew around it, with the digest that it would have."""
    if random.random() < RIGHT:
        return json.dumps(random.choice(saved())).encode()
    made = mutated_json(random, random.choice(saved()))
    if random.random() < 0.5:
        return made
    try:
        found = planfile_reader._saved(json.loads(made)["cf_mtls"])
        found = replace(found, digest=codec.digest(sealed(found)))
        return json.dumps(written(found)).encode("utf-8", "surrogatepass")
    except (*planfile_reader.WRONG, Failure):
        return made


def read_saved(data: bytes) -> bool:
    found = planfile_reader.load(data, "plan.json", to_apply=False)
    understood = False
    for made in plans():
        try:
            plan = workflow.again(found, made.actual, NOW, is_approved=True)
        except Failure:
            continue  # of another account
        plan_text(plan, PLAIN, NOW)
        text(as_json(plan))
        understood = True
    return understood


def read_report(data: bytes) -> bool:
    found = report(data, "drift.json")
    drift_text(found, PLAIN)
    outputs(found, {})
    summary(found)
    list(annotated(found))
    for stack in told([found], "o/r").stacks:
        mark = Mark("0" * 16, "f" * 64, "2026-06-01", stack["repository"], stack["path"], "f" * 64)
        assert mark_of(body(stack, mark, Run("2026-06-01T12:00:00Z", "", "bot", ("drift",)))) == mark
    return True


def read_event(data: bytes) -> bool:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return False  # `ci_step.kept_out` passes it over
    return is_from_fork(found)


EVENT = {"pull_request": {"head": {"repo": {"full_name": "a/b"}}, "base": {"repo": {"full_name": "c/d"}}}}


# Answers

CA = {
    "id": "ca1",
    "name": "one",
    "associated_hostnames": ["a.net", "b.net"],
    "created_at": "2026-01-01T00:00:00Z",
    "fingerprint": "MD5 Fingerprint=2C:1E:00:00:00:00:00:00:00:00:00:00:00:00:00:FF",
    "expires_on": "2030-01-01T00:00:00Z",
}
RULES = [
    {"certificate": {}},
    {"common_name": {"common_name": "jean"}},
    {"group": {"id": "g1"}},
    {"ip": {"ip": "192.0.2.0/24"}},
    {"email": {"email": "a@x.net"}},
    {"service_token": {"token_id": "t"}},
]
POLICY = {
    "id": "p1",
    "name": "p",
    "decision": "non_identity",
    "include": RULES,
    "require": RULES[:1],
    "exclude": RULES[4:5],
    "precedence": 1,
    "session_duration": "24h",
    "approval_groups": [{"approvals_needed": 1.5}],
}
APP = {
    "id": "a1",
    "uid": "a1",
    "aud": "x",
    "name": "app (cf-mtls s)",
    "type": "self_hosted",
    "domain": "a.net/x",
    "self_hosted_domains": ["a.net/x"],
    "session_duration": "24h",
    "allowed_idps": ["i"],
    "tags": ["t"],
    "destinations": [
        {"type": "public", "uri": "a.net/x", "overrides": [{"behavior": "public", "path_pattern": "/x/*"}]}
    ],
    "policies": [POLICY, {**POLICY, "id": "p2", "reusable": True, "precedence": 2}],
    "cors_headers": {"max_age": 1},
    "scim_config": {"enabled": True, "authentication": {"scheme": "oauth2", "client_secret": ""}},
    "custom_deny_url": "https://no.example/",
}
GROUP = {"id": "g1", "name": "g", "include": RULES[:2], "require": [], "exclude": None}
ZONE = {"id": "z1", "name": "a.net", "status": "active", "paused": False, "account": {"id": ACCOUNT}}
TOKEN = {
    "id": "t1",
    "status": "active",
    "expires_on": "2027-01-01T00:00:00Z",
    "policies": [
        {
            "effect": "allow",
            "resources": {f"com.cloudflare.api.account.{ACCOUNT}": "*"},
            "permission_groups": [{"id": "x", "name": "Access: Apps and Policies Write"}],
        }
    ],
}
RECORD = {"id": "r1", "type": "A", "name": "a.net", "proxied": True}


def envelope(result: Any) -> Any:
    count = len(result) if isinstance(result, list) else 1
    info = {"page": 1, "per_page": 1000, "count": count, "total_count": count, "total_pages": 1}
    return {"success": True, "errors": [], "messages": [], "result": result, "result_info": info}


ANSWERS: Mapping[str, Any] = {
    "/access/certificates": [CA, {**CA, "id": "ca2", "name": None}],
    "/access/certificates/settings": [
        {"hostname": "a.net", "client_certificate_forwarding": True, "china_network": None}
    ],
    "/access/apps": [
        APP,
        {**APP, "id": "a2", "domain": "*.a.net", "destinations": None, "self_hosted_domains": ["*.a.net"]},
    ],
    "/access/policies": [{**POLICY, "reusable": True}],
    "/access/groups": [
        GROUP,
        {**GROUP, "id": "g2", "include": [{"group": {"id": "g1"}}, {"group": {"id": "g2"}}]},
    ],
    "/zones": [ZONE],
    "/tokens/verify": TOKEN,
    "/tokens/t1": TOKEN,
    "/access/organizations": {
        "auth_domain": "x.cloudflareaccess.com",
        "deny_unmatched_requests": True,
        "deny_unmatched_requests_exempted_zone_names": ["b.net"],
    },
    "/dns_records": [RECORD],
    "/mtls_certificates": [{"id": "m1"}],
    "/client_certificates": [{"id": "c1"}],
    "/hostname_associations": {"hostnames": ["a.net"]},
    "/origin_tls_client_auth": [{"id": "o1"}],
    f"/accounts/{ACCOUNT}": {"id": ACCOUNT, "name": "bank"},
    "/zones/z1": ZONE,
}
"""By how the path ends."""


class Said(Reader):
    """Answers each path with good bytes, and one of them with others."""

    def __init__(self, wrong: str, data: bytes) -> None:
        self._wrong, self._data = wrong, data

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Answer | NoAnswer:
        ending = max((e for e in ANSWERS if path.endswith(e)), key=len, default="")
        good = json.dumps(envelope(ANSWERS.get(ending))).encode()
        data = self._data if ending == self._wrong else good
        return answer(httpx.Response(200, content=data))


def unhurried() -> Pace:
    """A pace whose waits take no time."""
    at = [0.0]

    def sleep(seconds: float) -> None:
        at[0] += seconds

    return Pace(Clock(lambda: at[0], sleep))


DECLARED = State(
    {
        Address(Kind.APPLICATION, "a.net/x"): AccessApplication(
            "app (cf-mtls s)",
            (public("a.net/x"),),
            (AccessPolicy("any", "non_identity", (Rule("certificate"),)),),
        ),
        Address(Kind.CERTIFICATE, "11"): CaCertificate(
            "one (cf-mtls s)", ("a.net",), ("11",), (NOW,), "11" * 32, "PEM"
        ),
    }
)


def read_answer(wrong: str) -> Callable[[bytes], bool]:
    """A whole account in which one list is wrong, and what is made of it."""

    def do(data: bytes) -> bool:
        reader = Said(wrong, data)
        token_ends(reader, SCOPE, unhurried())
        seen = read(reader, SCOPE, unhurried(), {"a.net"})
        state = seen.state
        plan_text(workflow.planned("s", SCOPE, DECLARED, state, Allowed()), PLAIN, NOW)
        findings(Known("f", "s", DECLARED), state, NOW, timedelta(30))
        account_text(state, PLAIN, NOW)
        json.dumps(account_json(state, NOW))
        for path in ("/", "/x/y"):
            found = explain(state, "a.net", path)
            explain_text(found, state, PLAIN)
            json.dumps(explain_json(found))
        chosen = select(state, Wish("s"))
        cas = {a: r for a, r in chosen.chosen.items() if isinstance(r, CaCertificate)}
        draft(chosen, match(cas, {}, NOW), heading("s", SCOPE, NOW))
        return True

    return do


def read_doctor(wrong: str) -> Callable[[bytes], bool]:
    def do(data: bytes) -> bool:
        readings = doctor.read(Said(wrong, data), SCOPE, "cfat_x", {"a.net"})
        found = diagnose(readings, Declared("s", DECLARED, NOW))
        doctor_text(found, PLAIN)
        json.dumps(doctor_json(found))
        return True

    return do


HEADERS = (
    (
        b'cf-ray: abc-LIS\nretry-after: 30\nratelimit: "default";r=50;t=30\nratelimit-policy: "default";q=100;w=60\n'
        b"location: https://x.example/\ncontent-type: application/json; charset=utf-8"
    ),
)


def lines(data: bytes) -> list[tuple[bytes, bytes]]:
    """Header lines as h11 would hand them over: names of few letters, values without breaks and controls."""
    pairs = (line.partition(b":") for line in data.split(b"\n"))
    return [
        (
            bytes(c for c in name.lower() if c in b"abcdefghijklmnopqrstuvwxyz0123456789-") or b"x",
            bytes(c for c in value.strip() if c >= 32 and c != 127),
        )
        for name, _, value in pairs
    ]


def read_headers(data: bytes) -> bool:
    for status in (200, 429, 500):
        made = answer(httpx.Response(status, headers=lines(data), content=b'{"success": true, "result": []}'))
        pace = unhurried()
        pace.persist("GET", lambda made=made: made)  # type: ignore[misc]
        pace.persist("GET", lambda made=made: made)  # type: ignore[misc]
        if not made.ok:
            messages(failure(made, "reading", "/x").diagnostics, PLAIN)
    return True


def read_envelope(data: bytes) -> bool:
    understood = False
    for status in (200, 400, 409, 503):
        made = answer(httpx.Response(status, content=data))
        understood |= made.ok
        if not made.ok:
            messages(failure(made, "reading", "/access/apps").diagnostics, PLAIN)
    return understood


ERRORS = {
    "success": False,
    "errors": [
        {"code": 12132, "message": "access.api.error.conflict: certificate already exists"},
        {"code": 10000, "message": "Authentication error"},
    ],
    "messages": [],
    "result": None,
}
EDGE = (
    (
        b"HTTP/2 302\nlocation: https://team.cloudflareaccess.com/cdn-cgi/access/login/a.net\ncf-ray: 1-LIS\n"
        b"set-cookie: CF_Authorization=e30.eyJhdWQiOlsieCJdfQ.c2ln; path=/\ncf-access-domain: a.net\n\n"
    ),
)


def read_edge(data: bytes) -> bool:
    listed = [(k.decode("latin-1"), v.decode("latin-1")) for k, v in lines(data)]
    replayable(evidence(200, "HTTP/2", listed, 1))
    replayable(parse(data.decode("latin-1"), 1))
    return True


READERS: Mapping[str, Fuzzed] = {
    "YAML": of_bytes(yamls, read_yaml),
    "plan file": of_bytes(yamls, read_plan_file),
    "PEM": of_bytes(pems, read_pem),
    "keys": of_bytes(keys, read_key),
    "encrypted keys": of_bytes(locked_ders, read_locked_der),
    "PKCS#12": of_bytes(packed, read_pkcs12),
    "certificate request": of_bytes(requests, read_csr),
    "saved plan": Fuzzed(make_saved, read_saved),
    "report": of_json(lambda: (a_report(a_stack(), a_stack("error"), a_stack("clean")),), read_report),
    "GitHub event": of_json(lambda: (EVENT,), read_event),
    **{
        f"API {name}": of_json(lambda name=name: (envelope(ANSWERS[name]),), read_answer(name))  # type: ignore[misc]
        for name in (
            "/access/certificates",
            "/access/certificates/settings",
            "/access/apps",
            "/access/policies",
            "/access/groups",
            "/zones",
            "/tokens/verify",
            "/access/organizations",
        )
    },
    **{
        f"doctor {name}": of_json(lambda name=name: (envelope(ANSWERS[name]),), read_doctor(name))  # type: ignore[misc]
        for name in ANSWERS
    },
    "API writes": of_json(writes.answers, writes.write),
    "API error": of_json(lambda: (ERRORS, envelope([CA])), read_envelope),
    "API headers": of_bytes(lambda: HEADERS, read_headers),
    "edge headers": of_bytes(lambda: EDGE, read_edge),
}
