// The seats of duties, and names shortened to the space for them.
// @ts-check

import { html } from "./html.js";
import { SIGMA, STAR } from "./shapes.js";

export const SEAT_HALF_PX = 15;
const NUMBERED_SEAT_PX = 6.5;

/** @param {any} props */
export function RoomySeat({ seat, isRoot, name, word, gone, id }) {
  const label = shortened(name || "not known yet", 14);
  const width = 58 + 7 * label.length + 5.6 * word.length;
  const left = seat.x - width / 2;
  const classes = `seat ${isRoot ? "root" : ""} ${gone ? "gone" : ""}`;
  return html`<g class=${classes} data-peer=${id}>
    <rect x=${left} y=${seat.y - SEAT_HALF_PX} width=${width} height=${2 * SEAT_HALF_PX} rx=${SEAT_HALF_PX} />
    <path d=${isRoot ? STAR : SIGMA} transform=${`translate(${left + 20} ${seat.y})`} />
    <text x=${left + 35} y=${seat.y + 4.5}><tspan class="holder">${label}</tspan><tspan class="what" dx="7">${word}</tspan></text>
  </g>`;
}

/** @param {any} props */
export function SmallSeat({ seat, isRoot, name, half, id }) {
  const numbered = half >= NUMBERED_SEAT_PX;
  const wide = numbered ? half * 1.9 : half;
  return html`<g class=${`seat small ${isRoot ? "root" : ""}`} data-peer=${id}>
    <rect x=${seat.x - wide} y=${seat.y - half} width=${wide * 2} height=${half * 2} rx=${half} />
    <path d=${isRoot ? STAR : SIGMA} transform=${`translate(${seat.x - (numbered ? half * 0.95 : 0)} ${seat.y}) scale(${(half / 12).toFixed(2)})`} />
    ${numbered && html`<text x=${seat.x + half * 0.6} y=${seat.y + half * 0.42} style=${{ fontSize: `${Math.max(8, half * 1.2)}px` }}>${number(name)}</text>`}
  </g>`;
}

/**
 * @param {string} text
 * @param {number} length
 */
export function shortened(text, length) {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}

/**
 * A very short name of a peer: its number, if it has one.
 * @param {string} name
 */
export function number(name) {
  return name.match(/\d+$/)?.[0].slice(-4) ?? name.slice(0, 3);
}
