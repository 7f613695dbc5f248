"""Recordings of packets: what each format means, and what is said about files that are wrong."""

from __future__ import annotations

import gzip
import json
import lzma
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np

from kernelnet.workbench.audio import packets, rtpdump, workbench
from kernelnet.workbench.audio.packets import LOST, MAX_FRAMES, framesOf, unwrapped
from kernelnet.workbench.audio.readers import FIRST_LINE, callName, readPackets
from kernelnet.workbench.audio.trace import Trace, loadTrace
from kernelnet.workbench.errors import TraceError
from tests.workbench.audio_support import varied, writeCall
from tests.workbench.reader_support import ReaderCase

SHARED = Path(__file__).resolve().parents[2].parent / "shared" / "traces"
"""Recordings that may lie beside the repository; they aren't ours to ship."""

HEADER = b"#!rtpplay1.0 192.0.2.1/5004\n" + bytes(16)


class Case(ReaderCase):
    def read(self, content: bytes, name: str = "call") -> list[int]:
        path = self.folder / name
        path.write_bytes(content)
        return [int(each) for each in framesOf(path, readPackets(path))]

    def account(self, content: bytes, name: str = "call") -> Any:
        path = self.folder / name
        path.write_bytes(content)
        found = readPackets(path)
        framesOf(path, found)
        return found.account

    def wrong(self, content: bytes, line: int | None, words: str, name: str = "call") -> None:
        """Refused, with the file, this line, and what would be right."""
        self.refused(name, line, words, lambda: self.read(content, name))


def own(*rows: tuple[int, int, int]) -> bytes:
    return "\n".join([FIRST_LINE, *(" ".join(map(str, row)) for row in rows), ""]).encode()


class OwnTests(Case):
    def test_plain(self) -> None:
        """Number, sent, received; any order; what is missing was lost, what came twice came once."""
        rows = ((7, 0, 500), (9, 40_000, 40_900), (8, 20_000, 20_300), (11, 80_000, 80_300), (9, 40_000, 70_000))
        self.assertEqual(self.read(own(*rows)), [200, 0, 600, LOST, 0])
        account = self.account(own(*rows))
        self.assertEqual((account.skipped["packets that came more than once"], account.figures["lost"]), (1, 1))
        self.assertEqual(account.first[0], ("7 0 500", "packet 7, 500 µs on the way"))
        blank = own(*rows).replace(b"\n", b"\r\n\r\n# a remark\n").replace(FIRST_LINE.encode(), FIRST_LINE.encode(), 1)
        self.assertEqual(self.read(blank), [200, 0, 600, LOST, 0])

    def test_wrong(self) -> None:
        """The first line that isn't three numbers is named."""
        good = own((0, 0, 1), (1, 20_000, 20_001))
        for bad in (b"1 2", b"1 2 3 4", b"1 2 x", b"1 2 3.5", b"\xff 1 2", b"1 2 " + b"9" * 17):
            self.wrong(good + bad + b"\n", 4, "each line should be the number of a packet that came")
        self.wrong(b"# other 1\n1 2 3\n", 1, "it begins with '# other 1'")
        self.wrong(b"hello\n", 1, "it begins with 'hello'; a file begins with")
        self.wrong(b"", 1, "it is empty")
        self.wrong(own((0, 0, 1)), None, "1 packets")

    def test_apart(self) -> None:
        """Packets sent more often are thinned out to frames of 20 ms, less often are doubted or refused."""
        often = own(*((at, 10_000 * at, 10_000 * at + 100 * (at % 7)) for at in range(40) if at != 6))
        self.assertEqual(self.read(often), [LOST if at == 3 else 100 * (2 * at % 7) for at in range(20)])
        third = own(*((at, 7_000 * at, 7_000 * at + at) for at in range(40)))
        # Frames begin at 0, 20, 40 ms: packets 0, 3 (21 ms), 6 (42 ms), …
        self.assertEqual(self.read(third)[:4], [0, 3, 6, 9])
        seldom = self.account(own(*((at, 60_000 * at, 60_000 * at + at) for at in range(40))))
        self.assertIn("packets are sent each 60 ms", seldom.doubts[0])
        self.wrong(own((0, 0, 5), (1, 1_000_000, 1_000_009)), None, "packets are sent each 1000 ms; they should be")
        self.wrong(own((0, 5, 5), (1, 5, 9)), None, "packets are sent each 0 ms")
        self.wrong(own((0, 0, 5), (MAX_FRAMES, MAX_FRAMES * 20_000, 7)), None, f"{MAX_FRAMES} are the most, six hours")

    def test_many(self) -> None:
        """Packets are bounded in number."""
        self.patch(packets, "MAX_PACKETS", 3)
        self.wrong(own(*((at, 20_000 * at, 20_000 * at) for at in range(4))), None, "more than 3 packets")

    def test_compressed(self) -> None:
        """Compressed or not is seen from the bytes; the trace's name has none of it."""
        path = writeCall(self.folder / "mine.owd", varied(1200))
        whole = loadTrace(path)
        (self.folder / "mine.owd.xz").write_bytes(lzma.compress(path.read_bytes()))
        (self.folder / "mine.gz").write_bytes(gzip.compress(path.read_bytes()))
        for name in ("mine.owd.xz", "mine.gz"):
            again = loadTrace(self.folder / name)
            self.assertEqual((again.digest, again.name), (whole.digest, "mine"))
        self.assertEqual(callName(Path("a/b.rtpdump.gz")), "b")

    def test_short(self) -> None:
        """Less than twenty seconds is too short, and it is said how short."""
        path = writeCall(self.folder / "short.owd", [0] * 999)
        error = self.assertRaises(TraceError, loadTrace, path)
        self.assertIn("999 frames of 20 ms; at least 1000 are needed, 20 seconds", str(error))

    def test_round(self) -> None:
        """What was written is read, whatever number and time it begins with."""
        transits = varied(1000)
        transits[0], transits[-1], transits[500] = 40, 40, 0
        for start in (0, 70_000):
            trace = loadTrace(writeCall(self.folder / "any.owd", transits, start))
            self.assertEqual(trace.transits.tolist(), transits)

    def test_shipped(self) -> None:
        """The calls that ship last a quarter of an hour, and none has a doubt."""
        for path in workbench.traces():
            account = workbench.inspect(path)
            self.assertEqual(account.doubts, [])
            self.assertGreaterEqual(int(account.figures["seconds"]), 900)


class ClockTests(Case):
    def test_drift(self) -> None:
        """Two clocks that drift apart by 50 ppm: the line below is taken out, whatever the queue does."""
        rng = random.Random(1)
        truth = [rng.choice([0, 0, 3000, 40_000]) for _ in range(2000)]
        header = "seq,sent_us,received_us\n"
        rows = [f"{at},{20_000 * at},{20_000 * at + each + at + 123_456}\n" for at, each in enumerate(truth)]
        found = self.read((header + "".join(rows)).encode())
        self.assertLess(max(abs(one - other) for one, other in zip(found, truth, strict=True)), 60)
        account = self.account((header + "".join(rows)).encode())
        self.assertEqual(account.figures["drift of the clocks"], "+50.0 ppm, taken out")

    def test_unwrapped(self) -> None:
        """Numbers of 16 bits that begin anew, and come out of order around there."""
        self.assertEqual(unwrapped([65534, 0, 65535, 1], 16), [65534, 65536, 65535, 65537])
        self.assertEqual(unwrapped([3, 4], 16, near=65_530), [65_539, 65_540])


class RtpdumpTests(Case):
    @staticmethod
    def packet(came: int, number: int, stamp: int, kind: int = 0, source: int = 7) -> bytes:
        data = struct.pack(">BBHII", 0x80, kind, number % 65536, stamp % (1 << 32), source) + bytes(4)
        return struct.pack(">HHI", 8 + len(data), len(data), came) + data

    def test_plain(self) -> None:
        """Sent is the timestamp in 8 kHz, received the offset in ms; both may begin anew."""
        transits = [3, 0, 9, 30]
        rows = [self.packet(20 * at + ms, 65534 + at, 2**32 - 160 + 160 * at) for at, ms in enumerate(transits)]
        self.assertEqual(self.read(HEADER + b"".join(rows)), [3000, 0, 9000, 30_000])
        account = self.account(HEADER + b"".join(rows))
        self.assertEqual((account.format, account.figures["clock rate"]), ("rtpdump", "8000 Hz"))

    def test_streams(self) -> None:
        """The stream with the most packets; RTCP, comfort noise and what is no RTP are left out, and said."""
        rows = [self.packet(20 * at, at, 160 * at, kind=8) for at in range(9)]
        rows += [self.packet(20 * at, at, 160 * at, source=9) for at in range(4)]
        rows += [struct.pack(">HHI", 12, 0, 5) + bytes(4), self.packet(7, 5, 5, kind=13), struct.pack(">HHI", 8, 8, 5)]
        self.assertEqual(self.read(HEADER + b"".join(rows)), [0] * 9)
        account = self.account(HEADER + b"".join(rows))
        self.assertEqual(sum(account.skipped.values()), 7)
        self.assertIn("SSRC 0x00000007, payload type 8", account.doubts[0])

    def test_dynamic(self) -> None:
        """A dynamic payload type's rate is told by how its timestamps go on."""
        for rate in (16_000, 48_000):
            rows = [self.packet(20 * at + at % 3, at, rate // 50 * at, kind=111) for at in range(200)]
            account = self.account(HEADER + b"".join(rows))
            self.assertEqual(account.figures["clock rate"], f"{rate} Hz")
            self.assertIn("the clock rate is guessed", account.doubts[0])

    def test_wrong(self) -> None:
        """What is cut off, or has impossible lengths, is named by its packet."""
        good = HEADER + self.packet(0, 0, 0) + self.packet(20, 1, 160)
        self.wrong(good + b"\0\1\0", 3, "it ends within a packet")
        self.wrong(good[:-1], 2, "it ends within a packet")
        self.wrong(good + struct.pack(">HHI", 7, 9, 9), 3, "a packet of 7 bytes")
        self.wrong(HEADER[:-1], None, "it ends within its header")
        self.wrong(HEADER, None, "it has no RTP packets of voice")
        self.wrong(b"#!rtpplay1.0 " + b"x" * 300, 1, "it begins with")
        self.patch(rtpdump, "MAX_PACKETS", 1)
        self.wrong(good, 2, "more than 1 packets")


class IrttTests(Case):
    @staticmethod
    def trip(at: int, there: int, back: int, lost: object = False) -> dict[str, Any]:
        start = 1_508_180_723_502_000_000 + 20_000_000 * at
        wall = {"monotonic": 5}
        if lost:
            times: dict[str, Any] = {"client": {"send": {"wall": start}, "receive": {}}, "server": {}}
            return {"seqno": at, "lost": lost, "timestamps": times, "delay": {}, "ipdv": {}}
        client = {"send": {"wall": start, **wall}, "receive": {"wall": start + there + back}}
        server = {"receive": {"wall": start + there}, "send": {"wall": start + there}}
        delay = {"send": there, "receive": back, "rtt": there + back}
        return {"seqno": at, "lost": lost, "timestamps": {"client": client, "server": server}, "delay": delay}

    def test_way(self) -> None:
        """The way back is taken; a packet that was lost was lost, on either way."""
        trips = [self.trip(at, 1_000_000, 5_000_000 + 1_000_000 * (at % 2)) for at in range(6)]
        trips[2], trips[3] = self.trip(2, 0, 0, "true_up"), self.trip(3, 0, 0, True)
        text = json.dumps({"version": {"json_format": 1}, "round_trips": trips}).encode()
        self.assertEqual(self.read(text, "a.json"), [0, 1000, LOST, LOST, 0, 1000])
        self.assertEqual(self.account(text).figures["way"], "from the server to the client")

    def test_there(self) -> None:
        """Where only the server's receiving was stamped, the way there is."""
        trips = [self.trip(at, 1_000_000 * (1 + at), 5_000_000) for at in range(3)]
        for trip in trips:
            del trip["timestamps"]["server"]["send"]
        found = self.account(json.dumps({"round_trips": trips}).encode())
        self.assertEqual(found.figures["way"], "from the client to the server")

    def test_wrong(self) -> None:
        """What isn't irtt's, or has no times of one way, is said in a line."""
        self.wrong(b'{"round_trips": [', None, "no whole JSON")
        self.wrong(b'{"rounds": []}', None, "not irtt's: Object missing required field `round_trips`")
        self.wrong(b'{"round_trips": [{"seqno": "x"}]}', None, "not irtt's: Expected `int`, got `str`")
        self.wrong(b'{"round_trips": []}', None, "0 round trips, none with a time of one way")
        far = self.trip(0, 1, 1)
        far["timestamps"]["client"]["receive"]["wall"] = 1 << 62
        self.wrong(json.dumps({"round_trips": [far]}).encode(), None, "round trip 0: a time out of all bounds")


class TableTests(Case):
    def test_one(self) -> None:
        """Both times in one table; units by the columns' names, any order, other columns, quotes and delimiters."""
        for text in (
            "seq,sent_us,received_us\n0,0,500\n1,20000,20900\n3,60000,60500\n",
            "size;Recv Time (ms);Sent Time (ms);Seq\n9;0.5;0;0\n9;20.9;20;1\n9;60.5;60;3\n",
            '"seqNo"\t"rx_ns"\t"tx_ns"\n0\t500000\t0\n1\t20900000\t20000000\n\n3\t60500000\t60000000\n',
            "seq,sent_s,received_s\n0,0.0,5e-4\n1,0.02,0.0209\n3,0.06,0.0605\n",
        ):
            self.assertEqual(self.read(text.encode(), "a.csv"), [0, 400, LOST, 0], text)

    def test_guessed(self) -> None:
        """Without a unit packets are some milliseconds apart; it is said what was taken."""
        for factor, word in ((1, "microseconds"), (1000, "nanoseconds"), (0.001, "milliseconds"), (1e-6, "seconds")):
            rows = "".join(f"{at},{20_000 * at * factor},{(20_000 * at + 100 * at) * factor}\n" for at in range(9))
            account = self.account(f"seq,sent,received\n{rows}".encode())
            self.assertIn(f"are taken for {word}", account.doubts[0])

    def test_two(self) -> None:
        """The sender's and the receiver's tables are joined by numbers that begin anew; either may be given."""
        sent = "timestamp,cam,seq\n" + "".join(f"{0.02 * at:.3f},0,{(65530 + at) % 65536}\n" for at in range(20))
        sent += "0.1,1,5\n"
        came = "timestamp,cam,seq\n"
        came += "".join(
            f"{7 + 0.02 * at + 0.001 * (at % 2):.3f},0,{(65530 + at) % 65536}\n" for at in range(20) if at != 8
        )
        (self.folder / "call.sent.csv").write_text(sent)
        (self.folder / "call.received.csv").write_text(came)
        for name in ("call.sent.csv", "call.received.csv"):
            path = self.folder / name
            found = [int(each) for each in framesOf(path, readPackets(path))]
            self.assertEqual(found, [LOST if at == 8 else 1000 * (at % 2) for at in range(20)])

    def test_alone(self) -> None:
        """One of two tables alone: it is said where the other was looked for."""
        text = b"seq,time_ms\n0,0\n1,20\n"
        self.wrong(text, 1, "the other one's times are looked for in a.received.csv", "a.sent.csv")
        self.wrong(text, 1, "name them such as call.sent.csv and call.received.csv", "a.csv")
        (self.folder / "b.rx.csv").write_text("seq,time_ms\n7,5\n8,9\n")
        (self.folder / "b.tx.csv").write_bytes(text)
        error = self.assertRaises(TraceError, readPackets, self.folder / "b.tx.csv")
        self.assertIn("b.rx.csv: no packet has a number that the sender's has; they should be of one call", str(error))

    def test_wrong(self) -> None:
        """A row that isn't what the first line says is named."""
        good = b"seq,sent_us,received_us\n0,0,500\n"
        self.wrong(good + b"1,2\n", 3, "2 columns; as many as the first line")
        self.wrong(good + b"x,20000,3\n", 3, "'x' is no packet's number")
        self.wrong(good + b"1,20000,late\n", 3, "'late' is no time")
        self.wrong(good + b'1,20000,"3\n', 3, "cells with quotes end with one")
        self.wrong(good + b"1,1e99,3\n", None, "packet 1: a time out of all bounds")
        self.wrong(b"seq,size\n1,2\n", 1, "no column with a packet's number, or none with a time, among seq, size")
        self.wrong(b"seq,sent_us,received_us\n", None, "it has no packets")
        self.assertEqual(self.account(good + b"1,20000,\n2,40000,40500\n").skipped["rows with an empty cell"], 1)


class LinkTests(Case):
    def test_waits(self) -> None:
        """A packet each 20 ms waits for the next opportunity, which takes seven."""
        self.assertEqual(self.read(b"5\n20\n200\n300\n"), self.waits([5, 20, 200, 300]))
        self.assertEqual(self.waits([5, 20, 200, 300])[:4], [5000, 0, 160_000, 140_000])

    @staticmethod
    def waits(times: list[int]) -> list[int]:
        found: list[int] = []
        for time in times:
            for _ in range(7):
                if 20 * len(found) <= time:
                    found.append(1000 * (time - 20 * len(found)))
        return [each - min(found) for each in found]

    def test_wrong(self) -> None:
        """As on links of network_stack."""
        self.wrong(b"1\n2\nthree\n", 3, "'three' is not a time; each line should be a whole number of milliseconds")
        self.wrong(b"5\n\n6\n4\n", 4, "4 comes after 6; times should never go back")
        self.wrong(b"5\n99999999999\n", 2, "it lasts 99999999999 ms")


class SharedTests(Case):
    def trace(self, *parts: str) -> Trace:
        path = SHARED.joinpath(*parts)
        if not path.exists():
            self.skipTest(f"{path} isn't there")
        return loadTrace(path)

    def test_study(self) -> None:
        """A recording of an earlier study has the frames and the transits that it has by other means."""
        trace = self.trace("audio", "dsl.owd.xz")
        with lzma.open(SHARED / "audio" / "dsl.owd.xz", "rt") as stream:
            rows = np.loadtxt(stream, dtype=np.int64)
        whole = np.full(int(rows[:, 0].max()) + 1, LOST)
        whole[rows[:, 0]] = rows[:, 2] - rows[:, 1] - (rows[:, 2] - rows[:, 1]).min()
        self.assertEqual(trace.transits.tolist(), whole.tolist())

    def test_webrtc(self) -> None:
        """WebRTC's recordings of voice are read whole."""
        for name in ("stereo_pcmu_jitter.rtp", "stereo_g729_jitter.rtp", "hrtf_g722_1C_48_jitterT2.rtp"):
            self.assertGreater(len(self.trace("audio", "webrtc-rtpdump", name).transits), 1000)
