// What follows from a peer's facts, wherever it is shown.
// @ts-check

/** @typedef {import("./types.js").Peer} Peer */

/** @param {Peer | undefined} peer */
export function isGone(peer) {
  return peer !== undefined && (peer.state === "lost" || peer.state === "left");
}

/** @param {Peer} peer */
export function isPresent(peer) {
  return !isGone(peer);
}

/** @param {Peer} peer */
export function isLeading(peer) {
  return peer.role === "root" || peer.role === "aggregator";
}
