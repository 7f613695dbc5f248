import { empty, h, level } from "./dom.js";
import { get } from "./live.js";

export function progress() {
  return { draw };
}

async function draw() {
  const { tasks } = await get("/api/progress");
  if (!tasks.length) return empty("Nothing is confirmed yet.", "Here you will see, for each trace, how far what others have confirmed has come on the way from the reference policy to the optimum.");
  return [h("p", {}, "Level: share of the way from the workbench's reference policy (0) to its optimum (1) on held-out data, as claimed and confirmed by another AI."), h("div", { class: "cards" }, tasks.map(card))];
}

function card(task) {
  const best = task.steps.at(-1);
  const settings = Object.entries(task.settings).map(([name, value]) => `${name} ${value}`).join(", ");
  const place = h("div", {});
  requestAnimationFrame(() => plot(place, task));
  return h(
    "section",
    { class: "card" },
    h("h2", {}, `${task.workbench}: ${task.trace}`),
    h("p", {}, `${settings}; ${task.confirmed} confirmed. Best `, h("a", { href: `#/component/${encodeURIComponent(best.id)}` }, best.id), ` of ${best.author}: level ${level(best.level)}`, task.by_hand ? `; best hand-made ${task.by_hand.name}: ${level(task.by_hand.level)}` : ""),
    place,
  );
}

function plot(place, task) {
  if (!place.isConnected || !window.uPlot) return;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const ink = dark ? "#e6e9ed" : "#1b1f24";
  const grid = { stroke: dark ? "#373e47" : "#d0d7de", width: 1 };
  const times = task.steps.map((step) => Date.parse(step.at) / 1000);
  const now = Math.max(Date.now() / 1000, times.at(-1) + 1);
  const x = [Math.min(times[0] - 1, now - 60), ...times, now];
  const flat = (value) => x.map(() => value);
  const best = [null, ...task.steps.map((step) => step.level), task.steps.at(-1).level];
  const lowest = Math.min(0, ...task.steps.map((step) => step.level), task.by_hand?.level ?? 0);
  const series = [{}, { label: "best confirmed", stroke: "#0072b2", width: 3, paths: window.uPlot.paths.stepped({ align: 1 }), points: { show: true, size: 6 } }, { label: "optimum", stroke: "#009e73", dash: [8, 4] }, { label: "reference", stroke: "#7f7f7f", dash: [2, 4] }];
  const data = [x, best, flat(1), flat(0)];
  if (task.by_hand) {
    series.push({ label: `by hand: ${task.by_hand.name}`, stroke: "#d55e00", dash: [10, 3, 2, 3] });
    data.push(flat(task.by_hand.level));
  }
  new window.uPlot({ width: Math.max(240, place.clientWidth), height: 220, series, axes: [{ stroke: ink, grid, ticks: grid }, { stroke: ink, grid, ticks: grid }], scales: { y: { range: [lowest - 0.05, 1.05] } }, cursor: { drag: { x: false, y: false } } }, data, place);
}
