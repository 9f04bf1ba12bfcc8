"""Run schedules by hand: `python -m tests.simulation --schedules 20000`, or one seed with `-v`."""

import argparse
import sys
import time
from collections import Counter
from pathlib import Path

from tests.simulation.life import prepare
from tests.simulation.schedule import Report, folder, run, shorten


def explain(line: str) -> None:
    """Tell what happens while it happens."""
    sys.stdout.write(line + "\n")


def main() -> int:
    """The exit code is the number of failing schedules, 100 at most."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="the first schedule's seed")
    parser.add_argument("--schedules", type=int, default=500, help="how many, seed by seed")
    parser.add_argument("--steps", type=int, default=50, help="steps of each schedule")
    parser.add_argument("--shorten", action="store_true", help="find the steps a failure needs")
    parser.add_argument("-v", "--verbose", action="store_true", help="tell every step")
    given = parser.parse_args()
    failures: list[Report] = []
    sums: Counter[str] = Counter()
    milestones: set[str] = set()
    with folder() as place:
        prepared = prepare(Path(place))
        start_s = time.monotonic()
        for number in range(given.schedules):
            seed = given.seed + number
            skip = shorten(prepared, seed, given.steps) if given.shorten else frozenset()
            tell = {"tell": explain} if given.verbose else {}
            report = run(prepared, seed, given.steps, skip=skip, **tell)
            milestones |= report.milestones
            sums.update(
                deaths=report.deaths, troubles=report.troubles, withdrawals=report.withdrawals
            )
            if report.failure:
                failures.append(report)
                explain(f"SEED {seed}: {report.failure}")
            if (number + 1) % 20 == 0:
                passed_s = int(time.monotonic() - start_s)
                explain(
                    f"{number + 1} schedules, {len(failures)} failed, {passed_s} s, {dict(sums)}"
                )
    explain(f"{given.schedules} schedules from seed {given.seed}, {len(failures)} failed")
    explain(f"{dict(sums)}; killed or passed at {len(milestones)} kinds of milestones")
    return min(len(failures), 100)


if __name__ == "__main__":
    sys.exit(main())
