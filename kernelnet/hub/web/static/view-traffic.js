import { h, table } from "./dom.js";
import { get, messages } from "./live.js";

export function traffic() {
  return { draw };
}

async function draw() {
  const [status, { ais }] = await Promise.all([get("/api/status"), get("/api/ais?limit=500")]);
  const log = status.log;
  const facts = [
    ["log position", log.position],
    ["oldest message that can be read", log.oldest],
    ["waiting to be committed", log.waiting],
    ["disk", log.full ? "full: nothing is taken" : "has room"],
    ["connections", `${status.connections}, ${status.limits.unauthenticated} not authenticated`],
    ["failed authentications", status.limits.failed],
    ["read more slowly", status.limits.slowed],
    ["up since", status.started],
    ["version", status.version],
  ];
  const slow = ais.filter((ai) => ai.connected && ai.behind > 0);
  const place = h("div", {});
  requestAnimationFrame(() => plot(place));
  return [
    h("h2", {}, "Messages a second, last ten minutes"),
    place,
    h("h2", {}, "The hub"),
    h("dl", { class: "facts" }, facts.flatMap(([label, value]) => [h("dt", {}, label), h("dd", {}, value)])),
    h("h2", {}, "Messages since the start"),
    table([["type", ([type]) => type], ["received", ([, count]) => count, { number: true }]], Object.entries(status.messages)),
    h("h2", {}, `Slow consumers: ${slow.length}`),
    slow.length ? table([["AI", (ai) => ai.id], ["behind", (ai) => ai.behind, { number: true }]], slow) : h("p", {}, "Everybody who is connected has been sent everything."),
  ];
}

function plot(place) {
  if (!place.isConnected || !window.uPlot) return;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const ink = dark ? "#e6e9ed" : "#1b1f24";
  const grid = { stroke: dark ? "#373e47" : "#d0d7de", width: 1 };
  const step = 5;
  const now = Math.floor(Date.now() / 1000 / step) * step;
  const x = Array.from({ length: 120 }, (_, i) => now - (119 - i) * step);
  const count = new Float64Array(120);
  for (const { at } of messages()) {
    const i = 119 - Math.floor((now - at / 1000) / step + 1);
    if (i >= 0 && i < 120) count[i] += 1 / step;
  }
  new window.uPlot({ width: Math.max(240, place.clientWidth), height: 220, series: [{}, { label: "messages/s", stroke: "#0072b2", fill: "#0072b233", width: 2 }], axes: [{ stroke: ink, grid, ticks: grid }, { stroke: ink, grid, ticks: grid }], cursor: { drag: { x: false, y: false } } }, [x, [...count]], place);
}
