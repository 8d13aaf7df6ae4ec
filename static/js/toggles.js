// The buttons that choose the theme and the clock: kept in this browser, told to the page by an event.

const root = document.documentElement;
const choices = {
  theme: { values: ["auto", "light", "dark"], words: { auto: "as the system", light: "light", dark: "dark" } },
  clock: { values: ["utc", "local"], words: { utc: "UTC", local: "local time" } },
};

function show(button) {
  const { words } = choices[button.dataset.toggle];
  const value = root.dataset[button.dataset.toggle];
  for (const part of button.querySelectorAll("[data-when]")) part.hidden = part.dataset.when !== value;
  const label = `${button.dataset.label}: ${words[value]}`;
  button.setAttribute("aria-label", label);
  button.title = label;
}

function choose(kind, value) {
  root.dataset[kind] = value;
  try {
    localStorage.setItem(kind, value);
  } catch {
    // A browser that keeps nothing still shows the choice until the page is left.
  }
  document.querySelectorAll(`[data-toggle="${kind}"]`).forEach(show);
  document.dispatchEvent(new CustomEvent(`${kind}change`));
}

for (const button of document.querySelectorAll("[data-toggle]")) {
  show(button);
  button.addEventListener("click", () => {
    const { values } = choices[button.dataset.toggle];
    const next = (values.indexOf(root.dataset[button.dataset.toggle]) + 1) % values.length;
    choose(button.dataset.toggle, values[next]);
  });
}

matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  document.dispatchEvent(new CustomEvent("themechange"));
});
