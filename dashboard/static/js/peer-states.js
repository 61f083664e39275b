// The states of peers: their words and signs, and what follows from them.
// @ts-check

/** @typedef {import("./types.js").Peer} Peer */

const GONE = new Set(["lost", "left", "removed"]);

// States in the order in which they are shown, each with a sign in addition to its colour.
export const STATES = /** @type {const} */ ([
  { id: "alive", word: "live", sign: "●" },
  { id: "suspect", word: "suspect", sign: "?" },
  { id: "lost", word: "lost", sign: "✕" },
  { id: "quarantined", word: "quarantined", sign: "⊘" },
  { id: "left", word: "left", sign: "→" },
  { id: "removed", word: "removed", sign: "−" },
  { id: "absent", word: "not in this round", sign: "○" },
]);

/** @param {string} state */
export function stateWord(state) {
  return STATES.find((one) => one.id === state)?.word ?? state;
}

/** @param {string} state */
export function stateSign(state) {
  return STATES.find((one) => one.id === state)?.sign ?? "";
}

/** @param {Peer | undefined} peer */
export function isGone(peer) {
  return peer !== undefined && GONE.has(peer.state);
}

/** @param {Peer} peer */
export function isPresent(peer) {
  return !isGone(peer);
}

/** @param {Peer} peer */
export function isLeading(peer) {
  return peer.role === "root" || peer.role === "aggregator";
}

const collator = new Intl.Collator("en", { numeric: true });

/**
 * @param {{name: string, id: string}} a
 * @param {{name: string, id: string}} b
 */
export function byName(a, b) {
  return collator.compare(a.name, b.name) || (a.id < b.id ? -1 : 1);
}
