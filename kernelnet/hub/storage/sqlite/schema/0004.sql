-- Version 4: what happened in a collaboration session.

-- What the partner told with the component that completed it: a JSON list of steps (kernelnet.message.SessionStep).
ALTER TABLE collaboration_sessions ADD COLUMN transcript BLOB;
