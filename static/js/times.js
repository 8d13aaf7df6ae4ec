// Every <time data-show="..."> as the reader wants it: UTC or local, "… ago", a countdown. Runs by the server's
// clock, so that a wrong clock on this machine does no harm.

const root = document.documentElement;
const skew = Date.parse(root.dataset.now) - Date.now();
const now = () => Date.now() + skew;

const pad = (number) => String(number).padStart(2, "0");

function parts(date) {
  const local = root.dataset.clock === "local";
  const get = (name) => date[`get${local ? "" : "UTC"}${name}`]();
  return {
    day: `${get("FullYear")}-${pad(get("Month") + 1)}-${pad(get("Date"))}`,
    short: `${pad(get("Month") + 1)}-${pad(get("Date"))}`,
    minute: `${pad(get("Hours"))}:${pad(get("Minutes"))}`,
    second: pad(get("Seconds")),
    zone: local ? "" : " UTC",
  };
}

function length(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 36000) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  if (whole < 172800) return `${Math.floor(whole / 3600)} h`;
  return `${Math.floor(whole / 86400)} days`;
}

const full = (p) => `${p.day} ${p.minute}:${p.second}${p.zone}`;

const formats = {
  full: (date) => full(parts(date)),
  clock: (date) => ((p) => `${p.minute}:${p.second}${p.zone}`)(parts(date)),
  minute: (date) => ((p) => `${p.short} ${p.minute}`)(parts(date)),
  ago: (date) => `${length((now() - date) / 1000)} ago`,
  for: (date) => length((now() - date) / 1000),
  countdown: (date) => (date > now() ? `in ${length((date - now()) / 1000 + 1)}` : "now"),
};

function render() {
  for (const element of document.querySelectorAll("time[data-show]")) {
    const date = new Date(element.dateTime);
    const format = formats[element.dataset.show];
    if (!format || Number.isNaN(date.getTime())) continue;
    const text = format(date);
    if (element.textContent !== text) element.textContent = text;
    if (element.dataset.show !== "full") {
      const title = full(parts(date));
      if (element.title !== title) element.title = title;
    }
  }
  for (const zone of document.querySelectorAll("[data-zone]")) {
    const word = root.dataset.clock === "local" ? "local time" : "UTC";
    if (zone.textContent !== word) zone.textContent = word;
  }
}

render();
setInterval(() => document.hidden || render(), 1000);
document.addEventListener("visibilitychange", render);
document.addEventListener("clockchange", render);
document.addEventListener("htmx:afterSwap", render);
document.addEventListener("updated", render);
