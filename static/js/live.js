// Refreshes parts of the page: <... data-live="5" hx-get="..." hx-trigger="refresh"> every 5 s, never while the tab
// is hidden; a change of state makes every part due at once, and while a part shows something with data-soon, more is
// expected within a second. Two refreshes of a part that failed in a row show the stale banner; the next that succeeds
// takes it away. The button data-pause holds all of it until it is pressed again.

const TOLERATED = 1;
const SOON = 1000;
const skew = Date.parse(document.documentElement.dataset.now) - Date.now();
const parts = new Map();

for (const element of document.querySelectorAll("[data-live]")) {
  const every = Number(element.dataset.live) * 1000;
  parts.set(element, { every, due: performance.now() + wait(element, every), failures: 0 });
}

function wait(element, every) {
  return element.querySelector("[data-soon]") ? Math.min(SOON, every) : every;
}

let isPaused = false;
const pause = document.querySelector("[data-pause]");

function refreshWhatIsDue() {
  if (document.hidden || isPaused) return;
  for (const [element, part] of parts) {
    if (performance.now() < part.due) continue;
    part.due = performance.now() + wait(element, part.every);
    htmx.trigger(element, "refresh");
  }
}

function showStaleness() {
  const banner = document.getElementById("stale");
  if (banner) banner.hidden = [...parts.values()].every((part) => part.failures <= TOLERATED);
}

function noteUpdate() {
  const updated = document.getElementById("updated");
  if (!updated) return;
  updated.dateTime = new Date(Date.now() + skew).toISOString();
  document.dispatchEvent(new CustomEvent("updated"));
}

function announce(element) {
  const source = element.querySelector("[data-announce]");
  if (!source) return;
  if (source.dataset.title) document.title = source.dataset.title;
  const announcer = document.getElementById("announcer");
  if (announcer.dataset.last !== source.dataset.announce) {
    announcer.dataset.last = source.dataset.announce;
    announcer.textContent = source.dataset.announce;
    for (const part of parts.values()) part.due = 0;
  }
}

document.addEventListener("htmx:afterRequest", ({ detail }) => {
  const part = parts.get(detail.elt);
  if (!part) return;
  part.failures = detail.successful ? 0 : part.failures + 1;
  if (detail.successful) noteUpdate();
  showStaleness();
});

document.addEventListener("htmx:afterSwap", ({ detail }) => {
  const part = parts.get(detail.elt);
  if (!part) return;
  part.due = performance.now() + wait(detail.elt, part.every);
  announce(detail.elt);
});

const announcer = document.getElementById("announcer");
const first = document.querySelector("[data-announce]");
if (announcer && first) announcer.dataset.last = first.dataset.announce;

if (pause) {
  pause.hidden = parts.size === 0;
  pause.addEventListener("click", () => {
    isPaused = !isPaused;
    pause.setAttribute("aria-pressed", String(isPaused));
    pause.title = isPaused ? "Go on refreshing this page" : "Pause the refreshing of this page";
    refreshWhatIsDue();
  });
}

setInterval(refreshWhatIsDue, 500);
document.addEventListener("visibilitychange", refreshWhatIsDue);
