// Classic script in the head: the chosen theme is set before anything is painted.
// @ts-check
try {
  const theme = localStorage.getItem("swarm-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; the system's theme is used then.
}
