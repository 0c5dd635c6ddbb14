// Runs before anything is painted, so that a chosen theme does not flash up late.
try {
  const chosen = localStorage.getItem("audiobench-theme");
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // No storage here: the system's theme holds.
}
