"""A version 1 client: six fields, no acks, nothing to install; it takes part in all there is."""

from typing import Any

from tests.system.support import SystemTestCase

FIELDS = {"message_id", "sender_id", "message_type", "timestamp", "payload", "target_ai"}


class Version1Tests(SystemTestCase):
    def test_takesPart(self) -> None:
        """Handshake, hello, sync, patterns both ways, a feature request and a collaboration; never a seventh field."""
        self.startHub()
        old, new = self.client("OLD"), self.client("NEW")
        new.hello(protocol=2, specialization="process_manager", capabilities=["process_scheduling"])
        sync = old.hello()
        self.assertIn("NEW", sync["active_ais"])
        self.assertEqual(sync["ai_info"]["NEW"]["specialization"], "process_manager")

        def pattern(name: str) -> dict[str, Any]:
            return {"pattern": {"id": name, "type": "loop", "confidence": 0.5, "data": {}, "specialization": "x"}}

        old.send("pattern_share", pattern("from-old"))
        self.assertEqual(new.receive("pattern_share")["payload"]["pattern"]["id"], "from-old")
        new.send("pattern_share", pattern("from-new"))
        self.assertEqual(old.receive("pattern_share")["payload"]["pattern"]["id"], "from-new")
        new.receive("ack")

        new.send("feature_request", {"feature": "file_system", "requirements": {"capacity": 10}})
        request = old.receive("feature_request")["payload"]
        self.assertEqual((request["requestor"], request["original_request"]["feature"]), ("NEW", "file_system"))
        made = {"id": "c1", "name": "file_system", "implementation": "int x;", "specialization": "file_system"}
        answer = {"component": made, "original_requestor": "NEW", "feature_name": "file_system"}
        old.send("os_component_share", answer, target="NEW")
        self.assertEqual(new.receive("os_component_share")["payload"]["component"]["id"], "c1")

        wanted = {"type": "feature_development", "description": "x", "target_ai": "OLD"}
        new.send("collaboration_request", {**wanted, "expertise_offered": [], "seeking_expertise": ["file_operations"]})
        invitation = old.receive("collaboration_request")["payload"]
        self.assertEqual((invitation["initiator"], invitation["partner_specialization"]), ("NEW", "process_manager"))
        session = invitation["session_id"]
        share = {"component": {**made, "id": "c2"}, "collaboration_complete": True, "session_id": session}
        old.send("os_component_share", share, target="NEW")
        self.assertEqual(new.receive("os_component_share")["payload"]["component"]["id"], "c2")
        from kernelnet.hub.admin import control_client

        sessions = control_client.call(self.state, {"command": "status"})["sessions"]
        self.assertEqual(sessions["completed"], 1)

        old.send("heartbeat", {"nonce": "last"})
        old.receive("heartbeat", reply_to="last")
        self.assertEqual({frozenset(m) for m in old.seen}, {frozenset(FIELDS)})
        self.assertNotIn("ack", {m["message_type"] for m in old.seen})

    def test_joinTokenIsNotForIt(self) -> None:
        """A version 1 client with the join token is told how to get a token of its own."""
        self.startHub()
        client = self.client("OLD", self.state.readJoinToken())
        client.send("hello", {"specialization": "general", "capabilities": [], "version": "1.0.0"})
        error = client.receive("error")["payload"]
        self.assertEqual(error["code"], "bad_credentials")
        self.assertIn("kernelnet tokens issue OLD --token", error["message"])
