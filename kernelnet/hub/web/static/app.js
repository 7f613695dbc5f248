import { empty, h } from "./dom.js";
import { forgetCharts } from "./chart.js";
import { connect, get, onChange } from "./live.js";
import { component } from "./view-component.js";
import { components } from "./view-components.js";
import { network } from "./view-network.js";
import { overview } from "./view-overview.js";
import { progress } from "./view-progress.js";
import { sessions } from "./view-sessions.js";
import { sites } from "./view-sites.js";
import { task } from "./view-task.js";
import { traffic } from "./view-traffic.js";

// A view is a function from the words of its address to {draw, types}: draw() gives the elements; one with types is drawn
// anew every five seconds, and when messages of these types were logged.
const VIEWS = { overview, task, network, progress, components, component, sites, sessions, traffic };
// Pages that no word of the navigation leads to: below which they stand.
const PARENTS = { component: "components", task: "overview" };
const main = document.getElementById("view");
const state = document.getElementById("state");
let stop = () => {};
let shown = 0;
let redraw = () => {};

function decoded(word) {
  try {
    return decodeURIComponent(word);
  } catch {
    return word;
  }
}

function tell(words, bad) {
  state.textContent = words;
  state.className = bad ? "bad" : "";
}

const SIGN_IN = ["You are not signed in.", "kernelnet dashboard prints an address that signs this browser in."];

// Where somebody is on the page: who goes through it by keyboard stays there when it is drawn anew.
function whereFocusIs() {
  const element = document.activeElement;
  if (!element || element === main || !main.contains(element)) return null;
  if (element.id) return () => document.getElementById(element.id);
  const selector = element.tagName + (element.hasAttribute("href") ? `[href="${CSS.escape(element.getAttribute("href"))}"]` : "");
  const alike = [...main.querySelectorAll(selector)];
  const [words, place] = [element.textContent, alike.indexOf(element)];
  return () => {
    const found = [...main.querySelectorAll(selector)];
    return found.find((other) => other.textContent === words) || found[place];
  };
}

function put(...elements) {
  const focus = whereFocusIs();
  const scrolled = [...main.querySelectorAll(".scroll")].map((element) => element.scrollLeft);
  main.replaceChildren(...elements);
  main.querySelectorAll(".scroll").forEach((element, i) => (element.scrollLeft = scrolled[i] || 0));
  focus?.()?.focus({ preventScroll: true });
}

async function show() {
  stop();
  forgetCharts();
  const [name, ...words] = (location.hash.slice(2) || "overview").split("/").map(decoded);
  const isThere = Object.hasOwn(VIEWS, name);
  const view = isThere ? VIEWS[name](...words) : { draw: () => empty("There is no such page.", "The pages are those above.") };
  const mine = ++shown;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${PARENTS[name] || name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${isThere ? name : "no such page"} – kernelnet hub`;
  main.replaceChildren(h("p", {}, "reading …"));
  const draw = async (asked = false) => {
    try {
      const drawn = await view.draw();
      // An older view's answer may come late; and what somebody types in is not taken away.
      if (mine === shown && (asked || !main.contains(document.activeElement?.closest("input, select")))) put(...[drawn].flat());
    } catch (error) {
      if (mine !== shown) return;
      if (error.code === 401) main.replaceChildren(empty(...SIGN_IN));
      else if (error.code === 404) main.replaceChildren(empty("There is no such thing.", error.message));
      else tell("the hub does not answer; trying again …", true);
    }
  };
  await draw();
  if (mine !== shown) return;
  redraw = draw;
  stop = view.types ? onChange(view.types, () => draw()) : () => {};
  main.focus({ preventScroll: true });
}

function signedOut() {
  shown += 1;
  stop();
  tell("not signed in", true);
  main.replaceChildren(empty(...SIGN_IN));
}

window.addEventListener("hashchange", show);
document.addEventListener("redraw", () => redraw(true));
await show();
try {
  await get("/api/traffic");
  connect(tell, signedOut);
} catch (error) {
  tell(error.code === 401 ? "not signed in" : "the hub does not answer", true);
}
