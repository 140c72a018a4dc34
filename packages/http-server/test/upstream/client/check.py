"""Checks by name, each of which is reported as one line of JSON."""

import json
import sys
import time
import traceback

import httpx

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def equal(found, wanted):
    if found != wanted:
        raise AssertionError(f"{found!r} is not {wanted!r}")


def contains(found, wanted):
    if wanted not in found:
        raise AssertionError(f"{wanted!r} is not in {found!r}")


def raises(kind, call, *args, **options):
    try:
        found = call(*args, **options)
    except kind as error:
        return error
    raise AssertionError(f"there was no {kind.__name__}, but {found!r}")


def refused(status, call, *args, **options):
    """Gives the detail of an HTTP error with this status."""
    error = raises(httpx.HTTPStatusError, call, *args, **options)
    equal(error.response.status_code, status)
    return error.response.json()["detail"]


def tell(**line):
    print(json.dumps(line), flush=True)


def ask(wanted):
    """Has whoever started this do something, and waits until it is done."""
    tell(ask=wanted)
    sys.stdin.readline()


def told(problem):
    """Where in the checks it came up, and what it is; the way through the libraries is long and says nothing."""
    here = [frame for frame in traceback.extract_tb(problem.__traceback__) if "site-packages" not in frame.filename]
    place = next((f"{frame.name}: {frame.line}" for frame in reversed(here) if frame.filename.endswith("_checks.py")), "")
    answer = getattr(getattr(problem, "response", None), "text", "")
    return f"{place}\n{type(problem).__name__}: {problem}\n{answer}"[:3000]


def run_all(world):
    for function in CHECKS:
        began = time.monotonic()
        error = None
        try:
            function(world)
        except BaseException as problem:
            error = told(problem)
        tell(check=function.__name__, error=error, ms=round(1000 * (time.monotonic() - began)))
