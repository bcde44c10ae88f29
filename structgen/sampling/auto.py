"""`auto`: exact samples where a pilot shows that they can be had within the budget, else particles."""

from __future__ import annotations

import math
from typing import Final

from structgen.sampling.particles import Proposal
from structgen.sampling.randomness import Scheme
from structgen.sampling.result import Budget, SampleResult
from structgen.sampling.run import Run
from structgen.sampling.smc import Twist, smc
from structgen.sampling.tries import Tries, collect

PILOT_SHARE: Final = 0.25  # of the budget that the pilot may spend
_ENOUGH: Final = 4  # accepted tries of the pilot after which its rate is believed


def default_forwards(n: int, particles: int, max_new_tokens: int) -> int:
    """Passes that `auto` may spend where no budget is given: as many as n populations of particles would."""
    return n * particles * max_new_tokens


def auto(
    run: Run,
    proposal: Proposal,
    *,
    n: int,
    particles: int,
    ess_threshold: float,
    scheme: Scheme,
    twist: Twist,
) -> SampleResult:
    """`cars` if the pilot forecasts ``n`` texts within the budget, else `smc`; never a biased method.

    The pilot's texts only decide: were they returned, those that came cheaply would be too many. What it
    learned about the prefixes stays. Once `cars` is chosen it goes on until ``n`` are there or the budget
    given by the caller is spent.
    """
    forwards = run.budget.forwards or default_forwards(n, particles, run.model.target.max_new_tokens)
    pilot = Tries(run, "cars")
    caller, run.budget = run.budget, Budget(max(1, int(PILOT_SHARE * forwards)), run.budget.checks)
    feasible = False
    try:
        while not feasible and run.trie.log_bound > -math.inf:
            if pilot.tries and run.is_spent():
                break
            pilot.round(_ENOUGH)
            run.report("auto: pilot", min(pilot.accepted, _ENOUGH), _ENOUGH, pilot.tries)
            spent = run.model.forwards.physical
            if pilot.accepted >= _ENOUGH:
                feasible = spent + n * spent / pilot.accepted <= forwards
                if not feasible and spent * n / pilot.accepted > 4 * forwards:
                    break
    except KeyboardInterrupt:
        run.stopped = "interrupted"
        return collect(pilot, 0)
    run.budget = caller
    if run.stopped == "budget":
        run.stopped = ""
    rate = pilot.accepted / pilot.tries if pilot.tries else 0.0
    seen = f"pilot: {pilot.accepted} of {pilot.tries} tries accepted"
    if feasible or run.trie.log_bound == -math.inf or (pilot.accepted and rate > 0.5 and not run.is_spent()):
        run.notes.append(f"auto chose cars; {seen}")
        return collect(Tries(run, "cars"), n)
    run.notes.append(f"auto chose smc; {seen}, log Z at most {run.trie.log_bound:.2f}")
    return smc(
        run,
        proposal,
        n=n,
        particles=particles,
        ess_threshold=ess_threshold,
        scheme=scheme,
        critic=None,
        twist=twist,
    )
