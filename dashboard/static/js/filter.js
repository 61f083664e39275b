// The filter for peers, used by the table and by the topology.
// @ts-check

import { stateWord } from "./peer-states.js";

/** @typedef {import("./types.js").Peer} Peer */

/**
 * Every word must match. A number only matches the same number: `cluster 1` is not cluster 10.
 * @param {string} filter
 * @returns {(peer: Peer) => boolean}
 */
export function matches(filter) {
  const words = filter.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0) return () => true;
  return (peer) => {
    const cluster = peer.cluster === null ? "" : `cluster ${peer.cluster + 1}`;
    const state = `${peer.state} ${stateWord(peer.state)}`;
    const text = [peer.name, peer.role, state, peer.phase, cluster, peer.site]
      .join(" ")
      .toLowerCase();
    const numbers = [...text.matchAll(/\d+/g)].map(String);
    return words.every((word) => {
      if (/^\d+$/.test(word)) return numbers.includes(word);
      return text.includes(word) || (word.length >= 4 && peer.id.toLowerCase().includes(word));
    });
  };
}
