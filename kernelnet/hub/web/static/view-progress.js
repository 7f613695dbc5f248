import { chart, style } from "./chart.js";
import { empty, h, level, levelWith, table, taskLink } from "./dom.js";
import { get } from "./live.js";

const CARDS = 24;
const TYPES = ["os_component_share", "os_component_reference", "performance_report"];
let most = CARDS;

export function progress() {
  return { draw, types: TYPES };
}

async function draw() {
  const [{ tasks }, { families }] = await Promise.all([get("/api/progress"), get("/api/families")]);
  if (!tasks.length) return empty("Nothing is confirmed yet.", "Here you will see, for each trace, how far what others have confirmed has come on the way from the reference policy to the optimum.");
  const more = tasks.length > most ? h("button", { onclick: () => { most = Infinity; document.dispatchEvent(new Event("redraw")); } }, `all ${tasks.length} tasks`) : null;
  return [
    h("p", {}, "Level: share of the way from the workbench's reference policy (0) to its optimum (1) on held-out data, as those measured it who confirmed it; ± half the width of its interval."),
    h("div", { class: "cards" }, tasks.slice(0, most).map(card)),
    more,
    ...byFamily(families),
  ].filter(Boolean);
}

function byFamily(families) {
  if (!families.length) return [];
  const number = { number: true };
  const columns = [
    ["Family", (one) => h("a", { href: `#/component/${encodeURIComponent(one.first)}` }, one.family.slice(0, 10))],
    ["First shared by", (one) => one.author, { grow: true }],
    ["Workbench", (one) => one.workbench, { wide: true }],
    ["Best on tasks", (one) => one.best, number],
    ["Confirmed on", (one) => one.tasks, number],
    ["Owners", (one) => one.owners, number],
  ];
  return [
    h("h2", {}, "By family"),
    h("p", {}, "Sources that are the same but for their marked numbers. A peer's search takes in a family, and tunes its numbers on its own traces."),
    table(columns, families.slice(0, CARDS)),
  ];
}

function card(task) {
  const best = task.steps.at(-1);
  const about = [task.settings_in_words, `${task.confirmed} confirmed`].filter(Boolean).join("; ");
  const byHand = task.best_in_hindsight ? `; hand-made, best in hindsight, ${task.best_in_hindsight}: ${level(task.best_in_hindsight_level)}` : "";
  return h(
    "section",
    { class: "card" },
    h("h2", {}, h("a", { href: taskLink(task) }, `${task.workbench}: ${task.trace_in_words}`)),
    h("p", {}, `${task.older_rules ? "Under older rules of the workbench. " : ""}${about}. Best `, h("a", { href: `#/component/${encodeURIComponent(best.id)}` }, best.id), ` of ${best.author}: level ${levelWith(best)}${byHand}`),
    plot(task, `Best confirmed level over time: now ${level(best.level)} of 1${byHand}`),
  );
}

function plot(task, words) {
  const times = task.steps.map((step) => Date.parse(step.at) / 1000);
  const now = Math.max(Date.now() / 1000, times.at(-1) + 1);
  const x = [Math.min(times[0] - 1, now - 60), ...times, now];
  const flat = (value) => x.map(() => value);
  const levels = task.steps.map((step) => step.level);
  const series = [
    { ...style(0), label: "best confirmed", width: 3, paths: window.uPlot.paths.stepped({ align: 1 }), points: { show: true, size: 6 } },
    { ...style(2), label: "optimum", dash: [8, 4] },
    { ...style(7), label: "reference", dash: [2, 4] },
  ];
  const data = [x, [null, ...levels, levels.at(-1)], flat(1), flat(0)];
  if (task.best_in_hindsight) {
    series.push({ ...style(5), label: `best in hindsight: ${task.best_in_hindsight}`, dash: [10, 3, 2, 3] });
    data.push(flat(task.best_in_hindsight_level));
  }
  const lowest = Math.min(0, ...levels, task.best_in_hindsight_level ?? 0);
  return chart(`progress ${task.workbench} ${task.trace_digest} ${JSON.stringify(task.settings)}`, words, series, data, [lowest - 0.05, 1.05]);
}
