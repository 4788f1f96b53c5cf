"""Runs the scenarios of a lab's bench without fencing, on whatever stack the lab has up.

usage: outages.py LAB [the bench's arguments]

LAB is the directory with `lab` and `bench`. Systole has no fence devices yet; where both are measured without, a lost node counts
as dead for both.
"""

import importlib.machinery
import importlib.util
import sys

sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("bench", sys.argv[1] + "/bench")
bench = importlib.util.module_from_spec(importlib.util.spec_from_loader("bench", loader))
loader.exec_module(bench)

configure, all_up = bench.configure, bench.all_up


def boot_all_up():
    # A fence device would have done this.
    for name, node in bench.lab.nodes().items():
        if not node["on"]:
            bench.lab.ask(op="boot", node=name)
    return all_up()


bench.all_up = boot_all_up
bench.fences = lambda: ("", "")
bench.configure = lambda key, parts, defaults=None, fencing=True: configure(key, parts, defaults, fencing=False)

del sys.argv[1]
bench.main()
