"""The program: what there is, whether it works, and how fast it is."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from .. import __config__
from ._report import run_group

__all__ = ["main"]

_MOST_FAULTS = 5  # that are shown of a group


def main(arguments: Sequence[str] | None = None) -> int:
    """Print it all; returns 1 where a check fails, as the status of the process."""
    parser = argparse.ArgumentParser(
        prog="python -m tapegrad",
        description="Describe the build and the machine, test the package here in some seconds, "
        "and measure it beside NumPy. A report of a fault should carry what this prints.",
    )
    parser.add_argument("--info", action="store_true", help="only describe")
    parser.add_argument("--no-speed", action="store_true", help="do not measure")
    options = parser.parse_args(arguments)
    print(__config__.show(), flush=True)
    if options.info:
        return 0
    faults = _test()
    if not options.no_speed:
        _measure()
    return 1 if faults else 0


def _test() -> int:
    """A line for each group, and below it what is wrong. Returns how many checks failed."""
    from ._checks import GROUPS

    print("\nSelf-test")
    faults = checks = 0
    for group in GROUPS:
        report, seconds = run_group(group)
        state = f"{len(report.faults)} FAILED" if report.faults else "ok"
        name = (group.__doc__ or "").rstrip(".")
        print(f"  {name:<52} {report.checks:5} checks {seconds:5.1f} s  {state}")
        for fault in report.faults[:_MOST_FAULTS]:
            print(f"    {fault}")
        if len(report.faults) > _MOST_FAULTS:
            print(f"    and {len(report.faults) - _MOST_FAULTS} more", flush=True)
        faults += len(report.faults)
        checks += report.checks
    print(f"  {faults} of {checks} checks FAILED" if faults else f"  all {checks} checks hold")
    return faults


def _measure() -> None:
    """A line for each row of the table, as soon as it is measured."""
    from ._speed import rows

    print(f"\n{'Speed':<54} {'tapegrad':>9} {'NumPy':>9} {'ratio':>7}")
    for name, ours, theirs in rows():
        ratio = f"{theirs / ours:.2g}x" if theirs < 99 * ours else f"{theirs / ours:.0f}x"
        print(f"  {name:<52} {_time(ours):>9} {_time(theirs):>9} {ratio:>7}", flush=True)


def _time(seconds: float) -> str:
    for unit, scale in (("ns", 1e9), ("us", 1e6), ("ms", 1e3)):
        if seconds * scale < 999.5:
            return f"{seconds * scale:.3g} {unit}"
    return f"{seconds:.3g} s"
