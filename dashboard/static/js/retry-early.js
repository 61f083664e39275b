// Classic script in the head: a page whose modules could not be fetched (the network changed just
// then, or the dashboard was starting anew) is loaded again, a few times. If that does not help,
// the numbers are shown that need no scripts.
// @ts-check
{
  const KEY = "swarm-retries";
  const TRIES_MAX = 3;
  const PAUSE_MS = 1000;

  /** Count this try; without storage there is none. */
  const triesBefore = () => {
    try {
      const tries = Number(sessionStorage.getItem(KEY));
      sessionStorage.setItem(KEY, String(tries + 1));
      return tries;
    } catch {
      return TRIES_MAX;
    }
  };

  addEventListener(
    "error",
    ({ target }) => {
      if (!(target instanceof HTMLScriptElement)) return;
      if (triesBefore() < TRIES_MAX) setTimeout(() => location.reload(), PAUSE_MS);
      else document.documentElement.classList.remove("scripted");
    },
    true,
  );
}
