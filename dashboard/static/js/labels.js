// Words on the topology, as text above the graph: sharper than what a graph library paints.
// @ts-check

import { plural } from "./format.js";
import { html, render } from "./html.js";
import { peerSize } from "./layout.js";
import { isGone, isLeading } from "./peer.js";

/** @typedef {import("./types.js").Peer} Peer */
/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./layout.js").Arrangement} Arrangement */
/** @typedef {import("./layout.js").Box} Box */

const ROLES_TO_SAY = new Set(["root", "aggregator", "standby", "joining"]);
const WORDY_BOX_PX = 150;
const LEFT_LABEL_PX = 80;
const NUMBERED_CELL_PX = 24; // in smaller cells only peers that matter most are numbered

/**
 * @param {HTMLElement} place
 * @param {Arrangement} arrangement
 * @param {Snapshot} snapshot
 * @param {boolean} roomy whether there is room for words beside every peer
 */
export function drawLabels(place, arrangement, snapshot, roomy) {
  const peers = new Map(snapshot.peers.map((peer) => [peer.id, peer]));
  const fontPx = Math.max(9, Math.min(12.5, arrangement.cell / 4.2));
  const root = snapshot.peers.find((peer) => peer.role === "root");
  const rootX = (root && arrangement.places.get(root.id)?.x) ?? 0;
  const middleX = place.clientWidth / 2;
  const named = (/** @type {Peer} */ peer) =>
    arrangement.cell >= NUMBERED_CELL_PX || isLeading(peer) || peer.state !== "alive";
  place.style.fontSize = `${fontPx}px`;
  place.classList.toggle("roomy", roomy);
  render(
    html`${arrangement.boxes.map((box) => html`<${BoxLabel} key=${`box ${box.id}`} ...${boxText(box, peers)} />`)}
    ${snapshot.peers.filter(named).map((peer) => html`<${PeerLabel} key=${peer.id} ...${peerText(peer, arrangement, roomy, peer === root ? middleX : rootX)} />`)}`,
    place,
  );
}

/** @param {any} props */
function BoxLabel({ x, y, text, gone }) {
  return html`<span class="box-label" style=${at(x, y)}>${text}${
    gone && html` <b class="gone">${gone}</b>`
  }</span>`;
}

/** @param {any} props */
function PeerLabel({ x, y, side, name, word, kind }) {
  return html`<span class=${`peer-label ${side} ${kind}`} style=${at(x, y)}>${name}${
    word && html`<b>${word}</b>`
  }</span>`;
}

/**
 * @param {number} x
 * @param {number} y
 */
function at(x, y) {
  return { transform: `translate(${Math.round(x)}px, ${Math.round(y)}px)` };
}

/**
 * @param {Box} box
 * @param {Map<string, Peer>} peers
 */
function boxText(box, peers) {
  const gone = box.members.filter((id) => isGone(peers.get(id))).length;
  const wordy = box.width > WORDY_BOX_PX;
  const count = wordy ? plural(box.members.length, "peer") : String(box.members.length);
  const title = wordy ? box.title : box.title.replace("Cluster ", "C").replace("Not in ", "out of ");
  const text = box.members.length > 0 ? `${title} · ${count}` : title;
  return { x: box.x, y: box.y + box.height / 2, text, gone: gone > 0 ? `${gone} lost` : "" };
}

/**
 * @param {Peer} peer
 * @param {Arrangement} arrangement
 * @param {boolean} roomy
 * @param {number} otherX where its aggregate goes to or, for the root, comes from
 */
function peerText(peer, arrangement, roomy, otherX) {
  const { x, y } = arrangement.places.get(peer.id) ?? { x: -100, y: -100 };
  const half = peerSize(peer, arrangement.cell) / 2;
  const kind = isGone(peer) ? "gone" : peer.state === "suspect" ? "suspect" : peer.role;
  const word = stateOrRole(peer);
  // Contributions come to an aggregator from below and its aggregate leaves towards the root:
  // its words stand on the other side.
  if (isLeading(peer) && roomy) {
    const side = x < otherX && x - half > LEFT_LABEL_PX ? "left" : "right";
    const away = side === "left" ? -half - 6 : half + 6;
    return { x: x + away, y, side, name: shortened(peer.name, 16), word, kind };
  }
  if (isLeading(peer)) return { x, y: y - half, side: "above", name: number(peer.name), word: "", kind };
  const name = roomy ? shortened(peer.name, 16) : number(peer.name);
  return { x, y: y + half, side: "below", name, word: roomy ? word : "", kind };
}

/** @param {Peer} peer */
function stateOrRole(peer) {
  if (peer.state !== "alive") return peer.state;
  return ROLES_TO_SAY.has(peer.role) ? peer.role : "";
}

/**
 * @param {string} name
 * @param {number} length
 */
function shortened(name, length) {
  return name.length > length ? `${name.slice(0, length - 1)}…` : name;
}

/**
 * What tells a peer apart in very little room: its number, if it has one.
 * @param {string} name
 */
function number(name) {
  return name.match(/\d+$/)?.[0] ?? name.slice(0, 3);
}
