// The cross-validation matrix as a heat map: each member's score of each model on its own rows.
// @ts-check

import { UNKNOWN, score as shown, whole } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./types.js").Ensemble} Ensemble */
/** @typedef {import("./types.js").EnsembleScore} Score */

const WEAKEST = 4;
const STRONGEST = 46; // per cent of the accent: text stays readable on it in both themes

/** @param {{ensemble: Ensemble}} props */
export function Matrix({ ensemble: { name, metric, members, matrix } }) {
  const cells = new Map(matrix.map((score) => [`${score.scorer} ${score.owner}`, score]));
  const known = matrix.flatMap((score) => (score.metric === null ? [] : [score.metric]));
  const low = Math.min(...known);
  const high = Math.max(...known);
  /** @param {number} value */
  const share = (value) => WEAKEST + (STRONGEST - WEAKEST) * (high > low ? (high - value) / (high - low) : 0.5);
  return html`<section>
    <h3>Scores of each model, on each member's rows</h3>
    ${known.length === 0
      ? html`<p class="hint">No model was scored yet.</p>`
      : html`<p class="hint">${metric}: lower is better, and has a stronger colour. Scorers in rows, models in columns. Framed: own rows, out of fold.</p>
        <div class="sideways" tabindex="0" role="region" aria-label=${`Scores of ${name}`}>
          <table class="matrix">
            <thead><tr><td></td>${members.map(({ peer, name }) => html`<th key=${peer} scope="col">${name}</th>`)}</tr></thead>
            <tbody>
              ${members.map(
                ({ peer: scorer, name }) =>
                  html`<tr key=${scorer}><th scope="row">${name}</th>${members.map(({ peer: owner }) => html`<${Cell} key=${owner} score=${cells.get(`${scorer} ${owner}`)} share=${share} />`)}</tr>`,
              )}
            </tbody>
          </table>
        </div>`}
  </section>`;
}

/** @param {{score: Score | undefined, share: (value: number) => number}} props */
function Cell({ score, share }) {
  if (score === undefined) return html`<td>${UNKNOWN}</td>`;
  if (score.metric === null) return html`<td class="refused" title=${score.refusal}>refused</td>`;
  return html`<td class=${score.own ? "scored own" : "scored"} style=${{ "--share": `${share(score.metric).toFixed(1)}%` }} title=${`on ${whole(score.num_rows)} rows`}>${shown(score.metric)}</td>`;
}
