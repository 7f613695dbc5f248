import { colourOf, empty, h, s, table, when } from "./dom.js";
import { get, messages } from "./live.js";

const MOST = 120;

export function network() {
  return { draw };
}

async function draw() {
  const [{ ais, known }, { sessions }] = await Promise.all([get("/api/ais?limit=500"), get("/api/sessions?state=active")]);
  if (!ais.length) {
    return empty("No trainer has been here yet.", "Start one on this machine:", h("code", {}, "twistd -n kerneltrainer --id AI_1"));
  }
  const here = ais.filter((ai) => ai.connected).length;
  return [
    h("h2", {}, `${here} connected, ${known} known`),
    picture(ais.slice(0, MOST), sessions),
    known > MOST ? h("p", {}, `drawn are ${Math.min(MOST, ais.length)} of ${known}; the table has ${ais.length}`) : null,
    legend(ais),
    table(
      [
        ["AI", (ai) => ai.id],
        ["specialization", (ai) => ai.specialization],
        ["workbenches", (ai) => ai.workbenches.join(", ")],
        ["state", (ai) => (ai.connected ? h("span", {}, "here since ", when(ai.since)) : h("span", { class: "unmeasured" }, "away, last seen ", when(ai.seen)))],
        ["behind", (ai) => (ai.behind === null ? "–" : ai.behind), { number: true }],
      ],
      ais,
    ),
  ].filter(Boolean);
}

function legend(ais) {
  const kinds = [...new Set(ais.map((ai) => ai.specialization))].sort();
  const dot = (kind) => s("svg", { viewBox: "0 0 10 10", width: "11", height: "11", "aria-hidden": "true" }, s("circle", { cx: "5", cy: "5", r: "5", fill: colourOf(kind) }));
  return h("ul", { class: "legend" }, kinds.map((kind) => h("li", {}, dot(kind), " ", kind)), h("li", {}, "dashed: a collaboration under way; thicker: more messages in ten minutes"));
}

function picture(ais, sessions) {
  const size = 640;
  const centre = size / 2;
  const radius = centre - 70;
  const place = new Map(ais.map((ai, i) => [ai.id, [centre + radius * Math.sin((2 * Math.PI * i) / ais.length), centre - radius * Math.cos((2 * Math.PI * i) / ais.length)]]));
  const count = new Map();
  for (const { sender } of messages()) count.set(sender, (count.get(sender) || 0) + 1);
  const drawing = s("svg", { class: "network", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": `${ais.length} AIs around the hub; the table below has the same` });
  for (const ai of ais) {
    const [x, y] = place.get(ai.id);
    const width = Math.min(8, 0.7 + Math.log2(1 + (count.get(ai.id) || 0)) / 1.5);
    drawing.append(s("line", { x1: centre, y1: centre, x2: x, y2: y, "stroke-width": width, class: ai.connected ? "" : "away", opacity: ai.connected ? 0.6 : 0.15 }));
  }
  for (const session of sessions) {
    const [from, to] = [place.get(session.initiator), place.get(session.partner)];
    if (from && to) {
      const line = s("path", { d: `M${from[0]} ${from[1]}Q${centre + (from[0] + to[0] - size) / 4} ${centre + (from[1] + to[1] - size) / 4} ${to[0]} ${to[1]}`, fill: "none", stroke: "#009e73", "stroke-width": 2.5, "stroke-dasharray": "6 4" });
      line.append(s("title", {}, `${session.type.replaceAll("_", " ")}: ${session.initiator} and ${session.partner}`));
      drawing.append(line);
    }
  }
  drawing.append(s("circle", { cx: centre, cy: centre, r: 18, fill: "#7f7f7f" }), s("text", { x: centre, y: centre + 36, "text-anchor": "middle" }, "hub"));
  for (const ai of ais) {
    const [x, y] = place.get(ai.id);
    const group = s("g", { class: ai.connected ? "" : "away" }, s("circle", { cx: x, cy: y, r: ais.length > 40 ? 6 : 12, fill: colourOf(ai.specialization) }));
    group.append(s("title", {}, `${ai.id}: ${ai.specialization}`));
    if (ais.length <= 40) group.append(s("text", { x, y: y + (y < centre ? -18 : 28), "text-anchor": "middle" }, ai.id.length > 18 ? `${ai.id.slice(0, 17)}…` : ai.id));
    drawing.append(group);
  }
  return drawing;
}
