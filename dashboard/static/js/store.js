// The store: the merged snapshot, and the choices of the user. All views render from it.
// @ts-check

import { changedList } from "./list-diff.js";
import { snapshotAt } from "./replay.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Update} Update */
/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./types.js").RoundRecord} RoundRecord */
/** @typedef {"connecting" | "live" | "stale" | "lost"} Connection */

const EVENTS_MAX = 200;
const TABLE_STEP_PX = 140; // a few rows; the table is drawn again after this distance

export class Store extends EventTarget {
  /** The newest snapshot. @type {Snapshot | null} */
  snapshot = null;
  /** The snapshot that is shown: the newest one, or the replayed one. @type {Snapshot | null} */
  shown = null;
  /** When the snapshot or its newest update arrived, on performance.now()'s clock. */
  receivedMs = 0;
  /** @type {Connection} */
  connection = "connecting";
  /** Id of the peer whose panel is open and that is highlighted everywhere. */
  selected = "";
  /** The round that is replayed; null for the present. @type {number | null} */
  round = null;
  /** Past rounds that have been loaded. @type {Map<number, RoundRecord>} */
  past = new Map();
  filter = "";
  tableTop = 0;
  sort = { column: "name", descending: false };

  /** @param {Snapshot} snapshot */
  replace(snapshot) {
    if (this.snapshot?.session?.id !== snapshot.session?.id) {
      this.past.clear();
      if (this.snapshot?.session) this.round = null;
    }
    this.snapshot = snapshot;
    this.#changed(Object.keys(snapshot));
  }

  /**
   * Merge an update.
   * @param {Update} update
   * @returns {boolean} false if it was made for another snapshot, so that a whole one is needed
   */
  apply(update) {
    const held = this.snapshot;
    if (held === null || held.version !== update.base) return false;
    const lists = mergeLists(held, update.lists);
    if (lists === null) return false;
    const changed = [...Object.keys(update.parts), ...Object.keys(lists)];
    const next = { ...held, ...update.parts, ...lists, version: update.version };
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

  /** @param {Connection} connection */
  setConnection(connection) {
    if (connection === this.connection) return;
    this.connection = connection;
    this.#notify(["connection"]);
  }

  /** @param {string} peerId of the peer to show; empty to show none */
  select(peerId) {
    if (peerId === this.selected) return;
    this.selected = peerId;
    this.#notify(["selected"]);
  }

  /** @param {number | null} round to go back to; null for the present */
  replay(round) {
    if (round === this.round) return;
    this.round = round;
    this.#show();
    this.#notify(["replay", ...Object.keys(this.snapshot ?? {})]);
  }

  /** @param {RoundRecord[]} records */
  remember(records) {
    for (const record of records) this.past.set(record.round, record);
    if (this.round !== null) this.#show();
    this.#notify(["past", ...(this.round === null ? [] : Object.keys(this.snapshot ?? {}))]);
  }

  /** @param {string} text */
  setFilter(text) {
    this.filter = text;
    this.#notify(["table"]);
  }

  /** @param {number} top how far the peers table is scrolled, in pixels */
  scrollTable(top) {
    const moved = Math.floor(top / TABLE_STEP_PX) !== Math.floor(this.tableTop / TABLE_STEP_PX);
    this.tableTop = top;
    if (moved) this.#notify(["table"]);
  }

  /** @param {string} column */
  sortBy(column) {
    const again = this.sort.column === column;
    this.sort = { column, descending: again && !this.sort.descending };
    this.#notify(["table"]);
  }

  /** Whether the past is shown. */
  get replaying() {
    return this.round !== null;
  }

  /** Seconds since the dashboard started to watch; it also grows between updates. */
  elapsedS() {
    const held = this.snapshot;
    if (held === null) return 0;
    const ended = held.finished || this.connection !== "live" || held.session === null;
    return held.elapsed_s + (ended ? 0 : this.silentS());
  }

  /** Seconds since the last snapshot or update arrived. */
  silentS() {
    return (performance.now() - this.receivedMs) / 1000;
  }

  /**
   * The name of a peer, or the end of its id.
   * @param {string | null} id
   */
  nameOf(id) {
    if (id === null) return "no peer";
    const { peers = [], past_peers: past = [] } = this.snapshot ?? {};
    const known = peers.find((peer) => peer.id === id) ?? past.find((peer) => peer.id === id);
    return known?.name ?? `…${id.slice(-6)}`;
  }

  #show() {
    const { snapshot, round } = this;
    this.shown =
      snapshot === null || round === null ? snapshot : snapshotAt(snapshot, this.past, round);
  }

  /** @param {string[]} parts */
  #changed(parts) {
    this.receivedMs = performance.now();
    this.#show();
    this.#notify(parts);
  }

  /** @param {string[]} parts */
  #notify(parts) {
    this.dispatchEvent(new CustomEvent("change", { detail: new Set(parts) }));
  }
}

/**
 * @param {Snapshot} held
 * @param {Update["lists"]} changes
 * @returns {Partial<Snapshot> | null} the changed lists; null if one change does not fit its list
 */
function mergeLists(held, changes) {
  /** @type {Record<string, unknown[]>} */
  const merged = {};
  for (const [name, change] of Object.entries(changes)) {
    const list = changedList(/** @type {any[]} */ (held[/** @type {keyof Snapshot} */ (name)]), change);
    if (list === null) return null;
    merged[name] = list;
  }
  return merged;
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
