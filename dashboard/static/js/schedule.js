// Draws views when their content has changed: at most once a frame, less often for large swarms.
// @ts-check

/** @typedef {import("./store.js").Store} Store */
/**
 * @typedef {{show: () => void, parts: string[], pauseMs: number, when?: () => boolean,
 *   shownMs?: number}} View `when` returns whether the view is visible at all
 */

const LARGE_SWARM = 24;
const HUGE_SWARM = 200; // drawn half as often as a large one
// The effect of a user's action is shown at once, in swarms of any size.
const AT_ONCE = new Set(["selected", "table", "theme", "tab", "replay"]);

export class Schedule {
  /** Views to draw, each with whether to draw it at once. @type {Map<View, boolean>} */
  #pending = new Map();
  #scheduled = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #later;

  /**
   * @param {Store} store
   * @param {View[]} views
   */
  constructor(store, views) {
    this.store = store;
    this.views = views;
    store.addEventListener("change", (event) => this.mark(/** @type {CustomEvent} */ (event).detail));
  }

  /** @param {Iterable<string>} changed parts of the store */
  mark(changed) {
    const parts = new Set(changed);
    for (const view of this.views) {
      const mine = view.parts.filter((part) => parts.has(part));
      if (mine.length === 0) continue;
      this.#pending.set(view, this.#pending.get(view) || mine.some((part) => AT_ONCE.has(part)));
    }
    this.#schedule();
  }

  markAll() {
    this.mark(this.views.flatMap((view) => view.parts));
  }

  #schedule() {
    if (this.#scheduled || this.#pending.size === 0) return;
    this.#scheduled = true;
    requestAnimationFrame(() => this.#showPending());
  }

  #showPending() {
    this.#scheduled = false;
    const numPeers = this.store.snapshot?.peers.length ?? 0;
    const slower = numPeers > HUGE_SWARM ? 2 : numPeers > LARGE_SWARM ? 1 : 0;
    const now = performance.now();
    for (const [view, atOnce] of this.#pending) {
      if (view.when && !view.when()) {
        this.#pending.delete(view); // opening its tab marks it again
        continue;
      }
      if (!atOnce && now - (view.shownMs ?? -Infinity) < view.pauseMs * slower) continue;
      this.#pending.delete(view);
      view.shownMs = now;
      view.show();
    }
    if (this.#pending.size > 0) {
      this.#later ??= setTimeout(() => {
        this.#later = undefined;
        this.#schedule();
      }, 50);
    }
  }
}
