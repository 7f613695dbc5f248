"""One payload as it stands on the wire for each row of the protocol's table of types, by direction."""

from __future__ import annotations

from typing import Any

from kernelnet.message import MessageType

DIGEST = "0123456789abcdef" * 4

COMPONENT: dict[str, Any] = {
    "id": "component-7",
    "name": "two queues and a ghost",
    "implementation": "int kn_init(void) { return 0; }\n",
    "specialization": "file_system",
    "wasm": "AGFzbQEAAAA=",
    "manifest": {
        "source_sha256": DIGEST,
        "wasm_sha256": DIGEST,
        "abi": "file_system/full/2",
        "workbench": "file_system",
        "compiler": "clang 20",
        "generator": "search",
        "seed": 7,
        "parameters": [0.25, 3.0],
        "parents": [DIGEST],
        "hypothesis": "newcomers prove themselves first",
        "family": {
            "digest": DIGEST,
            "parameters": [
                {"name": "SHARE", "least": 0.0, "most": 1.0, "scale": ""},
                {"name": "LOOKS", "least": 1.0, "most": 64.0, "scale": "whole log"},
            ],
        },
        "provenance": {
            "model": "some-model",
            "prompt": DIGEST,
            "tokens": 12_345,
            "usd": 0.05,
            "calls": 7,
            "spent_usd": 0.31,
        },
        "report": {
            "workbench": "file_system",
            "workbench_digest": DIGEST,
            "trace": "sqlite.xz",
            "trace_digest": DIGEST,
            "settings": {"capacity": 1024},
            "engine": "wasmtime 50",
            "splits": {"held_out": {"events": 1000, "score": 312, "fuel": 987_654_321, "metrics": {"writebacks": 7}}},
            "parts": [
                {
                    "workbench": "file_system",
                    "workbench_digest": DIGEST,
                    "trace": "sqlite.xz",
                    "trace_digest": DIGEST,
                    "settings": {"capacity": 1024},
                    "engine": "wasmtime 50",
                    "splits": {"held_out": {"events": 500, "score": 112, "fuel": 87_654_321}},
                }
            ],
        },
    },
    "development_level": 0.31,
    "capabilities": ["page_cache"],
    "description": "evicts what was used once",
}

HELLO: dict[str, Any] = {
    "specialization": "file_system",
    "capabilities": ["page_cache"],
    "version": "0.1.0",
    "features_supported": ["file_system"],
    "collaboration_ready": False,
    "protocol": 2,
    "log_id": "0198-aa",
    "resume_after": 41,
    "generators": ["search"],
    "workbenches": ["file_system"],
    "certificate_request": "-----BEGIN CERTIFICATE REQUEST-----",
}

FEATURE: dict[str, Any] = {"feature": "file_system", "requirements": {"capacity": 64}}

PATTERN_SHARE: dict[str, Any] = {
    "pattern": {
        "id": "p1",
        "type": "one_hit_share",
        "confidence": 0.875,
        "data": {"share": 0.5},
        "specialization": "file_system",
    }
}
CODE_SHARE: dict[str, Any] = {
    "code": {"id": "c1", "type": "expression", "data": {"weights": [1, 2.5]}, "specialization": "file_system"}
}
STEP: dict[str, Any] = {
    "by": "AI_1",
    "what": "improve",
    "objective": "score",
    "parents": [DIGEST],
    "hints": [{"by": "AI_2", "workbench": "file_system", "component": DIGEST, "expression": "-age"}],
    "task": "process_manager, web, cpus 2",
    "note": "of 1 expression, the largest parts",
    "component": "component-7",
    "digest": DIGEST,
    "score": 312,
    "fuel": 987_654_321,
    "level": 0.31,
    "verdict": "confirmed",
    "seconds": 4.5,
}
COMPONENT_SHARE: dict[str, Any] = {
    "component": COMPONENT,
    "session_id": "s1",
    "collaboration_complete": True,
    "transcript": [STEP],
    "original_requestor": "AI_2",
    "feature_name": "file_system",
}
COMPONENT_REFERENCE: dict[str, Any] = {
    "component": {**{k: v for k, v in COMPONENT.items() if k != "implementation"}, "source_size": 400_000},
    "original_requestor": "AI_2",
    "feature_name": "file_system",
}
PERFORMANCE_REPORT: dict[str, Any] = {
    "component_id": "component-7",
    "performance": {"miss_ratio": 0.312},
    "digest": DIGEST,
    "verdict": "confirmed",
    "reason": "same engine",
    "attestation": {
        "payload": "e30=",
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"keyid": "ab", "sig": "AAAA", "certificate": "AAAA"}],
    },
}
OBSERVED: dict[str, Any] = {
    "component_id": "component-7",
    "digest": DIGEST,
    "observation": {
        "environment": "real",
        "site": "5" * 32,
        "wasm_sha256": DIGEST,
        "workbench": "file_system",
        "unit": "misses",
        "component": {"policy": "component", "score": 900.5, "simulated": 901.0},
        "beside": [{"policy": "built-in", "score": 1000.0}],
        "target": "sqlite",
        "system": "Linux 6.18.44, SQLite 3.40.1",
        "hardware": "x86_64, 2 cores",
        "workload": "shop",
        "workload_digest": DIGEST,
        "settings": {"capacity": 1024},
        "runs": 3,
    },
}
"""A report with an observation."""
FEATURE_RESPONSE: dict[str, Any] = {"original_request": FEATURE, "component": COMPONENT, "reason": "best stored"}
COLLABORATION_RESPONSE: dict[str, Any] = {
    "session_id": "s1",
    "response": "accepted",
    "reason": "fits",
    "partner": "AI_2",
    "type": "cross_specialization",
    "transcript": [STEP],
}
SEARCH_PROGRESS: dict[str, Any] = {
    "task": {"workbench": "file_system", "trace": "web", "trace_digest": "1" * 64, "settings": {"capacity": 4}},
    "evaluations": 120,
    "train": 0.5,
    "validation": -0.25,
    "sessions": ["s1"],
    "rounds": 3,
    "costs": {"calls": 12, "accepted": 2, "tokens": 90_000, "usd": 0.375},
}
HEARTBEAT: dict[str, Any] = {"nonce": "n1", "reply_to": "n0", "seq": 9, "progress": SEARCH_PROGRESS}

FROM_CLIENT: dict[MessageType, dict[str, Any]] = {
    MessageType.HELLO: HELLO,
    MessageType.TRAINING_SYNC: {"after": "p:17", "limit": 10},
    MessageType.PATTERN_SHARE: PATTERN_SHARE,
    MessageType.CODE_SHARE: CODE_SHARE,
    MessageType.OS_COMPONENT_SHARE: COMPONENT_SHARE,
    MessageType.OS_COMPONENT_REFERENCE: COMPONENT_REFERENCE,
    MessageType.PERFORMANCE_REPORT: PERFORMANCE_REPORT,
    MessageType.FEATURE_REQUEST: FEATURE,
    MessageType.FEATURE_RESPONSE: FEATURE_RESPONSE,
    MessageType.COLLABORATION_REQUEST: {
        "type": "cross_specialization",
        "description": "a cache that knows its processes",
        "target_ai": "AI_2",
        "expertise_offered": ["file_system"],
        "seeking_expertise": ["process_manager"],
        "requirements": {"capacity": 64},
    },
    MessageType.COLLABORATION_RESPONSE: COLLABORATION_RESPONSE,
    MessageType.HEARTBEAT: HEARTBEAT,
    MessageType.PAYLOAD: {
        "step": "part",
        "digest": "ab" * 32,
        "size": 700,
        "trace_digest": "cd" * 32,
        "part": 1,
        "data": "AAAA",
        "author": "AI_1",
        "suffix": ".txt.xz",
    },
}

FROM_HUB: dict[MessageType, dict[str, Any]] = {
    MessageType.PAYLOAD: {
        "step": "part",
        "reply_to": "AI_1-1",
        "digest": "ab" * 32,
        "size": 700,
        "have": 700,
        "whole": True,
        "part": 1,
        "data": "AAAA",
        "offers": [{"digest": "ab" * 32, "size": 700, "author": "AI_1", "suffix": ".txt.xz"}],
        "reason": "none",
    },
    MessageType.TRAINING_SYNC: {
        "global_knowledge_base": {
            "patterns": [PATTERN_SHARE["pattern"]],
            "components": [COMPONENT],
            "benchmarks": {"component-7": [PERFORMANCE_REPORT]},
            "references": [COMPONENT_REFERENCE["component"]],
        },
        "active_ais": ["AI_1"],
        "collaboration_opportunities": [{"session_id": "s1"}],
        "takes": ["observations"],
        "ai_info": {
            "AI_1": {
                "specialization": "file_system",
                "capabilities": ["page_cache"],
                "collaboration_ready": False,
                "connected": False,
                "since": "2026-11-22T15:00:00Z",
                "generators": ["search"],
                "workbenches": ["file_system"],
                "owner": "alice",
            }
        },
        "log_id": "0198-aa",
        "seq": 42,
        "resumed": True,
        "next": "p:27",
        "credential": "secret",
        "certificate": "-----BEGIN CERTIFICATE-----",
    },
    MessageType.PATTERN_SHARE: PATTERN_SHARE,
    MessageType.CODE_SHARE: CODE_SHARE,
    MessageType.OS_COMPONENT_SHARE: COMPONENT_SHARE,
    MessageType.OS_COMPONENT_REFERENCE: COMPONENT_REFERENCE,
    MessageType.PERFORMANCE_REPORT: PERFORMANCE_REPORT,
    MessageType.FEATURE_REQUEST: {"original_request": FEATURE, "requestor": "AI_1"},
    MessageType.FEATURE_RESPONSE: FEATURE_RESPONSE,
    MessageType.COLLABORATION_REQUEST: {
        "session_id": "s1",
        "type": "feature_development",
        "description": "",
        "initiator": "AI_1",
        "partner_specialization": "file_system",
        "expertise_offered": ["file_system"],
        "seeking_expertise": ["process_manager"],
        "requirements": {"capacity": 64},
    },
    MessageType.COLLABORATION_RESPONSE: COLLABORATION_RESPONSE,
    MessageType.HEARTBEAT: HEARTBEAT,
    MessageType.ACK: {"acked": [["m1", 41], ["m2", 42]]},
    MessageType.ERROR: {
        "code": "invalid_message",
        "message": "Object missing required field `sender_id`",
        "class": "permanent",
        "message_id": "m1",
    },
}
