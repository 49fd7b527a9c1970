"""Count the requests in API server audit logs.

    count_requests.py LOG [--since TIME] [--until TIME] [--user REGEX] [--agent REGEX]
                          [--writes] [--json]

One line for each user, user agent, verb and resource, most frequent first, and the
total. A request counts once, however many stages the log has of it.
"""

import argparse
import collections
import glob
import json
import os
import re
import sys

WRITES = {"create", "update", "patch", "delete", "deletecollection"}
FIELDS = ("user", "agent", "verb", "resource", "status")


def log_files(path):
    """The log and its rotated predecessors, oldest first."""
    stem, ending = os.path.splitext(path)
    return sorted(glob.glob(f"{glob.escape(stem)}-*{ending}")) + ([path] if os.path.exists(path) else [])


def events(path):
    for file in log_files(path):
        with open(file, encoding="utf-8") as lines:
            for line in lines:
                # The API server may be writing the last line right now.
                if line.endswith("\n"):
                    yield json.loads(line)


def resource_of(event):
    reference = event.get("objectRef")
    if not reference:
        return event["requestURI"].partition("?")[0]
    name = reference.get("resource", "")
    if reference.get("subresource"):
        name += "/" + reference["subresource"]
    return f"{name}.{reference['apiGroup']}" if reference.get("apiGroup") else name


def requests(options):
    """Each matching request once: a mapping from audit id to its fields."""
    found = {}
    for event in events(options.log):
        received = event["requestReceivedTimestamp"]
        if (options.since and received < options.since) or (options.until and received >= options.until):
            continue
        request = {
            "user": event["user"].get("username", ""),
            "agent": event.get("userAgent", ""),
            "verb": event["verb"],
            "resource": resource_of(event),
            "status": event.get("responseStatus", {}).get("code", 0),
        }
        if (
            options.user.search(request["user"])
            and options.agent.search(request["agent"])
            and (not options.writes or request["verb"] in WRITES)
        ):
            found[event["auditID"]] = request
    return found.values()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("log")
    parser.add_argument("--since", metavar="TIME", help="first time, like 2025-01-31T12:00:00.000000Z")
    parser.add_argument("--until", metavar="TIME", help="end, itself not included")
    parser.add_argument("--user", type=re.compile, default="", metavar="REGEX")
    parser.add_argument("--agent", type=re.compile, default="", metavar="REGEX")
    parser.add_argument("--writes", action="store_true", help="only requests that change something")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    options = parser.parse_args()

    counts = collections.Counter(tuple(request[field] for field in FIELDS) for request in requests(options))
    rows = [dict(zip(FIELDS, key), count=count) for key, count in counts.most_common()]
    total = sum(counts.values())
    if options.json:
        print(json.dumps({"total": total, "requests": rows}))
        return
    for row in rows:
        print("{count:8} {verb:18} {resource:45} {status} {user}  {agent}".format(**row))
    print(f"{total:8} requests")


if __name__ == "__main__":
    try:
        main()
    except BrokenPipeError:  # the reader has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
