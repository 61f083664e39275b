// The legend of the curves: values at the pointer, and buttons to compare and hide curves.
// @ts-check

import { decimals, percent } from "./format.js";
import { html } from "./html.js";
import { COLOURED_PEERS_MAX, GLOBAL, TRAINING } from "./series.js";

/** @typedef {import("./curves.js").Curves} Curves */
/** @typedef {import("./series.js").Series} Series */

/** @param {{curves: Curves}} props */
export function CurveLegend({ curves }) {
  const { series, rounds, cursor, compared, hidden } = curves;
  const all = series[series.length - 1];
  const training = series.find(({ id }) => id === TRAINING);
  const peers = series.filter(({ id }) => id !== TRAINING && id !== GLOBAL);
  const newest = all.points.at(-1)?.round ?? rounds.at(-1) ?? 0;
  // Between two rounds, training has a value, and the measurement of the earlier round holds.
  const place = cursor === null ? newest : (rounds[cursor] ?? newest);
  const round = Math.floor(place);
  const many = peers.length > COLOURED_PEERS_MAX;
  const own = many ? peers.filter(({ id }) => curves.stands(id)) : peers;
  return html`<div class="legend-head">
      <span class="key strong">${round === place ? `Round ${round}` : `In round ${round + 1}`}</span>
      ${many && html`<span class="key"><i class="swatch series-many"></i>${peers.length} peers: ${range(peers, round)}</span>`}
      ${many && html`<${Choose} peers=${peers} curves=${curves} />`}
      ${compared.size > 0 &&
      html`<button class="link-button" onClick=${() => curves.hideOthers()}>Hide the others</button>`}
      ${compared.size + hidden.size > 0 &&
      html`<button class="link-button" onClick=${() => curves.showAll()}>Show all</button>`}
    </div>
    <ul>
      <${Key} key=${GLOBAL} series=${all} round=${round} curves=${curves} />
      ${training && html`<${Key} key=${TRAINING} series=${nearest(training, cursor === null ? Infinity : place)} round=${round} curves=${curves} />`}
      ${own.map((one) => html`<${Key} key=${one.id} series=${one} round=${round} curves=${curves} />`)}
    </ul>`;
}

/**
 * Training with the one point that the legend shows: the last one up to a place.
 * @param {Series} training
 * @param {number} place
 * @returns {Series}
 */
function nearest(training, place) {
  const last = training.points.findLast(({ round }) => round <= place);
  return { ...training, points: last ? [last] : [] };
}

/** @param {{series: Series, round: number | undefined, curves: Curves}} props */
function Key({ series, round, curves }) {
  const { id, name } = series;
  const point = id === TRAINING ? series.points[0] : series.points.find((one) => one.round === round);
  const hidden = curves.hidden.has(id);
  const swatch = curves.colourOf(series).slice(2);
  return html`<li
    class=${`curve-key ${hidden ? "off" : ""}`}
    onPointerEnter=${() => curves.hover(id)}
    onPointerLeave=${() => curves.hover(null)}
  >
    <button
      class="key"
      aria-pressed=${String(curves.stands(id))}
      title=${`Compare ${name}`}
      onFocus=${() => curves.hover(id)}
      onBlur=${() => curves.hover(null)}
      onClick=${() => curves.compare(id)}
    >
      <i class=${`swatch ${swatch}`}></i><span class="key-name">${name}</span>
      <span class="number">${percent(point?.accuracy)}</span>
      ${id === GLOBAL && html`<span class="number">loss ${decimals(point?.loss)}</span>`}
    </button>
    <button class="eye" aria-pressed=${String(hidden)} aria-label=${`Hide ${name}`} onClick=${() => curves.hide(id)}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d="M1 8c1.800-3.200 4.200-4.700 7-4.700S13.200 4.800 15 8c-1.800 3.200-4.200 4.700-7 4.700S2.800 11.200 1 8z" />
        ${hidden ? html`<path d="M2.500 13.500l11-11" />` : html`<circle cx="8" cy="8" r="2" />`}
      </svg>
    </button>
  </li>`;
}

/** @param {{peers: Series[], curves: Curves}} props */
function Choose({ peers, curves }) {
  /** @param {any} event */
  const chosen = (event) => {
    const found = peers.find(({ name }) => name === event.target.value);
    if (found === undefined) return;
    event.target.value = "";
    if (!curves.compared.has(found.id)) curves.compare(found.id);
  };
  return html`<label class="choose"
    ><span class="spoken">Compare a peer</span>
    <input type="text" list="curve-peers" placeholder="compare a peer…" onInput=${chosen} />
    <datalist id="curve-peers">${peers.map(({ id, name }) => html`<option key=${id} value=${name}></option>`)}</datalist>
  </label>`;
}

/**
 * @param {Series[]} peers
 * @param {number | undefined} round
 */
function range(peers, round) {
  const values = peers.flatMap((series) => {
    const accuracy = series.points.find((point) => point.round === round)?.accuracy;
    return accuracy == null ? [] : [accuracy];
  });
  if (values.length === 0) return "not evaluated yet";
  return `${percent(Math.min(...values))} to ${percent(Math.max(...values))}`;
}
