// The first glance: what was reached, who works on what, what happened last.
import { chart, style } from "./chart.js";
import { compared, empty, h, level, levelWith, many, signed, table, toTask, usd, when } from "./dom.js";
import { get } from "./live.js";

const ROWS = 12;
const TYPES = ["os_component_share", "os_component_reference", "performance_report", "collaboration_response"];
let rows = ROWS;

export function overview() {
  return { draw, types: TYPES };
}

async function draw() {
  const [found, { tasks }] = await Promise.all([get("/api/overview"), get("/api/progress?samples=1")]);
  if (!found.connected && !tasks.length) return empty("No trainer has been here yet.", "Start one on this machine:", h("code", {}, "twistd -n kerneltrainer --id AI_1"));
  return [
    h("div", { class: "figures" }, figures(found)),
    h("div", { class: "cards" },
      h("section", { class: "card" }, h("h2", {}, "Who works on what"), working(found)),
      h("section", { class: "card" }, h("h2", {}, "What happened last"), found.events.length ? h("ol", { class: "events" }, found.events.map((event) => h("li", {}, told(event)))) : h("p", {}, "Nothing worth telling yet."))),
    ...models(found),
    ...best(tasks),
    ...gain(found),
  ].filter(Boolean);
}

function figures({ tasks, claims, connected }) {
  const better = tasks.compared ? `${tasks.better} of ${tasks.compared}` : "–";
  const unknown = tasks.known - tasks.compared;
  const more = [tasks.unsure ? `${many(tasks.unsure)} of these ${LUCK}` : "", unknown ? `of ${many(unknown)} more it is not agreed yet` : ""];
  return [
    figure(better, "tasks better than every hand-made policy", more.filter(Boolean).join("; ")),
    figure(signed(tasks.median_gain), "median gain in level over the best in hindsight", "of the way from the reference to the optimum"),
    figure(many(claims.confirmed), "claims confirmed", `${many(claims.waiting)} waiting, ${many(claims.refuted)} refuted${claims.disputed ? `, ${many(claims.disputed)} disputed` : ""}`),
    figure(many(connected), "AIs connected", ""),
  ];
}

const figure = (value, words, more) => h("section", { class: "figure" }, h("strong", {}, value), h("span", {}, words), more ? h("small", {}, more) : null);

function working({ working: those, connected }) {
  if (!those.length) return h("p", {}, connected ? "Those who are connected have not said what they work on." : "Nobody is connected.");
  return table(
    [
      ["AI", (one) => one.ai],
      ["task", (one) => toTask(one.task), { grow: true }],
      ["evaluations", (one) => many(one.evaluations), { number: true, wide: true }],
      ["on validation", (one) => level(one.validation), { number: true }],
    ],
    those,
  );
}

// Nobody can check it: so it says whose words these are.
function models({ working: those }) {
  const asking = those.filter((one) => one.costs);
  if (!asking.length) return [];
  const each = ({ accepted, usd: all }) => (accepted && typeof all === "number" ? usd(all / accepted) : "–");
  return [
    h("h2", {}, "Language models, as each AI tells itself"),
    table(
      [
        ["AI", (one) => one.ai],
        ["calls", (one) => many(one.costs.calls), { number: true }],
        ["passed its guard", (one) => many(one.costs.accepted), { number: true }],
        ["tokens", (one) => many(one.costs.tokens), { number: true }],
        ["by list prices", (one) => usd(one.costs.usd), { number: true }],
        ["for each that passed", (one) => each(one.costs), { number: true, wide: true }],
      ],
      asking,
    ),
    h("p", { class: "what" }, "In all runs of each AI. A call whose usage its server didn't tell counts as the most that it may have taken."),
  ];
}

// Two lines: when and who, then what of it; each is cut where there is no more room.
function told(event) {
  const line = (...words) => h("div", { class: "line" }, words);
  const component = () => h("a", { href: `#/component/${event.digest}` }, event.component);
  if (event.what === "best") {
    const result = `${level(event.level)}${event.gain === null ? "" : `, gain ${signed(event.gain)}`}`;
    return [line(h("span", {}, when(event.at), ` ${event.who}: `, component()), h("span", { class: "kept result" }, result)), line(h("span", { class: "kept" }, "is the best on "), toTask(event.task))];
  }
  if (event.what === "refuted") return [line(h("span", {}, when(event.at), ` ${event.who}: `, component())), line(h("span", {}, "was ", h("span", { class: "refuted" }, `refuted by ${event.by.join(", ")}`)))];
  return [line(h("span", {}, when(event.at), ` ${event.who} and ${event.with}`)), line(h("span", {}, `completed a session: ${event.type.replaceAll("_", " ")}`))];
}

const LUCK = "by less than the interval, which may be luck";

function gained(task) {
  const { gain: by, unsure } = compared(task);
  return h("span", unsure ? { title: LUCK } : { class: by > 0 ? "confirmed" : "" }, `${unsure ? "~ " : ""}${signed(by)}`);
}

function best(tasks) {
  if (!tasks.length) return [h("h2", {}, "Tasks"), empty("Nothing is confirmed yet.", "Here you will see, for each task, how far what others have confirmed has come on the way from the reference policy to the optimum.")];
  const ordered = tasks.filter((task) => !task.older_rules).sort((one, other) => (compared(other).gain ?? -9) - (compared(one).gain ?? -9));
  const more = ordered.length > rows ? h("button", { onclick: () => { rows = Infinity; document.dispatchEvent(new Event("redraw")); } }, `all ${ordered.length} tasks`) : null;
  return [
    h("h2", {}, "Tasks"),
    table(
      [
        ["task", toTask, { grow: true }],
        ["best learned", (task) => levelWith(task.steps.at(-1)), { number: true }],
        ["best in hindsight", (task) => (task.best_in_hindsight ? `${task.best_in_hindsight} ${level(task.best_in_hindsight_level)}` : "–"), { number: true, wide: true }],
        ["gain", gained, { number: true }],
        ["author", (task) => task.steps.at(-1).author, { wide: true }],
        ["confirmed", (task) => many(task.confirmed), { number: true, wide: true }],
      ],
      ordered.slice(0, rows),
    ),
    more,
    h("p", { class: "what" }, "Level: share of the way from the workbench's reference policy (0) to its optimum (1) on held-out data, as those measured it who confirmed it; ± half the width of its interval; ~ a gain within it."),
  ];
}

function gain({ gain: points }) {
  if (!points.length) return [];
  const times = points.map((point) => Date.parse(point.at) / 1000);
  const now = Math.max(Date.now() / 1000, times.at(-1) + 1);
  const [x, shared] = [[...times, now], { from: times[0] - 1, to: now }];
  const held = (values) => [...values, values.at(-1)];
  const stepped = { paths: window.uPlot?.paths.stepped({ align: 1 }), width: 3 };
  const last = points.at(-1);
  return [
    h("h2", {}, "Gain over time"),
    h("div", { class: "cards" },
      h("section", { class: "card" }, h("h2", {}, "Tasks better than every hand-made policy"), chart("better", `Now ${last.better} tasks`, [{ ...style(0), ...stepped, label: "tasks" }], [x, held(points.map((point) => point.better))], (_, __, most) => [0, Math.max(1, most * 1.1)], shared)),
      h("section", { class: "card" }, h("h2", {}, "Median gain in level"), chart("gain", `Now ${signed(last.median_gain)}`, [{ ...style(2), ...stepped, label: "median gain" }], [x, held(points.map((point) => point.median_gain))], (_, least, most) => [Math.min(0, least * 1.1), Math.max(0.05, most * 1.1)], shared))),
  ];
}
