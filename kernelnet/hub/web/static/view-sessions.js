import { empty, h, level, when } from "./dom.js";
import { get } from "./live.js";

const ORDER = ["active", "offered", "completed", "declined", "expired"];

export function sessions() {
  return { draw };
}

async function draw() {
  const found = (await get("/api/sessions?limit=200")).sessions;
  if (!found.length) return empty("No collaboration yet.", "Two trainers that are connected begin one within seconds.");
  return ORDER.flatMap((state) => {
    const those = found.filter((session) => session.state === state);
    return those.length ? [h("h2", {}, `${state}: ${those.length}`), h("div", { class: "cards" }, those.map(card))] : [];
  });
}

function card(session) {
  return h(
    "section",
    { class: "card" },
    h("h2", {}, session.type.replaceAll("_", " ")),
    h("p", {}, `${session.initiator} with ${session.partner || `any of ${session.invited.join(", ")}`}; begun `, when(session.created), ", changed ", when(session.changed)),
    session.component ? h("p", {}, "came to ", h("a", { href: `#/component/${encodeURIComponent(session.component)}` }, session.component)) : null,
    session.transcript.length ? h("ol", { class: "steps" }, session.transcript.map((step) => h("li", {}, told(step)))) : null,
  );
}

function told(step) {
  const words = [`${step.by}: ${step.what}`];
  if (step.objective) words.push(`for ${step.objective}`);
  if (step.parents?.length) words.push(`from ${step.parents.length} parent${step.parents.length > 1 ? "s" : ""}`);
  words.push(step.component ? `→ ${step.component}, score ${step.score}, level ${level(step.level)}` : "→ nothing passed the guard");
  if (step.verdict) words.push(step.verdict);
  return `${words.join(" ")} (${step.seconds} s)`;
}
