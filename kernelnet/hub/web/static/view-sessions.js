import { empty, h, level, many, when } from "./dom.js";
import { get } from "./live.js";

const ORDER = ["active", "offered", "completed", "declined", "expired"];
const TYPES = ["collaboration_request", "collaboration_response", "os_component_share"];
const chosen = { state: "", pages: 1 };

export function sessions() {
  return { draw, types: TYPES };
}

async function draw() {
  const again = () => document.dispatchEvent(new Event("redraw"));
  let after = null;
  const found = [];
  for (let page = 0; page < chosen.pages; page += 1) {
    const query = new URLSearchParams({ limit: 50, ...(chosen.state && { state: chosen.state }), ...(after && { after }) });
    const answer = await get(`/api/sessions?${query}`);
    found.push(...answer.sessions);
    after = answer.next;
    if (!after) break;
  }
  const filter = h("form", { class: "filter", onsubmit: (event) => event.preventDefault() }, h("label", {}, "state ", h("select", { id: "state-of-sessions", onchange: (event) => { Object.assign(chosen, { state: event.target.value, pages: 1 }); again(); } }, ["", ...ORDER].map((state) => h("option", { value: state, selected: state === chosen.state }, state || "all")))));
  if (!found.length) return [filter, empty(chosen.state ? `None is ${chosen.state}.` : "No collaboration yet.", "Two trainers that are connected begin one within seconds.")];
  const parts = ORDER.flatMap((state) => {
    const those = found.filter((session) => session.state === state);
    return those.length ? [h("h2", {}, `${state}: ${those.length}`), h("div", { class: "cards" }, those.map(card))] : [];
  });
  return [filter, ...parts, after ? h("button", { onclick: () => { chosen.pages += 1; again(); } }, "older ones") : null].filter(Boolean);
}

function card(session) {
  const others = session.partner || `any of ${session.invited.slice(0, 5).join(", ")}${session.invited.length > 5 ? " …" : ""}`;
  const declined = session.declined.length && !session.partner ? `; declined by ${session.declined.slice(0, 5).join(", ")}` : "";
  return h(
    "section",
    { class: "card" },
    h("h2", {}, session.type.replaceAll("_", " ")),
    h("p", {}, `${session.initiator} with ${others}; begun `, when(session.created), ", changed ", when(session.changed), declined),
    session.description ? h("p", { class: "what" }, session.description.slice(0, 300)) : null,
    session.component ? h("p", {}, "came to ", linked(session)) : null,
    session.transcript.length ? [session.transcript.some((step) => step.seconds > 0) ? timeLine(session) : null, h("ol", { class: "steps" }, session.transcript.map((step) => h("li", {}, told(step))))] : null,
  );
}

// Who was at work when: a line for each, a bar for each step, as long as it took; what took no time is a mark.
function timeLine(session) {
  const names = [...new Set(session.transcript.filter((step) => step.what !== "note").map((step) => step.by))].slice(0, 4);
  const length = (step) => Math.max(0, Number(step.seconds) || 0);
  const whole = session.transcript.reduce((sum, step) => sum + length(step), 0) || 1;
  let begun = 0;
  const bars = session.transcript.map((step, i) => {
    const row = names.indexOf(step.by);
    const from = begun;
    begun += length(step);
    if (row < 0 || step.what === "note") return null;
    const bar = h("span", { class: `bar who${row}`, title: `${i + 1}. ${step.by}: ${step.what}, ${length(step)} s` });
    bar.style.left = `calc((100% - 3px) * ${from / whole})`;
    bar.style.width = `${(100 * length(step)) / whole}%`;
    return bar;
  });
  const lines = names.map((name, row) => h("div", { class: "row" }, h("span", { class: "name", title: name }, name), h("span", { class: "bars" }, bars.filter((bar) => bar?.classList.contains(`who${row}`)))));
  return h("div", { class: "timeline", role: "img", "aria-label": `${names.join(" and ")} worked ${whole.toFixed(0)} s in ${session.transcript.length} steps` }, lines, h("div", { class: "row" }, h("span", { class: "name" }), h("span", { class: "scale" }, h("span", {}, "0 s"), h("span", {}, `${whole.toFixed(0)} s`))));
}

// Most of what was built on the way was never shared: there is nothing to go to.
const linked = ({ component, held }) => (held ? h("a", { href: `#/component/${encodeURIComponent(held)}` }, component) : component);

function told(step) {
  // Whatever a stranger says stands in quotation marks, and is text alone.
  if (step.what === "note") return [`${step.by} writes: `, h("q", { class: "stranger" }, step.note)];
  const words = [`${step.by}: ${step.what}`];
  if (step.task) words.push(`on ${step.task}`);
  if (step.objective) words.push(`for ${step.objective}`);
  if (step.parents?.length) words.push(`from ${step.parents.length} parent${step.parents.length > 1 ? "s" : ""}`);
  if (step.hints?.length) words.push(`with ${step.hints.length} hint${step.hints.length > 1 ? "s" : ""} of another bench`);
  if (step.component) words.push(["→ ", linked(step), `, score ${many(step.score)}, level ${level(step.level)}`]);
  else if (["build", "improve"].includes(step.what)) words.push("→ nothing passed the guard");
  if (step.verdict) words.push(h("span", { class: step.verdict }, step.verdict));
  if (step.note) words.push(`– ${step.note}`);
  return [...words.flatMap((word) => [word, " "]).flat(), `(${Math.round(10 * (step.seconds || 0)) / 10} s)`];
}
