import { ago, empty, h, many, since, table, usd, when } from "./dom.js";
import { get, messages } from "./live.js";
import { graph } from "./graph.js";

const ROWS = 100;
const TYPES = ["collaboration_request", "collaboration_response", "feature_request", "feature_response", "os_component_share"];
const picture = graph();
let rows = ROWS;

export function network() {
  return { draw, types: TYPES };
}

async function draw() {
  const [{ ais, known }, { sessions }] = await Promise.all([get("/api/ais?limit=1000"), get("/api/sessions?limit=100&transcripts=no")]);
  if (!ais.length) {
    return empty("No trainer has been here yet.", "Start one on this machine:", h("code", {}, "twistd -n kerneltrainer --id AI_1"));
  }
  const here = ais.filter((ai) => ai.connected).length;
  const more = ais.length > rows ? h("button", { onclick: (event) => { rows = Infinity; event.target.remove(); document.dispatchEvent(new Event("redraw")); } }, `all ${ais.length}`) : null;
  return [
    h("h2", {}, `${here} connected, ${known} known`),
    ...picture(ais, edges(ais, sessions)),
    table(
      [
        ["AI", (ai) => ai.id],
        ["specialization", (ai) => ai.specialization],
        ["workbenches", (ai) => ai.workbenches.join(", "), { wide: true }],
        ["state", (ai) => (ai.connected ? h("span", { title: `connected to ${ai.node}` }, "here for ", since(ai.since)) : h("span", { class: "unmeasured" }, "away since ", when(ai.seen)))],
        ["models cost, as it says", (ai) => (ai.progress?.costs ? `${many(ai.progress.costs.calls)} calls, ${usd(ai.progress.costs.usd)}` : "–"), { number: true, wide: true }],
        ["behind", (ai) => (ai.behind === null ? "–" : ai.behind), { number: true, wide: true }],
      ],
      ais.slice(0, rows),
    ),
    more,
    known > ais.length ? h("p", {}, `these are ${ais.length} of ${known}`) : null,
  ].filter(Boolean);
}

// Who has to do with whom: {source, target, kind, words, messages}; what is under way stands before what was.
function edges(ais, sessions) {
  const ids = new Set(ais.map((ai) => ai.id));
  const found = new Map();
  const add = (one, other, kind, words) => {
    if (!ids.has(one) || !ids.has(other) || one === other) return;
    const [source, target] = [one, other].sort();
    const key = JSON.stringify([source, target]);
    if (!found.has(key)) found.set(key, { key, source, target, kind, words, messages: 0 });
  };
  const worded = (session) => session.type.replaceAll("_", " ");
  for (const session of sessions) if (session.state === "active") add(session.initiator, session.partner, "active", `${worded(session)} under way`);
  for (const session of sessions) if (session.state === "offered") for (const other of session.invited) add(session.initiator, other, "offered", `${worded(session)} offered`);
  const said = messages();
  for (const { sender, target, type } of said) if (target && type.startsWith("feature_")) add(sender, target, "feature", "feature request");
  const recently = Date.now() - 600000;
  for (const session of sessions) if (session.state === "completed" && session.partner && Date.parse(session.changed) > recently) add(session.initiator, session.partner, "done", `${worded(session)}, completed ${ago(session.changed)}`);
  for (const { sender, target } of said) {
    const edge = target && found.get(JSON.stringify([sender, target].sort()));
    if (edge) edge.messages += 1;
  }
  return [...found.values()];
}
