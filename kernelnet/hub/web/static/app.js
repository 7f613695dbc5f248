import { empty, h } from "./dom.js";
import { connect, get, onChange } from "./live.js";
import { component } from "./view-component.js";
import { components } from "./view-components.js";
import { network } from "./view-network.js";
import { progress } from "./view-progress.js";
import { sessions } from "./view-sessions.js";
import { traffic } from "./view-traffic.js";

// A view is a function from the words of its address to {draw, live}: draw() gives the elements; a live one is drawn anew
// when something was logged.
const VIEWS = { network, progress, components, component, sessions, traffic };
const main = document.getElementById("view");
const state = document.getElementById("state");
let stop = () => {};
let shown = 0;

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

async function show() {
  stop();
  const [name, ...words] = (location.hash.slice(2) || "network").split("/").map(decoded);
  const view = (VIEWS[name] || network)(...words);
  const mine = ++shown;
  for (const link of document.querySelectorAll("nav a")) {
    if (link.hash === `#/${name === "component" ? "components" : name}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  document.title = `${name} – kernelnet hub`;
  main.replaceChildren(h("p", {}, "reading …"));
  const draw = async () => {
    try {
      const drawn = await view.draw();
      // An older view's answer may come late; and what somebody types in is not taken away.
      if (mine === shown && !main.contains(document.activeElement?.closest("input, select"))) main.replaceChildren(...[drawn].flat());
    } catch (error) {
      if (mine !== shown) return;
      if (error.code === 401) main.replaceChildren(empty("You are not signed in.", "kernelnet dashboard prints an address that signs this browser in."));
      else if (error.code === 404) main.replaceChildren(empty("There is no such thing.", error.message));
      else tell("the hub does not answer; trying again …", true);
    }
  };
  await draw();
  stop = view.live === false ? () => {} : onChange(draw);
  main.focus({ preventScroll: true });
}

window.addEventListener("hashchange", show);
await show();
try {
  await get("/api/status");
  connect(tell);
} catch (error) {
  tell(error.code === 401 ? "not signed in" : "the hub does not answer", true);
}
