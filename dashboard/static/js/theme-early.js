// Classic script in the head: before anything is drawn, it sets the chosen theme and marks the
// page as one that runs scripts.
// @ts-check
document.documentElement.classList.add("scripted");
try {
  const theme = localStorage.getItem("swarm-theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch {
  // Storage may be forbidden; the system's theme is used then.
}
