// What the hub says, and that it is still there.
const listeners = new Set();
const recent = [];
let stream = null;

export async function get(path) {
  const answer = await fetch(path, { credentials: "same-origin" });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error), { code: answer.status });
  return body;
}

// Calls listener() soon after something was logged, at most once a second.  Returns how to end that.
export function onChange(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

// The messages of the last ten minutes, as {at (ms), type, sender, target}.
export const messages = () => recent;

let due = false;
function changed() {
  if (due) return;
  due = true;
  setTimeout(() => {
    due = false;
    for (const listener of [...listeners]) listener();
  }, 1000);
}

export function connect(tell) {
  stream = new EventSource("/api/events");
  stream.onopen = () => {
    tell("live", false);
    changed();
  };
  stream.onerror = () => tell("the hub does not answer; trying again …", true);
  stream.onmessage = (event) => {
    const said = JSON.parse(event.data);
    recent.push({ at: Date.now(), type: said.type, sender: said.sender, target: said.target });
    while (recent.length && recent[0].at < Date.now() - 600000) recent.shift();
    changed();
  };
  setInterval(changed, 5000);
  // Pictures are drawn as wide as the page is.
  window.addEventListener("resize", changed);
}
