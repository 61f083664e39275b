// Classic script in the head: before anything is painted, the chosen theme is set, and the page is
// marked as one whose scripts run.
// @ts-check
document.documentElement.classList.add("scripted");
try {
  const theme = localStorage.getItem("swarm-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; the system's theme is used then.
}
