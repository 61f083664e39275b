// The marks of peers and duties: shapes and icons show role and state, colours and words repeat it.
// @ts-check

import { html } from "./html.js";
import { isGone, stateWord } from "./peer-states.js";

/** @typedef {import("./types.js").Peer} Peer */

export const STAR =
  "M0-7.4 2.1-2.5 7.4-2 3.4 1.500 4.6 6.700 0 3.900-4.600 6.700-3.400 1.500-7.400-2-2.100-2.500z";
export const SIGMA = "M-5-6.200H5V-3.800H-.9L3 0-.9 3.800H5V6.200H-5V4.200L-.6 0-5-4.200z";

/**
 * A peer's radius.
 * @param {number} cell
 */
export function peerRadius(cell) {
  return Math.max(5, Math.min(19, cell * 0.24));
}

/**
 * Whether a mark is large enough for a ring that closes with the peer's progress.
 * @param {number} radius
 */
export function showsProgress(radius) {
  return radius > 8;
}

/**
 * @param {number} sides
 * @param {number} radius
 */
function polygon(sides, radius) {
  const points = [];
  for (let side = 0; side < sides; side++) {
    const angle = (2 * Math.PI * (side + (sides === 8 ? 0.5 : 0))) / sides;
    points.push(`${(radius * Math.cos(angle)).toFixed(1)},${(radius * Math.sin(angle)).toFixed(1)}`);
  }
  return points.join(" ");
}

/**
 * The mark of one peer, around the origin.
 * @param {Pick<Peer, "role" | "state" | "phase" | "progress">} peer
 * @param {number} radius
 */
export function Mark(peer, radius) {
  if (peer.state === "absent" || isGone(/** @type {Peer} */ (peer))) return Gone(peer, radius);
  if (peer.state === "quarantined") return Quarantined(radius);
  return html`${Outline(peer, radius)}${Inside(peer, radius)}${
    peer.state === "suspect" && Badge("?", radius)
  }`;
}

/**
 * @param {Pick<Peer, "role" | "state" | "phase" | "progress">} peer
 * @param {number} radius
 */
function Outline(peer, radius) {
  const classes = `disc phase-${peer.phase} ${peer.state === "suspect" ? "doubtful" : ""}`;
  if (peer.role === "root") {
    return html`<polygon class=${`${classes} duty root`} points=${polygon(8, radius * 1.18)} />`;
  }
  if (peer.role === "aggregator") {
    return html`<polygon class=${`${classes} duty`} points=${polygon(6, radius * 1.2)} />`;
  }
  const standby = peer.role === "standby";
  return html`${standby && html`<circle class="ready" r=${radius + Math.max(1.8, radius * 0.18)} />`}
    <circle class=${classes} r=${radius} />`;
}

/**
 * @param {Pick<Peer, "role" | "phase" | "progress">} peer
 * @param {number} radius
 */
function Inside(peer, radius) {
  const works = peer.phase === "training" || peer.phase === "evaluating";
  const icon = peer.role === "root" ? STAR : peer.role === "aggregator" ? SIGMA : "";
  const ring = radius - 4;
  return html`${works &&
    showsProgress(radius) &&
    html`<circle class="track" r=${ring} />
      <circle
        class="progress"
        r=${ring}
        pathLength="100"
        stroke-dasharray=${`${Math.round(peer.progress * 50) * 2} 100`}
        transform="rotate(-90)"
      />`}
  ${icon && html`<path class="icon" d=${icon} transform=${`scale(${(radius / 17).toFixed(2)})`} />`}`;
}

/**
 * @param {Pick<Peer, "state">} peer
 * @param {number} radius
 */
function Gone(peer, radius) {
  const arm = radius * 0.4;
  const cross = `M${-arm} ${-arm}L${arm} ${arm}M${arm} ${-arm}L${-arm} ${arm}`;
  const away = `M${-arm} 0H${arm}M${arm / 3} ${-arm * 0.7}L${arm} 0L${arm / 3} ${arm * 0.7}`;
  const dash = `M${-arm} 0H${arm}`;
  const sign = { lost: cross, left: away, removed: dash }[peer.state] ?? "";
  return html`<circle class=${`hollow ${peer.state}`} r=${radius} />
    ${sign && html`<path class=${`sign ${peer.state}`} d=${sign} />`}`;
}

/** @param {number} radius */
function Quarantined(radius) {
  const reach = radius * 0.7;
  return html`<circle class="hollow quarantined" r=${radius} />
    <path class="sign quarantined" d=${`M${-reach} ${-reach}L${reach} ${reach}`} />`;
}

/**
 * @param {string} text
 * @param {number} radius
 */
function Badge(text, radius) {
  const at = radius * 0.85;
  return html`<g transform=${`translate(${at} ${-at})`}>
    <circle class="badge" r="7" /><text class="badge-text" y="3.5">${text}</text>
  </g>`;
}

/**
 * The word below a peer's name: its state unless it is alive, else its role, else its phase.
 * @param {Peer} peer
 */
export function wordFor(peer) {
  if (peer.state !== "alive") return stateWord(peer.state);
  return peer.role === "trainer" || peer.role === "waiting" ? peer.phase : peer.role;
}
