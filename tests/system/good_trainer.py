"""
A well-behaved client in a process of its own: it measures how the hub serves it while others misbehave.

It pings all the time and shares now and then, with C{SINK}, so that nobody else is told.  Each line on its standard
input is answered by one line of JSON: what it measured since the last one (milliseconds).
"""

from __future__ import annotations

import io
import json
import select
import socket
import ssl
import statistics
import sys
import time
from typing import Any

PERIOD = 0.02
SHARE_EVERY = 10
PATIENCE = 60.0


def main(caFile: str, port: int, aiId: str) -> None:
    commands = io.FileIO(0, closefd=False)  # unbuffered, or select() would not see what is read ahead
    token = commands.readline().decode().strip()
    context = ssl.create_default_context(cafile=caFile)
    raw = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    stream = context.wrap_socket(raw, server_hostname="localhost").makefile("rwb")

    def write(value: dict[str, Any]) -> None:
        stream.write(json.dumps(value).encode() + b"\n")
        stream.flush()

    def send(kind: str, payload: dict[str, Any], number: int, target: str | None = None) -> str:
        messageId = f"{aiId}-{time.time_ns()}-{number}"
        message = {"message_id": messageId, "sender_id": aiId, "message_type": kind}
        write({**message, "timestamp": "2026-11-22T12:00:00Z", "payload": payload, "target_ai": target})
        return messageId

    def receive(kind: str) -> dict[str, Any]:
        while line := stream.readline():
            message: dict[str, Any] = json.loads(line)
            if message["message_type"] == kind:
                return message
            if message["message_type"] == "error":
                raise SystemExit(f"the hub says {message['payload']}")
        raise SystemExit("the hub closed the connection")

    write({"ai_id": aiId, "token": token})
    send("hello", {"specialization": "general", "protocol": 2}, 0)
    receive("training_sync")
    pings: list[float] = []
    acks: list[float] = []
    number = 0
    while True:
        number += 1
        begin = time.perf_counter()
        send("heartbeat", {"nonce": number}, number)
        while receive("heartbeat")["payload"].get("reply_to") != number:
            pass
        pings.append((time.perf_counter() - begin) * 1000)
        if number % SHARE_EVERY == 0:
            shared = time.perf_counter()
            messageId = send(
                "pattern_share", {"pattern": {"id": "good", "type": "t", "confidence": 0.5}}, number, "SINK"
            )
            while all(acked != messageId for acked, _ in receive("ack")["payload"]["acked"]):
                pass
            acks.append((time.perf_counter() - shared) * 1000)
        pause = max(0.0, PERIOD - (time.perf_counter() - begin))
        if select.select([commands], [], [], pause)[0]:
            if not commands.readline():
                return
            sys.stdout.write(json.dumps({"ping": figures(pings), "ack": figures(acks)}) + "\n")
            sys.stdout.flush()
            pings, acks = [], []


def figures(values: list[float]) -> dict[str, float]:
    if not values:
        return {"count": 0, "median": 0.0, "p95": 0.0, "worst": 0.0}
    ordered = sorted(values)
    return {
        "count": len(ordered),
        "median": round(statistics.median(ordered), 2),
        "p95": round(ordered[int(len(ordered) * 0.95)], 2),
        "worst": round(ordered[-1], 2),
    }


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
