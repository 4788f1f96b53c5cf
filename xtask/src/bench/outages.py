"""Runs the scenarios of a lab's bench without fencing, on whatever stack the lab has up.

usage: outages.py LAB [the bench's arguments]

LAB is the directory with `lab` and `bench`. Systole has no fence devices yet; where both are measured without, a lost node counts
as dead for both.
"""

import importlib.machinery
import importlib.util
import sys
import time

sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("bench", sys.argv[1] + "/bench")
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
loader.exec_module(bench)

configure, all_up, wait_back = bench.configure, bench.all_up, bench.Prober.wait_back


def boot_all_up():
    # A fence device would have done this.
    for name, node in bench.lab.nodes().items():
        if not node["on"]:
            bench.lab.ask(op="boot", node=name)
    return all_up()


def wait_back_or_gap(self, since, threshold, timeout):
    # Where there is an answer still, a silence too short to be waited for is the longest there was.
    found = wait_back(self, since, threshold, timeout)
    answers = self.ok and self.ok[-1] > time.time() - 1
    return self.gap(since) if found[0] is None and answers else found


bench.all_up = boot_all_up
bench.Prober.wait_back = wait_back_or_gap
bench.fences = lambda: ("", "")
bench.configure = lambda key, parts, defaults=None, fencing=True: configure(key, parts, defaults, fencing=False)

del sys.argv[1]
bench.main()
