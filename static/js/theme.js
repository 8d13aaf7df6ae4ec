// Blocking, in the head: the theme and the clock are chosen before the first paint, so nothing flashes.
// The admin's own theme.js keeps the theme under the same key.
{
  const root = document.documentElement;
  const stored = (key, allowed) => {
    try {
      const value = localStorage.getItem(key);
      return allowed.includes(value) ? value : allowed[0];
    } catch {
      return allowed[0];
    }
  };
  root.dataset.theme = stored("theme", ["auto", "light", "dark"]);
  root.dataset.clock = stored("clock", ["utc", "local"]);
  root.classList.add("scripted");
}
