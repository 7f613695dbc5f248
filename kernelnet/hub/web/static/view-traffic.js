import { chart, style } from "./chart.js";
import { h, many, since, table } from "./dom.js";
import { get } from "./live.js";

const KINDS = 8;

export function traffic() {
  return { draw, types: [] };
}

async function draw() {
  const found = await get("/api/traffic");
  const { now } = found;
  const facts = [
    ["log position", now.log.position],
    ["oldest message that can be read", now.log.oldest],
    ["waiting to be committed", now.log.waiting],
    ["disk", now.log.full ? "full: nothing is taken" : "has room"],
    ["connections", `${now.connections}, ${now.limits.unauthenticated} not authenticated`],
    ["failed authentications", now.limits.failed],
    ["read more slowly", now.limits.slowed],
    ["up for", since(now.started)],
    ["version", now.version],
  ];
  const last = (values) => values.at(-1);
  const milliseconds = (values) => values.map((value) => (value === null ? null : value * 1000));
  const { slow } = found;
  const shared = { from: found.at[0], to: found.at.at(-1) };
  return [
    ...nodes(found.nodes, now.node),
    h("h2", {}, "Messages a second, by type"),
    found.at.length ? messages(found) : h("p", {}, "The first sample comes within five seconds."),
    h("div", { class: "cards" },
      h("section", { class: "card" }, h("h2", {}, "Commit latency, ms"), chart("commit", `Milliseconds to the disk: mean ${last(milliseconds(found.commit_mean))?.toFixed(1) ?? "none"}`, [{ ...style(0), label: "mean" }, { ...style(5), label: "99 of 100 within" }], [found.at, milliseconds(found.commit_mean), milliseconds(found.commit_p99)], (_, __, most) => [0, Math.max(1, most * 1.1)], { ...shared, roots: 1 })),
      h("section", { class: "card" }, h("h2", {}, "Queues"), chart("queues", `Waiting for a commit: ${last(found.waiting) ?? 0} messages; behind the log: ${last(found.behind) ?? 0} connections`, [{ ...style(0), label: "messages waiting for a commit" }, { ...style(5), label: "connections behind the log" }], [found.at, found.waiting, found.behind], (_, __, most) => [0, Math.max(5, most * 1.1)], { ...shared, roots: 1 })),
      h("section", { class: "card" }, h("h2", {}, "Log position"), chart("position", `Log position: ${now.log.position}`, [{ ...style(2), label: "log position" }], [found.at, found.position], undefined, shared)),
      h("section", { class: "card" }, h("h2", {}, "The hub"), h("dl", { class: "facts" }, facts.flatMap(([label, value]) => [h("dt", {}, label), h("dd", {}, value)]))),
    ),
    h("h2", {}, `Slow consumers: ${slow.length}`),
    slow.length ? table([["AI", (ai) => ai.id], ["messages behind", (ai) => ai.behind, { number: true }]], slow) : h("p", {}, "Everybody who is connected has been sent everything."),
    h("h2", {}, "Messages since the start"),
    table([["type", ([type]) => type], ["received", ([, count]) => count, { number: true }]], Object.entries(now.messages)),
  ];
}

// Where several hubs use one database: all of them; what stands below is of the one that is asked.
function nodes(all, mine) {
  if (all.length < 2) return [];
  const there = all.filter((node) => node.connections !== null);
  const sum = (key) => there.reduce((sum, node) => sum + node[key], 0);
  return [
    h("h2", {}, `${there.length} of ${all.length} nodes are there: ${many(sum("ais"))} AIs, ${many(sum("connections"))} connections, ${sum("messages_per_second").toFixed(1)} messages a second`),
    table(
      [
        ["node", (node) => (node.node === mine ? h("strong", {}, node.node) : node.node)],
        ["state", (node) => h("span", { class: node.state === "alive" ? null : "unmeasured" }, node.state)],
        ["AIs", (node) => many(node.ais), { number: true }],
        ["connections", (node) => many(node.connections), { number: true }],
        ["messages a second", (node) => many(node.messages_per_second), { number: true }],
        ["behind", (node) => many(node.behind), { number: true }],
        ["up for", (node) => (node.connections === null ? "–" : since(node.started)), { wide: true }],
        ["version", (node) => node.version, { wide: true }],
        ["address", (node) => node.address ?? "–", { wide: true }],
      ],
      all,
    ),
    h("p", {}, `What follows is of ${mine}.`),
  ];
}

function messages(found) {
  const sum = (values) => values.reduce((all, value) => all + value, 0);
  const kinds = Object.entries(found.messages).sort(([, one], [, other]) => sum(other) - sum(one)).slice(0, KINDS).map(([kind]) => kind).sort();
  if (!kinds.length) return h("p", {}, "None in the last ten minutes.");
  const now = kinds.map((kind) => `${kind} ${found.messages[kind].at(-1)}`).join(", ");
  return chart("messages", `Messages a second, last ten minutes; now ${now}`, kinds.map((kind, i) => ({ ...style(i), label: kind })), [found.at, ...kinds.map((kind) => found.messages[kind])], (_, __, most) => [0, Math.max(1, most * 1.1)], { from: found.at[0], to: found.at.at(-1), roots: 1 });
}
