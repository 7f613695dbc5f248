// One task: the search as it goes, what was confirmed, hand-made policies and the optimum, and where the best comes from.
import { chart, style } from "./chart.js";
import { compared, cut, empty, h, level, levelWith, many, signed, table, taskLink, verdict, when } from "./dom.js";
import { get } from "./live.js";
import { tree } from "./view-component.js";

const TYPES = ["os_component_share", "os_component_reference", "performance_report"];
const LINES = 4;
let by = "time";

export function task(workbench, digest, told) {
  let wanted = null;
  try {
    wanted = JSON.stringify(JSON.parse(told));
  } catch {
    // It is no task's address; nothing is found under it.
  }
  return { draw: () => draw(workbench || "", digest || "", wanted), types: TYPES };
}

const key = (found) => JSON.stringify(Object.entries(found || {}).sort());

async function draw(workbench, digest, wanted) {
  const isOurs = (one) => one.workbench === workbench && one.trace_digest === digest && key(one.settings) === wanted;
  const query = new URLSearchParams({ workbench, limit: 500 });
  const [{ tasks, searches }, { components }] = await Promise.all([get(`/api/progress?${new URLSearchParams({ trace_digest: digest || "none", samples: 256 })}`), get(`/api/components?${workbench ? query : "limit=1"}`)]);
  const ours = components.filter(isOurs);
  const confirmed = tasks.find((one) => isOurs(one) && !one.older_rules) || tasks.find(isOurs);
  const search = searches.find(isOurs);
  const named = confirmed || search || ours[0];
  if (!named) return empty("There is no such task.", "Nothing was told or confirmed of it; those that there are stand on the overview.");
  const best = confirmed?.steps.at(-1);
  // All is asked before the first chart is made: it is painted in the next frame, and is to be on the page by then.
  const whole = best ? await get(`/api/components/${encodeURIComponent(best.digest)}`) : null;
  const came = best ? await session(best) : null;
  // From when the search began, if one goes on: what was confirmed long before stands at the left edge.
  const begun = search?.ais.map((ai) => ai.samples[0][0]) ?? confirmed?.steps.map((step) => Date.parse(step.at) / 1000) ?? [];
  const now = Date.now() / 1000;
  const shared = { from: Math.min(now - 60, ...begun) - 1, to: now };
  return [
    h("h2", { class: "title" }, `${named.workbench}: ${named.trace_in_words}`),
    confirmed?.older_rules ? h("p", { class: "refuted" }, "All of this was measured under older rules of the workbench, and ranks beside nothing that is new.") : null,
    named.settings_in_words ? h("p", { class: "what" }, named.settings_in_words) : null,
    facts(confirmed, best),
    ...searching(search, confirmed, shared),
    ...rising(confirmed, shared),
    ...curve(tasks, confirmed),
    ...(best ? [h("h2", {}, "Lineage of the best"), h("p", {}, h("a", { href: `#/component/${best.digest}` }, best.id), ` of ${best.author}${whole.component.description ? `: ${cut(whole.component.description, 300)}` : ""}`), whole.lineage.length ? tree(whole.lineage, best.digest) : h("p", {}, "It names no parents."), came] : []),
    ...claims(ours),
  ].filter(Boolean);
}

function facts(confirmed, best) {
  if (!best) return h("p", {}, "Nothing is confirmed on this task yet.");
  const { gain, unsure } = compared(confirmed);
  const words = [
    ["best learned", [h("a", { href: `#/component/${best.digest}` }, best.id), ` of ${best.author}, level ${levelWith(best)}`]],
    ["hand-made, best in hindsight", confirmed.best_in_hindsight ? `${confirmed.best_in_hindsight}, level ${level(confirmed.best_in_hindsight_level)}` : "those who confirmed don't agree on it yet"],
    ["hand-made, chosen on train", confirmed.chosen_on_train ? `${confirmed.chosen_on_train}, level ${level(confirmed.chosen_on_train_level)}` : "–"],
    ["gain", gain === null ? "–" : h("span", { class: unsure ? null : gain > 0 ? "confirmed" : "refuted" }, `${signed(gain)} of the way from the reference to the optimum, ${gain > 0 ? "better than" : "not better than"} every hand-made policy${unsure ? ", but by less than the interval, which may be luck" : ""}`)],
    ["confirmed", `${many(confirmed.confirmed)} ${confirmed.confirmed === 1 ? "component" : "components"}`],
  ];
  return h("dl", { class: "facts" }, words.flatMap(([label, value]) => [h("dt", {}, label), h("dd", {}, value)]));
}

// The session that a component came of, as its transcript tells; asked once for each, since transcripts are long.
const cameOf = new Map();

async function session({ digest }) {
  if (!cameOf.has(digest)) {
    const { sessions } = await get("/api/sessions?state=completed&limit=100");
    const found = sessions.find((one) => one.transcript.some((step) => step.digest === digest));
    if (!found) return null;
    cameOf.set(digest, found);
  }
  const { type, initiator, partner, description } = cameOf.get(digest);
  return h("p", {}, "It came of a session of ", h("a", { href: "#/sessions" }, `${initiator} and ${partner}`), `: ${type.replaceAll("_", " ")}${description ? `, ${cut(description, 300)}` : ""}`);
}

// What trainers tell of their searches: nobody has measured it again, and it is of the trace as it is.
function searching(search, confirmed, shared) {
  if (!search) return [];
  const those = search.ais.slice(0, LINES);
  const byTime = by === "time";
  const points = those.flatMap((ai) => ai.samples.map((sample) => sample[byTime ? 0 : 1]));
  const x = [...new Set(points)].sort((one, other) => one - other);
  const series = [];
  const data = [x];
  those.forEach((ai, i) => {
    for (const [name, column] of [["validation", 3], ["train", 2]]) {
      const at = new Map(ai.samples.map((sample) => [sample[byTime ? 0 : 1], sample[column]]));
      // One sample makes no line.
      const points = { show: ai.samples.filter((sample) => sample[column] !== null).length === 1, size: 8 };
      series.push({ ...style(i), points, label: `${ai.ai} ${name}`, dash: column === 3 ? [] : [4, 4], spanGaps: true, paths: window.uPlot?.paths.stepped({ align: 1 }) });
      data.push(x.map((time) => (at.has(time) ? at.get(time) : undefined)));
    }
  });
  const now = data.slice(1).map((values) => values.findLast((value) => typeof value === "number")).filter((value) => value !== undefined);
  // A search begins far below what is worth seeing.
  const lowest = Math.min(0, ...now, confirmed?.best_in_hindsight_level ?? 0) - 0.1;
  const other = byTime ? "evaluations" : "time";
  const told = those.map((ai) => `${ai.ai} ${level(ai.validation)} after ${many(ai.evaluations)} evaluations`).join(", ");
  return [
    h("h2", {}, "The search as it goes"),
    h("p", { class: "what" }, "Best so far on train and validation of the trace as it is, as trainers tell it. ", h("button", { id: "by", onclick: () => { by = other; document.dispatchEvent(new Event("redraw")); } }, `by ${other}`), those.length < search.ais.length ? ` These are ${those.length} of ${search.ais.length} AIs.` : ""),
    chart(`search ${by} ${search.trace_digest} ${key(search.settings)}`, `Best on validation: ${told}`, series, data, [lowest, 1.05], byTime ? shared : { numbers: "evaluations" }),
  ];
}

function rising(confirmed, shared) {
  if (!confirmed) return [];
  const since = confirmed.steps.filter((step) => Date.parse(step.at) / 1000 > shared.from);
  const before = confirmed.steps.at(-since.length - 1);
  // An author's clock may be ahead.
  const times = since.map((step) => Math.min(shared.to, Date.parse(step.at) / 1000));
  const x = [shared.from, ...times, shared.to + 1];
  const flat = (value) => x.map(() => value);
  const values = (of) => [before ? of(before) : null, ...since.map(of), of(confirmed.steps.at(-1))];
  const stepped = { paths: window.uPlot?.paths.stepped({ align: 1 }) };
  const series = [
    { ...style(0), ...stepped, label: "best confirmed", width: 3, points: { show: true, size: 6 } },
    { ...style(0), ...stepped, label: "its interval, from", width: 1, dash: [2, 2] },
    { ...style(0), ...stepped, label: "to", width: 1, dash: [2, 2] },
    { ...style(2), label: "optimum", dash: [8, 4] },
    { ...style(7), label: "reference", dash: [2, 4] },
  ];
  const data = [x, values((step) => step.level), values((step) => step.level_low), values((step) => step.level_high), flat(1), flat(0)];
  for (const [i, which, words] of [[5, "best_in_hindsight", "best in hindsight"], [3, "chosen_on_train", "chosen on train"]]) {
    if (!confirmed[which] || (i === 3 && confirmed.chosen_on_train === confirmed.best_in_hindsight)) continue;
    series.push({ ...style(i), label: `${words}: ${confirmed[which]}` });
    data.push(flat(confirmed[`${which}_level`]));
  }
  const lowest = Math.min(0, ...data.slice(1).flat().filter((value) => typeof value === "number"));
  return [
    h("h2", {}, "Confirmed, on held-out"),
    chart(`rise ${confirmed.trace_digest} ${key(confirmed.settings)}`, `Best confirmed level: now ${level(confirmed.steps.at(-1).level)} of 1`, series, data, [Math.max(lowest, -1) - 0.05, 1.05], { ...shared, to: shared.to + 1 }),
  ];
}

// Levels over the setting in which the tasks of this trace differ most, such as the cache's size.
function curve(tasks, confirmed) {
  if (!confirmed) return [];
  const others = tasks.filter((one) => !one.older_rules && one.workbench === confirmed.workbench && one.trace_digest === confirmed.trace_digest);
  const names = Object.keys(confirmed.settings);
  const alike = new Map(names.map((name) => [name, [confirmed]]));
  for (const one of others) {
    const its = one.settings;
    if (Object.keys(its).length !== names.length || !names.every((name) => Object.hasOwn(its, name))) continue;
    const differing = names.filter((name) => its[name] !== confirmed.settings[name]);
    if (differing.length === 1) alike.get(differing[0]).push(one);
  }
  const [name, those] = [...alike].sort(([, one], [, other]) => other.length - one.length)[0] ?? ["", []];
  if (those.length < 2) return [];
  those.sort((one, other) => one.settings[name] - other.settings[name]);
  const data = [those.map((one) => one.settings[name]), those.map((one) => one.steps.at(-1).level), those.map((one) => one.best_in_hindsight_level), those.map(() => 1)];
  const points = { show: true, size: 6 };
  const series = [{ ...style(0), label: "best learned", width: 3, points }, { ...style(5), label: "hand-made, best in hindsight", points }, { ...style(2), label: "optimum", dash: [8, 4] }];
  const lowest = Math.min(0, ...data.slice(1).flat().filter((value) => typeof value === "number"));
  return [
    h("h2", {}, `Level over ${name}`),
    chart(`curve ${confirmed.trace_digest} ${name}`, `Level over ${name}, ${those.length} tasks of this trace`, series, data, [Math.max(lowest, -1) - 0.05, 1.05], { numbers: name }),
    h("p", {}, "Tasks of this trace: ", those.flatMap((one, i) => [i ? ", " : "", one === confirmed ? h("strong", {}, many(one.settings[name])) : h("a", { href: taskLink(one) }, many(one.settings[name]))])),
  ];
}

function claims(ours) {
  if (!ours.length) return [];
  const ordered = [...ours].sort((one, other) => Boolean(one.claimed) - Boolean(other.claimed));
  return [
    h("h2", {}, "Components"),
    table(
      [
        ["component", (c) => h("a", { href: `#/component/${encodeURIComponent(c.digest)}`, title: c.id, class: "clip" }, cut(c.id, 40)), { grow: true }],
        ["level", (c) => (c.claimed ? `claimed: ${level(c.level)}` : levelWith(c)), { number: true }],
        ["verdict", verdict],
        ["author", (c) => c.author, { wide: true }],
        ["shared", (c) => when(c.shared), { wide: true }],
      ],
      ordered.slice(0, 50),
    ),
  ];
}
