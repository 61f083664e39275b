// The parts of one answer: the combination with its interval, and each member's own answer.
// @ts-check

import { percent, plural, significant } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./types.js").EnsembleAnswer} EnsembleAnswer */
/** @typedef {{key: string, name: string, weight: number, value: number}} Part */

const WIDE = { width: 560, name: 74, right: 92 };
const NARROW = { width: 330, name: 58, right: 74 };
const ROW = 24;
const TOP = 8;
const CLASSES_SHOWN = 5;
const small = matchMedia("(max-width: 640px)");

/** @param {{answer: EnsembleAnswer}} props */
export function Answer({ answer }) {
  const { values, members, missing, notes, classes, coverage, seconds } = answer;
  const value = values[0];
  const share = answer.probabilities?.[0] ? Math.max(...answer.probabilities[0]) : null;
  return html`<p class="combined"><span class="big">${value === null || typeof value === "number" ? amount(value) : value}</span>
      ${share !== null && html`<span>${percent(share)}</span>`}
      ${answer.lower !== null && answer.upper !== null && html`<span>${amount(answer.lower[0])} to ${amount(answer.upper[0])}</span><small class="hint">with ${100 * coverage} % coverage</small>`}
      ${answer.sets !== null && html`<small class="hint">with ${100 * coverage} % coverage one of: ${answer.sets[0].join(", ")}</small>`}
    </p>
    <p class="hint">${plural(members.length, "member")} answered in ${Math.round(1000 * seconds)} ms; combined by ${answer.combination}. ${answer.lower === null && classes.length === 0 ? "No interval is calibrated yet." : ""}</p>
    ${classes.length > 0 ? html`<${Classes} answer=${answer} />` : html`<${Numbers} answer=${answer} />`}
    ${missing.map(({ peer, name, reason }) => html`<p class="note bad" key=${peer}>${name} is missing: ${reason}</p>`)}
    ${notes.map((note) => html`<p class="hint" key=${note}>${note}</p>`)}`;
}

/**
 * A dot for each member, and the combination with its interval below them.
 * @param {{answer: EnsembleAnswer}} props
 */
function Numbers({ answer }) {
  const { members, lower, upper } = answer;
  if (!Number.isFinite(answer.values[0])) return null;
  const combined = Number(answer.values[0]);
  /** @type {Part[]} */
  const parts = members.flatMap(({ peer, name, weight, values }) => (values === null ? [] : [{ key: peer, name, weight, value: values[0] }]));
  const low = lower?.[0] ?? combined;
  const high = upper?.[0] ?? combined;
  const shown = [...parts.map((part) => part.value), combined, low, high].filter(Number.isFinite);
  const least = Math.min(...shown);
  const most = Math.max(...shown);
  const { width, name: left, right } = small.matches ? NARROW : WIDE;
  /** @param {number} value */
  const x = (value) => left + 8 + ((value - least) / (most - least || 1)) * (width - left - right - 16);
  const bottom = TOP + ROW * parts.length;
  const middle = bottom + ROW / 2;
  const label = `${parts.map(({ name, value }) => `${name} says ${amount(value)}`).join(", ")}; combined ${amount(combined)}, from ${amount(low)} to ${amount(high)}`;
  return html`<svg class="answers" viewBox=${`0 0 ${width} ${bottom + ROW + 4}`} role="img" aria-label=${label}>
    <rect class="interval" x=${x(low)} y=${TOP} width=${Math.max(1, x(high) - x(low))} height=${bottom - TOP + ROW} rx="3" />
    <path class="centre" d=${`M${x(combined)} ${TOP}V${bottom + ROW}`} />
    ${parts.map(({ key, name, weight, value }, place) => {
      const y = TOP + ROW * (place + 0.5);
      return html`<g key=${key}>
        <path class="grid" d=${`M${left} ${y}H${width - right}`} />
        <text x="0" y=${y + 4}>${name}</text>
        ${Number.isFinite(value) && html`<circle cx=${x(value)} cy=${y} r=${3 + 5 * Math.sqrt(weight)}><title>${`weight ${percent(weight)}`}</title></circle>`}
        <text x=${width} y=${y + 4} text-anchor="end">${amount(value)}</text>
      </g>`;
    })}
    <path class="whisker" d=${`M${x(low)} ${middle}H${x(high)}M${x(low)} ${middle - 5}v10M${x(high)} ${middle - 5}v10`} />
    <path class="diamond" d=${`M${x(combined)} ${middle - 7}l6 7-6 7-6-7z`} />
    <text class="strong" x="0" y=${middle + 4}>combined</text>
    <text class="strong" x=${width} y=${middle + 4} text-anchor="end">${amount(combined)}</text>
  </svg>`;
}

/**
 * A bar for each of the likeliest classes, of each member and of the combination.
 * @param {{answer: EnsembleAnswer}} props
 */
function Classes({ answer: { classes, probabilities, members } }) {
  const combined = probabilities?.[0] ?? [];
  const shown = combined
    .map((share, place) => ({ share, place }))
    .sort((a, b) => b.share - a.share)
    .slice(0, CLASSES_SHOWN)
    .map(({ place }) => place);
  const rows = [
    ...members.map(({ peer, name, probabilities: own }) => ({ key: peer, name, shares: own?.[0] ?? null })),
    { key: "combined", name: "combined", shares: combined },
  ];
  return html`<div class="sideways" tabindex="0" role="region" aria-label="Probabilities">
    <table class="classes">
      <thead><tr><td></td>${shown.map((place) => html`<th key=${place} scope="col">${classes[place]}</th>`)}</tr></thead>
      <tbody>
        ${rows.map(
          ({ key, name, shares }) =>
            html`<tr key=${key} class=${key === "combined" ? "strong" : ""}><th scope="row">${name}</th>${shown.map(
              (place) =>
                html`<td key=${place}>${shares === null ? "–" : html`<span class="bar"><i style=${{ width: `${100 * shares[place]}%` }}></i></span> ${percent(shares[place])}`}</td>`,
            )}</tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** @param {number | null} value null for a number that JSON has none for */
function amount(value) {
  if (value === null) return "not a number";
  return Math.abs(value) >= 1000 && Math.abs(value) < 1e12 ? Math.round(value).toLocaleString("en") : significant(value);
}
