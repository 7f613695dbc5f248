// What the hub says, and that it is still there.
const SOON = 1000;
const QUIET = 5000;
const KEPT = 600000;
const listeners = new Set();
const recent = [];
let stream = null;
let tell = () => {};
let lost = () => {};

// Answers that are a second old will do: the hub then reads what ten pages show once.
export async function get(path) {
  const answer = await fetch(path, { credentials: "same-origin", headers: { "Cache-Control": "max-age=1" } });
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.error), { code: answer.status });
  return body;
}

// Calls listener() every five seconds, and soon after a message of these types was logged.  Returns how to end that.
export function onChange(types, listener) {
  const entry = { types: new Set(types), listener };
  listeners.add(entry);
  return () => listeners.delete(entry);
}

// The messages of the last ten minutes that this page was told of, as {at (ms), type, sender, target}.
export const messages = () => recent;

let due = null;
function changed(types = null) {
  for (const entry of listeners) if (types === null || types.some((type) => entry.types.has(type))) entry.due = true;
  if (due !== null || ![...listeners].some((entry) => entry.due)) return;
  due = setTimeout(() => {
    due = null;
    for (const entry of [...listeners]) {
      if (entry.due) {
        entry.due = false;
        entry.listener();
      }
    }
  }, SOON);
}

function open() {
  stream?.close();
  stream = new EventSource("/api/events?most=20");
  stream.onopen = () => {
    tell("live", false);
    changed();
  };
  stream.onmessage = (event) => {
    const said = JSON.parse(event.data);
    recent.push({ at: Date.now(), type: said.type, sender: said.sender, target: said.target });
    while (recent.length && recent[0].at < Date.now() - KEPT) recent.shift();
    changed([said.type]);
  };
  stream.addEventListener("skipped", (event) => changed(JSON.parse(event.data).types));
  stream.onerror = () => {
    tell("the hub does not answer; trying again …", true);
    // It tries again by itself while nobody answers, and gives up when it is refused.
    if (stream?.readyState === EventSource.CLOSED) setTimeout(again, 2000);
  };
}

async function again() {
  try {
    await get("/api/traffic");
    open();
  } catch (error) {
    if (error.code === 401) lost(error);
    else setTimeout(again, 2000);
  }
}

// tell(words, isBad): how it stands; lost(error): this browser is signed in no longer.
export function connect(telling, losing) {
  [tell, lost] = [telling, losing];
  open();
  setInterval(() => {
    if (!document.hidden) changed();
  }, QUIET);
  // Pictures are drawn as wide as the page is.
  window.addEventListener("resize", () => changed());
  // Who doesn't look needs no stream: a browser has six connections to one hub, for all of its tabs.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stream?.close();
      stream = null;
    } else if (stream === null) open();
  });
}
