"""ABIs of this bench: the exports of its components."""

from __future__ import annotations

from pathlib import Path

from kernelnet.workbench.abi import Abi, rankAbi

__all__ = ["ABIS", "HEADER"]

_HERE = Path(__file__).parent
HEADER = _HERE / "kn_network_stack.h"

ABIS = (
    Abi(
        "network_stack/full/2",
        _HERE / "driver.c",
        {
            "kn_init": ((), ("f64",)),
            "kn_ack": (("i32", "i32", "i32", "i32", "f64"), ("f64",)),
            "kn_loss": (("i32", "i32", "i32", "i32"), ("f64",)),
            "kn_timeout": (("i32", "i32"), ("f64",)),
            "kn_rate": ((), ("f64",)),
        },
        included=(_HERE / "full.h",),
    ),
    rankAbi(
        "network_stack/rank/1",
        _HERE / "driver.c",
        ("cwnd", "rtt", "minrtt", "srtt", "loss", "rate", "maxrate", "sinceloss", "gap", "least"),
        function="kn_window",
        included=(_HERE / "rank.h",),
        # Of the flow; what it would like to know beforehand is the next round trip.
        terms={
            "sinceloss": "age",
            "rate": "frequency",
            "rtt": "gap",
            "srtt": "gap",
            "cwnd": "size",
            "loss": "pressure",
        },
        known=(
            # Reno without slow start, and one that takes as much as the path's rate and delay let it, as BBR does;
            "iflt(0.5, loss, cwnd * 0.5, cwnd + aq(1.0, cwnd))",
            "max(4.0, 1.25 * maxrate * minrtt)",
            # one that keeps 3 packets in the queue, as Vegas and Copa do, and the same by what stands there;
            "iflt(cwnd * (rtt - minrtt), 3.0 * rtt, cwnd + aq(2.0, cwnd), cwnd - aq(2.0, cwnd))",
            "iflt(cwnd * (least - minrtt), 3.0 * least, cwnd + aq(2.0, cwnd), cwnd - aq(2.0, cwnd))",
            # FAST TCP (Jin, Wei and Low, INFOCOM 2004), with 4 packets; one that keeps a quarter of the round trip in
            # the queue, so that it is as quick on fast links; and one that keeps 2 packets and a tenth of the window.
            "cwnd + aq(aq(minrtt * cwnd, rtt) + 4.0 - cwnd, cwnd)",
            "iflt(rtt, 1.25 * minrtt, cwnd + 0.25, cwnd - 0.25)",
            "iflt(cwnd * (rtt - minrtt), (2.0 + 0.1 * cwnd) * rtt,"
            " cwnd + aq(2.0, cwnd) + 0.05, cwnd - aq(2.0, cwnd) - 0.05)",
        ),
    ),
)
