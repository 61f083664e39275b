// Classic script in the head. If the modules of the page could not be loaded (the network changed,
// or the dashboard was restarting), it reloads the page a few times. If that does not help, it
// shows the part of the page that needs no scripts.
// @ts-check
{
  const KEY = "swarm-retries";
  const TRIES_MAX = 3;
  const PAUSE_MS = 1000;

  /** Count this try. Without storage, there are no retries. */
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
