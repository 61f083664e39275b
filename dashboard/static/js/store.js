// The one store: the snapshot as merged so far, and what the user chose. Views render from it.
// @ts-check

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Update} Update */
/** @typedef {import("./types.js").Point} Point */

const EVENTS_MAX = 200;

export class Store extends EventTarget {
  /** @type {Snapshot | null} */
  snapshot = null;
  /** When the snapshot or its newest update arrived, on performance.now()'s clock. */
  receivedMs = 0;
  /** @type {"connecting" | "live" | "lost"} */
  connection = "connecting";
  /** Id of the peer that is highlighted everywhere. */
  selected = "";
  filter = "";
  sort = { column: "name", descending: false };

  /** @param {Snapshot} snapshot */
  replace(snapshot) {
    this.snapshot = snapshot;
    this.#changed(Object.keys(snapshot));
  }

  /**
   * Merge an update.
   * @param {Update} update
   * @returns {boolean} false if it builds on another snapshot than ours
   */
  apply(update) {
    const held = this.snapshot;
    if (held === null || held.version !== update.base) return false;
    const changed = Object.keys(update.parts);
    const next = { ...held, ...update.parts, version: update.version };
    if (update.events.length > 0) {
      next.events = [...held.events, ...update.events].slice(-EVENTS_MAX);
      changed.push("events");
    }
    if (update.curves.global || update.curves.peers) {
      next.curves = mergeCurves(held.curves, update.curves);
      changed.push("curves");
    }
    this.snapshot = next;
    this.#changed(changed);
    return true;
  }

  /** @param {"connecting" | "live" | "lost"} connection */
  setConnection(connection) {
    if (connection === this.connection) return;
    this.connection = connection;
    this.#notify(["connection"]);
  }

  /** @param {string} peerId */
  select(peerId) {
    this.selected = this.selected === peerId ? "" : peerId;
    this.#notify(["selected"]);
  }

  /** @param {string} text */
  setFilter(text) {
    this.filter = text;
    this.#notify(["table"]);
  }

  /** @param {string} column */
  sortBy(column) {
    const again = this.sort.column === column;
    this.sort = { column, descending: again && !this.sort.descending };
    this.#notify(["table"]);
  }

  /** Seconds the run has taken, carried on between updates. */
  elapsedS() {
    const held = this.snapshot;
    if (held === null) return 0;
    const still = held.finished || this.connection !== "live" || held.session === null;
    return held.elapsed_s + (still ? 0 : (performance.now() - this.receivedMs) / 1000);
  }

  /** @param {string[]} parts */
  #changed(parts) {
    this.receivedMs = performance.now();
    this.#notify(parts);
  }

  /** @param {string[]} parts */
  #notify(parts) {
    this.dispatchEvent(new CustomEvent("change", { detail: new Set(parts) }));
  }
}

/**
 * @param {Snapshot["curves"]} held
 * @param {Update["curves"]} news
 */
function mergeCurves(held, news) {
  const peers = { ...held.peers };
  for (const [id, points] of Object.entries(news.peers ?? {})) {
    peers[id] = mergePoints(peers[id] ?? [], points);
  }
  return { global: mergePoints(held.global, news.global ?? []), peers };
}

/**
 * @param {Point[]} held
 * @param {Point[]} news
 */
function mergePoints(held, news) {
  if (news.length === 0) return held;
  const byRound = new Map(held.map((point) => [point.round, point]));
  for (const point of news) byRound.set(point.round, point);
  return [...byRound.values()].sort((a, b) => a.round - b.round);
}
