#!/usr/bin/python3
"""Records what the shipped rules find: runs each replica under pkgwarden, checks that the rule of its
name raised an alert, and keeps of the capture what that alert needs, as rules/tests/<rule>.ndjson.

    sudo tests/replicas/record.py PKGWARDEN [RULE...]

Needs npm, pip with setuptools and wheel, unshare, ip and overlayfs. See stage.sh for what a replica
is run in. Names of the machine are replaced; times start at zero.
"""

import datetime
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

REPLICAS = pathlib.Path(__file__).resolve().parent
RULES = REPLICAS.parent.parent / "rules"
ENDINGS = (
    ".step.sh", ".import.js", ".import.py", ".setup.py", ".package.json", ".js", ".sh", ".pth",
)
OWN = {"stage.sh", "record.py"}
# 2026-01-01, the day on which every capture says it was made.
DAY = 1767225600 * 10**9


def slug(path):
    ending = next(e for e in ENDINGS if path.name.endswith(e))
    return path.name.removesuffix(ending)


def lines(path):
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def same(one, other):
    return (one["pid"], one["start"]) == (other["pid"], other["start"])


def kept(events, abouts):
    """What each alert needs, in order, and the last accounting: it says that nothing was lost, and
    counts an install's thousands of events."""
    needed = [needed_for(events, about) for about in abouts]
    last = [e for e in events if e["event"] == "counters"][-1]
    chosen = [e for e in events if any(e is n for part in needed for n in part)]
    return chosen[:-1] + [last] + chosen[-1:]


def needed_for(events, about):
    """The line of processes from the first to the one that the event is about, and what that one did
    to the same file before."""
    family = [about["actor"]]
    forks = [e for e in events if e["event"] == "fork"]
    while made := [f for f in forks if same(f["child"], family[-1])]:
        family.append(made[0]["actor"])
    line = {(p["pid"], p["start"]) for p in family}
    told = answered_with(about.get("socket", {}).get("ip"), events)
    target = about.get("open", about.get("place", {})).get("path")

    def belongs(event):
        kind = event["event"]
        if event is about or kind in ("start", "command_ended", "end"):
            return True
        if events.index(event) > events.index(about):
            return False
        if kind == "fork":
            return (event["child"]["pid"], event["child"]["start"]) in line
        if kind == "metadata":
            key, place = event["about"], event["manifest"]["directory"]
        elif kind == "module":
            key, place = event["actor"], event["path"]
        elif kind == "resolver":
            # What is configured tells whether a name would have been seen.
            return about["event"] in ("connect", "dns") and tuple(event["about"].values()) in line
        elif kind == "dns":
            if about["event"] == "connect":
                return same(event["actor"], about["actor"]) and exchange(event) in told
            return same(event["actor"], about["actor"]) and not event["dns"]["response"]
        else:
            key, place = event.get("actor"), ""
        if key is None or (key["pid"], key["start"]) not in line:
            return False
        if kind in ("metadata", "module"):
            # The manager reads itself; what counts is the package.
            return not place.startswith("/usr/lib/")
        if kind in ("open", "chmod"):
            return target is not None and event.get("open", event.get("place"))["path"] == target
        return kind == "exec"

    return [e for e in events if belongs(e)]


def exchange(event):
    return event["dns"]["cookie"], event["dns"]["id"]


def answered_with(ip, events):
    """The questions, with their answers, that told this address."""
    answers = (e for e in events if e["event"] == "dns" and e["dns"]["response"])
    return {exchange(e) for e in answers if ip and f'"{ip}"' in json.dumps(e["dns"])}


def shift(value, by):
    """Moves every time of an event."""
    if isinstance(value, list):
        return [shift(v, by) for v in value]
    if not isinstance(value, dict):
        return value
    moved = {k: shift(v, by) for k, v in value.items()}
    for key in ("time", "start"):
        if isinstance(moved.get(key), int):
            moved[key] -= by
    return moved


def scrubbed(events):
    first = events[0]
    by = first["time"] - 10**9
    first["host"] = {
        "name": "runner",
        "id": "0" * 32,
        "boot_id": "00000000-0000-0000-0000-000000000000",
        "kernel": ".".join(first["host"]["kernel"].split(".")[:2]),
    }
    first["wall_offset"] = DAY
    first["users"] = [user for user in first["users"] if user["uid"] == 0]
    return [shift(event, by) for event in events]


def record(pkgwarden, replica, folder):
    rule = next(
        path.relative_to(RULES).as_posix()
        for path in RULES.glob(f"*/{slug(replica)}.yml")
        if path.parent.name != "tests"
    )
    capture, alerts = folder / "capture.ndjson", folder / "alerts.ndjson"
    for old in (capture, alerts):
        old.unlink(missing_ok=True)
    stage = ["unshare", "--mount", "--net", "--propagation", "private", "sh", folder / "stage.sh"]
    run = subprocess.run(
        [*stage, pkgwarden, folder / replica.name, capture, alerts],
        cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False,
    )
    found = [a for a in lines(alerts) if a["rule"]["file"] == rule]
    if not found:
        others = sorted({a["rule"]["file"] for a in lines(alerts)})
        return f"did not fire; {', '.join(others) or 'nothing'} did\n{run.stdout}{run.stderr}"
    header, *events = lines(capture)
    alert = found[0]
    links = {link["alert_id"] for link in alert.get("links", [])}
    linked = [a for a in lines(alerts) if a["id"] in links]
    events = scrubbed(kept(events, [event_of(events, a) for a in [*linked, alert]]))
    text = "".join(json.dumps(e, separators=(",", ":"), ensure_ascii=False) + "\n" for e in [header, *events])
    part = folder / "part.ndjson"
    part.write_text(text)
    again = subprocess.run(
        [pkgwarden, "replay", part], cwd="/", capture_output=True, text=True, check=False
    )
    for a in map(json.loads, again.stdout.splitlines()):
        if a["rule"]["file"] == rule:
            if (a["level"], a.get("package")) != (alert["level"], alert.get("package")):
                return "the kept part raises it with another level or package"
            keep(part, RULES / "tests" / f"{slug(replica)}.ndjson")
            return None
    return f"the kept part raises no such alert\n{again.stderr}"


def event_of(events, alert):
    """The event that an alert is about."""
    clock = nanoseconds(alert["time"]) - events[0]["wall_offset"]
    return next(
        e for e in events
        if e["time"] == clock and "actor" in e and e["actor"]["pid"] == alert["process"]["pid"]
        and e["event"] != "module"
    )


def keep(part, out):
    shutil.copyfile(part, out)
    # Recording needs root, the checkout is its owner's.
    owner = out.parent.stat()
    os.chown(out, owner.st_uid, owner.st_gid)


def nanoseconds(time):
    """Nanoseconds since 1970 of an RFC 3339 time in UTC."""
    whole, _, fraction = time.removesuffix("Z").partition(".")
    seconds = datetime.datetime.fromisoformat(whole + "+00:00").timestamp()
    return int(seconds) * 10**9 + int((fraction or "0").ljust(9, "0"))


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    wanted = set(sys.argv[2:])
    replicas = sorted(p for p in REPLICAS.iterdir() if p.is_file() and p.name not in OWN)
    failed = 0
    # Not below a folder that stage.sh covers.
    with tempfile.TemporaryDirectory(prefix="pkgwarden-replicas-", dir="/var/tmp") as name:
        folder = pathlib.Path(name)
        pkgwarden = shutil.copy(sys.argv[1], folder / "pkgwarden")
        for part in (REPLICAS / "stage.sh", REPLICAS.parent / "acts" / "dns_message.py"):
            shutil.copy(part, folder)
        for replica in replicas:
            if wanted and slug(replica) not in wanted:
                continue
            shutil.copy(replica, folder)
            problem = record(pkgwarden, replica, folder)
            failed += problem is not None
            print(f"{slug(replica)}: {problem or 'recorded'}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
