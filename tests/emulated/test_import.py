"""Bring what exists: accounts made through the official SDK's typed resources become plan files with an empty plan.

Counts: 8 random accounts by default, times CF_MTLS_BUDGET.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

import cloudflare
import pytest
import yaml

from cf_mtls.cli.main import run
from cf_mtls.emulator.server import Options, Ready, running
from cf_mtls.pki.authority import Authority, root
from tests.conftest import Counted
from tests.emulated.edge import lever

ACCOUNTS = 8 * int(os.environ.get("CF_MTLS_BUDGET", "1"))
HOSTS = ("jeann.net", "api.jeann.net", "iot.jeann.net", "x.y.jeann.net")
NAMES = (
    "Partner API", "fleet", "a: b # c", '"quoted"', "line\nbreak", "\u202eright to left", "no", "1:20", "- item",
    "{{ template }}", "Zürich 客户", "'", "x" * 300, "penang (cf-mtls other)", "k: [", "tab\there", "0",
)  # fmt: skip
NOW = datetime.now(UTC)
BROUGHT: list[tuple[int, int]] = []
"""Of each random account how many things its file declares, and how many applications it names as left out."""


@dataclass(frozen=True)
class World:
    """An emulator and the SDK's typed client on it; every shape of CA that is made."""

    ready: Ready
    sdk: cloudflare.Cloudflare
    chains: tuple[Authority, ...]

    def manage(self, method: str, name: str, body: Any = None) -> Any:
        return lever(self.ready, name, body, method)

    @property
    def account(self) -> dict[str, str]:
        return {"account_id": self.ready.account_id}


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    tops = [root(f"Root {i}", now=NOW) for i in range(3)]
    below = [top.intermediate(f"Issuing {i}", now=NOW) for i, top in enumerate(tops)]
    with running(Options(switches={"settings-delay": 0.0, "detach-delay": 0.0})) as emulator:
        ready = emulator.ready
        sdk = cloudflare.Cloudflare(
            api_token=ready.token,
            base_url=ready.api_base_url,
            max_retries=0,
            _strict_response_validation=True,
        )
        yield World(ready, sdk, (*tops, *below))
        sdk.close()


@pytest.fixture
def here(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder and an empty account, with the environment that reaches it."""
    world.manage("POST", "reset")
    for name in [n for n in os.environ if n.startswith(("CLOUDFLARE_", "CF_MTLS_"))]:
        monkeypatch.delenv(name)
    for name, value in world.ready.exports().items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def rule(random: Random) -> dict[str, Any]:
    return random.choice(
        [
            {"certificate": {}}, {"certificate": {}}, {"common_name": {"common_name": random.choice(NAMES)}},
            {"ip": {"ip": "192.0.2.7"}}, {"email_domain": {"domain": "Example.com"}}, {"everyone": {}},
            {"geo": {"country_code": "NO"}}, {"any_valid_service_token": {}}, {"auth_method": {"auth_method": "mfa"}},
            {"login_method": {"id": "on"}}, {"email": {"email": "A@example.com"}},
        ]
    )  # fmt: skip


def policy(random: Random) -> dict[str, Any]:
    lists = {part: [rule(random) for _ in range(random.randrange(3))] for part in ("require", "exclude")}
    return {
        "name": random.choice(NAMES), "decision": random.choice(["allow", "deny", "non_identity", "bypass"]),
        "include": [rule(random) for _ in range(random.randrange(1, 4))], **lists,
        **({"session_duration": "30m"} if random.random() < 0.3 else {}),
    }  # fmt: skip


def application(random: Random, index: int, reusable: list[str], hosts: list[str]) -> dict[str, Any]:
    place = random.choice(hosts) + random.choice([f"/{index}", f"/{index}/*", f"/deep/{index}/"])
    destinations = [{"type": "public", "uri": place}]
    if random.random() < 0.2:
        destinations.append({"type": "public", "uri": f"{random.choice(hosts)}/second/{index}"})
    inline = [policy(random) for _ in range(random.randrange(3))]
    links = [{"id": i, "precedence": n} for n, i in enumerate(random.sample(reusable, len(reusable)), 1)]
    options = {
        "session_duration": "6h", "service_auth_401_redirect": True, "app_launcher_visible": False,
        "same_site_cookie_attribute": "strict", "custom_deny_message": random.choice(NAMES), "logo_url": "https://a.net/l",
        "cors_headers": {"allowed_origins": ["https://a.net"], "max_age": 10}, "http_only_cookie_attribute": False,
        "eager_redirect_cookie_setting": False,
    }  # fmt: skip
    chosen = {k: v for k, v in options.items() if random.random() < 0.3}
    policies = links if reusable and random.random() < 0.3 else inline
    return {
        "name": random.choice(NAMES),
        "domain": place,
        "destinations": destinations,
        "policies": policies,
        **chosen,
    }


def fill(world: World, random: Random, folder: Path) -> None:
    """A random account, through the SDK's typed resources alone, and some of its chains as files."""
    access = world.sdk.zero_trust.access
    folder.mkdir()
    (folder / "with-key.pem").write_text(world.chains[0].key_pem + world.chains[0].chain.pem, "ascii")
    associated: set[str] = set()
    for index, authority in enumerate(random.sample(world.chains, random.randrange(1, 5))):
        hosts = random.sample(HOSTS, random.randrange(4))
        associated |= set(hosts)
        access.certificates.create(
            name=random.choice(NAMES),
            certificate=authority.chain.pem,
            associated_hostnames=hosts,
            **world.account,
        )
        if random.random() < 0.7:
            (folder / f"{index}.pem").write_text(authority.chain.pem, "ascii")
    settings = [
        {"hostname": host, "client_certificate_forwarding": random.random() < 0.7, "china_network": False}
        for host in HOSTS
    ]
    access.certificates.settings.update(settings=settings, **world.account)  # type: ignore[arg-type]
    reusable = []
    for _ in range(random.randrange(3)):
        made = access.policies.create(**policy(random), **world.account)
        assert made is not None
        reusable.append(str(made.id))
    hosts = sorted(associated) or list(HOSTS)
    for index in range(random.randrange(1, 7)):
        access.applications.create(
            type="self_hosted",
            **application(random, index, reusable, sorted(associated) or list(HOSTS)),
            **world.account,
        )
    access.applications.create(type="bookmark", domain="https://a.net", name="a bookmark", **world.account)


def plan(
    world: World, capsys: pytest.CaptureFixture[str], file: str, *words: str
) -> tuple[int, list[tuple[str, list[str]]]]:
    """The exit code of a plan, and its changes: address and the attributes that differ."""
    capsys.readouterr()
    code = run(["plan", file, "--detailed-exitcode", "--json", *words])
    said = capsys.readouterr()
    assert said.out, said.err
    changes = [c for c in json.loads(said.out)["resource_changes"] if c["change"]["actions"] == ["update"]]
    assert len(changes) == len(json.loads(said.out)["resource_changes"])
    return code, [(c["address"], differing(**c["change"])) for c in changes]


def differing(before: dict[str, Any], after: dict[str, Any], **_: Any) -> list[str]:
    """The members that a change moves; what the account never shows (the PEM) has no before."""
    return sorted(k for k, v in before.items() if v is not None and v != after.get(k))


@pytest.mark.parametrize("seed", range(ACCOUNTS))
def test_an_imported_account_has_an_empty_plan_and_an_edit_is_exactly_that_edit(
    world: World, here: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    """Only GETs are seen, nothing is planned; then a hostname, a setting or a duration edited is the one change."""
    random = Random(seed)
    fill(world, random, here / "pki")
    before = len(world.manage("GET", "requests"))
    everything = ["--all-applications"] if random.random() < 0.5 else []
    assert run(["import", "--certs", "pki", "--out", "plans/all.yaml", *everything]) == 0, (
        capsys.readouterr().err
    )
    assert plan(world, capsys, "plans/all.yaml") == (0, [])
    assert {r["method"] for r in world.manage("GET", "requests")[before:]} == {"GET"}
    assert not [p for p in here.joinpath("plans").rglob("*") if p.is_file() and b"PRIVATE" in p.read_bytes()]
    text = (here / "plans/all.yaml").read_text("utf-8")
    BROUGHT.append((text.count("\n    id: "), text.count("#     application/")))
    for what, edited in edits(text):
        (here / "plans/all.yaml").write_text(edited, "utf-8")
        code, changes = plan(world, capsys, "plans/all.yaml")
        assert code in {2, 4}, what
        if (
            what == "settings" and not changes
        ):  # things of another stack stand there too: refused until typed out
            edited_host = re.search(r"  (\S+): {client_certificate_forwarding: true, china", edited)
            assert code == 4
            assert edited_host
            code, changes = plan(world, capsys, "plans/all.yaml", "--adopt", f"settings/{edited_host[1]}")
        assert [attributes for _, attributes in changes] == [[what]], changes


def test_the_random_accounts_were_not_mostly_left_out(counted: Counted) -> None:
    """The property above would hold of empty files too: most of what was made was brought."""
    if len(BROUGHT) < ACCOUNTS:
        pytest.skip("runs after all of the above")
    brought, left = (sum(column) for column in zip(*BROUGHT, strict=True))
    counted(f"{ACCOUNTS} accounts: {brought} things brought, {left} applications left out")
    assert brought > 2 * ACCOUNTS
    assert brought > left


def edits(text: str) -> Iterator[tuple[str, str]]:
    """What changes, and the file with just that edited, once for each kind of thing the file holds."""
    host = re.search(r"associated_hostnames: \[", text)
    if host:
        yield "associated_hostnames", text.replace(host[0], host[0] + "new.jeann.net, ", 1)
    settings = re.search(r"forwarding: true}", text)
    if settings:
        yield "settings", text.replace(settings[0], "forwarding: true, china_network: true}", 1)
    apps = text.partition("\napplications:")[2].partition("\n# Not in")[0]
    blocks = [
        b for b in re.split(r"\n(?=  [a-z0-9])", apps) if "    id:" in b and "    session_duration:" not in b
    ]
    for block in blocks[:1]:
        yield "session_duration", text.replace(block, block.rstrip("\n") + "\n    session_duration: 11h\n", 1)


def make(world: World, **more: Any) -> str:
    """A CA on jeann.net that asks through one application; its id."""
    access = world.sdk.zero_trust.access
    made = access.certificates.create(
        name="Fleet CA",
        certificate=world.chains[3].chain.pem,
        associated_hostnames=["jeann.net"],
        **world.account,
    )
    asks = {"name": "p", "decision": "non_identity", "include": [{"certificate": {}}]}
    access.applications.create(
        type="self_hosted",
        name="Fleet",
        domain="jeann.net/fleet",
        policies=[asks],
        **more,
        **world.account,  # type: ignore[list-item]
    )
    assert made is not None
    return str(made.id)


def test_the_matched_chain_is_copied_canonical_and_the_id_is_pinned(world: World, here: Path) -> None:
    """Whatever the file looked like, the copy is the chain in order and nothing else."""
    identifier = make(world)
    chain = world.chains[3].chain
    (here / "pki").mkdir()
    backwards = "".join(c.pem for c in reversed(chain.certificates))
    (here / "pki/chain.crt").write_text(f"a remark\n{backwards}", "ascii")
    assert run(["import", "--certs", "pki", "--out", "plans/prod.yaml"]) == 0
    assert (here / "plans/certs/fleet-ca.pem").read_text("ascii") == chain.pem
    assert f"id: {identifier}" in (here / "plans/prod.yaml").read_text("utf-8")


def test_it_does_not_matter_which_block_cloudflare_hashes(
    world: World, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the other answer to the open question the chain is found too, and the file says by which block."""
    world.manage("POST", "switches", {"fingerprint-block": "last"})
    make(world)
    (here / "pki").mkdir()
    (here / "pki/chain.pem").write_text(world.chains[3].chain.pem, "ascii")
    assert run(["import", "--certs", "pki", "--out", "plans/prod.yaml"]) == 0
    assert "# recognised by block 2 of 2 in pki/chain.pem" in (here / "plans/prod.yaml").read_text("utf-8")
    assert plan(world, capsys, "plans/prod.yaml") == (0, [])


def test_a_chain_found_later_finishes_an_unknown_one(
    world: World, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The note says how; done as it says, the plan is still empty."""
    make(world)
    assert run(["import", "--out", "plans/prod.yaml"]) == 0
    file = here / "plans/prod.yaml"
    text = file.read_text("utf-8")
    assert "write chain: certs/NAME.pem in place of chain, fingerprint and expires_on" in text
    (here / "plans/certs").mkdir()
    (here / "plans/certs/found.pem").write_text(world.chains[3].chain.pem, "ascii")
    mended = re.sub(
        r"chain: unknown\n *fingerprint: .*\n *expires_on: .*\n", "chain: certs/found.pem\n", text
    )
    file.write_text(mended, "utf-8")
    assert plan(world, capsys, "plans/prod.yaml") == (0, [])


def test_another_chain_beside_a_pin_is_refused_and_not_ignored(
    world: World, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A CA cannot be changed in place: a plan that said "no changes" would be a lie."""
    make(world)
    (here / "pki").mkdir()
    (here / "pki/chain.pem").write_text(world.chains[3].chain.pem, "ascii")
    assert run(["import", "--certs", "pki", "--out", "plans/prod.yaml"]) == 0
    (here / "plans/certs/fleet-ca.pem").write_text(world.chains[4].chain.pem, "ascii")
    file = here / "plans/prod.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace(world.chains[3].chain.sha256, world.chains[4].chain.sha256), "utf-8")
    assert run(["plan", "plans/prod.yaml"]) == 4
    assert "[ownership.pin-content]" in capsys.readouterr().err


@pytest.mark.parametrize("shown", ["first", "last"])
@pytest.mark.parametrize("change", ["add", "take", "other root"])
def test_a_certificate_added_to_an_imported_chain_or_taken_from_it_is_no_empty_plan(
    world: World, here: Path, capsys: pytest.CaptureFixture[str], shown: str, change: str
) -> None:
    """What stands in the account cannot be changed, whatever one certificate of it the account shows."""
    world.manage("POST", "switches", {"fingerprint-block": shown})
    make(world)
    (here / "pki").mkdir()
    chain = world.chains[3].chain
    (here / "pki/chain.pem").write_text(chain.pem, "ascii")
    assert run(["import", "--certs", "pki", "--out", "plans/prod.yaml"]) == 0
    assert f"sha256: {chain.sha256}" in (here / "plans/prod.yaml").read_text("utf-8")
    capsys.readouterr()
    assert run(["plan", "plans/prod.yaml"]) == 0
    said = capsys.readouterr()
    assert "[certificate.recorded]" in said.err
    assert "what 1 CA holds is not proven" in said.out
    issuing, top = chain.certificates
    late, strange = world.chains[0].intermediate("Late", now=NOW).certificate, world.chains[1].certificate
    blocks = {"add": (issuing, late, top), "take": (top,), "other root": (issuing, top, strange)}[change]
    (here / "plans/certs/fleet-ca.pem").write_text("".join(c.pem for c in blocks), "ascii")
    for verb in (["plan"], ["apply", "-y"], ["validate"]):
        assert run([*verb, "plans/prod.yaml"]) == 1
        assert "[certificate.other-chain]" in capsys.readouterr().err
    run(["drift", "plans/prod.yaml"])
    assert "clean" not in capsys.readouterr().out


def test_an_imported_ca_is_replaced_by_its_own_chain(
    world: World, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The way to know what stands in the account: the same chain beside it, uploaded by this program."""
    world.manage("POST", "switches", {"refuse-duplicate-certificate": "off"})
    pinned = make(world)
    (here / "pki").mkdir()
    chain = world.chains[3].chain
    (here / "pki/chain.pem").write_text(chain.pem, "ascii")
    assert run(["import", "--certs", "pki", "--out", "plans/prod.yaml"]) == 0
    file = here / "plans/prod.yaml"
    entry = "certificates:\n  own: {chain: certs/fleet-ca.pem, associated_hostnames: [jeann.net]}\n"
    file.write_text(file.read_text("utf-8").replace("certificates:\n", entry), "utf-8")
    assert run(["apply", "plans/prod.yaml", "-y"]) in {0, 1}, capsys.readouterr().err  # no client to send
    listed = world.sdk.zero_trust.access.certificates.list(**world.account)
    made = {found.id: found.name or "" for found in listed}
    assert made.pop(pinned) == "Fleet CA"
    assert list(made.values()) == [f"own {chain.sha256[:32]} (cf-mtls {stack_named(file)})"]


def stack_named(file: Path) -> str:
    found = re.search(r"^stack: (.*)$", file.read_text("utf-8"), re.MULTILINE)
    assert found
    return found[1]


def test_an_unknown_chain_that_is_gone_is_never_uploaded(
    world: World, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Deleted behind our back, it cannot be made anew: plan and apply refuse and nothing is written."""
    identifier = make(world)
    assert run(["import", "--out", "plans/prod.yaml"]) == 0
    access = world.sdk.zero_trust.access
    access.certificates.update(identifier, associated_hostnames=[], name="x", **world.account)
    time.sleep(0.05)
    access.certificates.delete(identifier, **world.account)
    before = len(world.manage("GET", "requests"))
    assert run(["apply", "plans/prod.yaml", "-y"]) == 4
    said = capsys.readouterr().err
    assert "[ownership.pin-absent]" in said
    assert "Nobody has its PEM" in said
    assert {r["method"] for r in world.manage("GET", "requests")[before:]} == {"GET"}


def test_hostnames_of_an_unknown_chain_are_managed(
    world: World, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A hostname added in the file is put on the CA whose PEM nobody has."""
    identifier = make(world)
    assert run(["import", "--out", "plans/prod.yaml"]) == 0
    file = here / "plans/prod.yaml"
    file.write_text(file.read_text("utf-8").replace("[jeann.net]", "[jeann.net, api.jeann.net]"), "utf-8")
    assert run(["apply", "plans/prod.yaml", "-y"]) in {0, 1}  # the proof has no client to send
    there = world.sdk.zero_trust.access.certificates.get(identifier, **world.account)
    assert there is not None
    assert sorted(there.associated_hostnames or []) == ["api.jeann.net", "jeann.net"]
    assert there.name == "Fleet CA"
    assert plan(world, capsys, "plans/prod.yaml") == (0, [])


def test_an_existing_file_is_not_rewritten_but_told_what_it_lacks(
    world: World, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The printed lines, put in by hand, make its plan empty; the person's comments are where they were."""
    make(world)
    assert run(["import", "--out", "plans/prod.yaml"]) == 0
    file = here / "plans/prod.yaml"
    mine = "# my own words\n" + file.read_text("utf-8").partition("\napplications:")[0] + "\n"
    file.write_text(mine, "utf-8")
    capsys.readouterr()
    assert run(["import", "--out", "plans/prod.yaml"]) == 1
    said = capsys.readouterr()
    assert "[import.plan-exists]" in said.err
    assert file.read_text("utf-8") == mine
    file.write_text(mine + said.out, "utf-8")
    assert plan(world, capsys, "plans/prod.yaml") == (0, [])
    assert run(["import", "--out", "plans/prod.yaml"]) == 0
    assert "Nothing to add" in capsys.readouterr().out


def test_what_is_printed_has_labels_that_the_file_does_not_use(
    world: World, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One thing of each kind keeps its entry under a label that import would give to another: no key comes twice."""
    make(world)
    access, asks = (
        world.sdk.zero_trust.access,
        {"name": "p", "decision": "non_identity", "include": [{"certificate": {}}]},
    )
    access.certificates.create(
        name="Other CA",
        certificate=world.chains[4].chain.pem,
        associated_hostnames=["jeann.net"],
        **world.account,
    )
    access.applications.create(
        type="self_hosted",
        name="Other",
        domain="jeann.net/other",
        policies=[asks],
        **world.account,  # type: ignore[list-item]
    )
    assert run(["import", "--out", "plans/prod.yaml", "--all-applications"]) == 0
    file = here / "plans/prod.yaml"
    whole = yaml.safe_load(file.read_text("utf-8"))
    kept = dict(whole)
    for section in ("certificates", "applications"):
        labels = list(whole[section])
        assert len(labels) > 1
        kept[section] = {labels[1]: whole[section][labels[0]]}
    file.write_text(yaml.safe_dump(kept), "utf-8")
    capsys.readouterr()
    assert run(["import", "--out", "plans/prod.yaml", "--all-applications"]) == 1
    lacking = yaml.safe_load(capsys.readouterr().out)
    for section in ("certificates", "applications"):
        assert len(lacking[section]) == len(whole[section]) - 1
        assert not lacking[section].keys() & kept[section].keys()
        kept[section] |= lacking[section]
    file.write_text(yaml.safe_dump(kept), "utf-8")
    assert plan(world, capsys, "plans/prod.yaml") == (0, [])


def test_a_zone_is_imported_as_a_zone(
    world: World, here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With CLOUDFLARE_ZONE_ID the file names the zone, and its plan is empty too."""
    (zone,) = world.sdk.zones.list(name="jeann.net")
    access = world.sdk.zero_trust.access
    access.certificates.create(
        name="Zone CA",
        certificate=world.chains[4].chain.pem,
        associated_hostnames=["jeann.net"],
        zone_id=zone.id,
    )
    monkeypatch.delenv("CLOUDFLARE_ACCOUNT_ID")
    monkeypatch.setenv("CLOUDFLARE_ZONE_ID", zone.id)
    assert run(["import", "--out", "plans/zone.yaml"]) == 0
    assert f"zone_id: {zone.id}" in (here / "plans/zone.yaml").read_text("utf-8")
    assert plan(world, capsys, "plans/zone.yaml") == (0, [])


BAD = [
    (["--certs", "nowhere"], 1, "file.missing"),
    (["--stack", "Not One"], 64, "import.stack"),
]


@pytest.mark.parametrize(("words", "code", "said"), BAD, ids=[b[2] for b in BAD])
def test_a_wrong_invocation_is_said_and_nothing_is_written(
    here: Path, capsys: pytest.CaptureFixture[str], words: list[str], code: int, said: str
) -> None:
    """Each with its own code."""
    assert run(["import", "--out", "plans/prod.yaml", *words]) == code
    assert f"[{said}]" in capsys.readouterr().err
    assert list(here.iterdir()) == []


def test_an_imported_ca_that_left_the_file_is_not_passed_over_in_silence(
    world: World, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """No changes, and: it is not in this file, its clients get in, how to retire it. Then it is retired."""
    identifier = make(world)
    assert run(["import", "--out", "plans/prod.yaml"]) == 0
    file = here / "plans/prod.yaml"
    text = file.read_text("utf-8")
    assert "removed: [{id: ..., destroy: true}]" in text
    section = text.index("certificates:\n"), text.index("\napplications:")
    own = "certificates:\n  new:\n    chain: new.pem\n    associated_hostnames: [jeann.net]\n"
    (here / "plans/new.pem").write_text(world.chains[4].chain.pem, "ascii")
    rotated = text[: section[0]] + own + text[section[1] :]
    file.write_text(rotated, "utf-8")
    assert run(["apply", "plans/prod.yaml", "-y"]) in {0, 1, 3}
    capsys.readouterr()
    assert run(["plan", "plans/prod.yaml", "--detailed-exitcode"]) == 0
    said = capsys.readouterr()
    assert "[access.foreign-ca]" in said.err
    assert "it is not in this file" in said.err
    retire = f"removed: [{{id: {identifier}, destroy: true}}]"
    assert retire in said.err
    file.write_text(f"{rotated}{retire}\n", "utf-8")
    capsys.readouterr()
    assert run(["plan", "plans/prod.yaml"]) == 4, "nothing proves the successor: no client is declared"
    assert run(["apply", "plans/prod.yaml", "-y", "--allow-unproven", "jeann.net"]) in {0, 1, 3}
    assert f"certificate/{identifier} will be destroyed" in capsys.readouterr().out
    assert [c["name"] for c in world.manage("GET", "state")["certificates"] if c["id"] == identifier] == []


def test_an_imported_stack_is_destroyed_by_its_ids(
    world: World, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Pinned things go, also without a mark; what the file does not pin stays; a forgotten id stays too."""
    identifier = make(world)
    assert run(["import", "--out", "plans/prod.yaml"]) == 0
    other = world.sdk.zero_trust.access.applications.create(
        type="self_hosted",
        name="not in the file",
        domain="iot.jeann.net",
        **world.account,  # type: ignore[arg-type]
    )
    capsys.readouterr()
    assert run(["plan", "plans/prod.yaml", "--destroy"]) == 4
    said = capsys.readouterr()
    assert "2 of 2 objects of this stack would be deleted" in said.err
    assert "(foreign)" not in said.out
    assert run(["apply", "plans/prod.yaml", "--destroy", "-y", "--allow-delete", "2", "--allow-weaken",
                "https://jeann.net/fleet"]) == 0, capsys.readouterr().err  # fmt: skip
    state = world.manage("GET", "state")
    assert [c["id"] for c in state["certificates"]] == []
    assert [a["id"] for a in state["apps"]] == [other.id if other else None]
    assert identifier
