// Models in the shadow beside those that answer, and members whose rows drift.
// @ts-check

import { UNKNOWN, clock, plural, significant, whole } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./types.js").Ensemble} Ensemble */
/** @typedef {import("./types.js").EnsembleMember} Member */

/** @param {{ensemble: Ensemble}} props */
export function Shadows({ ensemble: { members } }) {
  const shown = members.filter(({ challenger, drift }) => challenger !== null || drift.drifting);
  return html`<section>
    <h3>Drift, and models in the shadow</h3>
    ${shown.length === 0
      ? html`<p class="hint">No member's rows drift, and no model waits to replace another.</p>`
      : shown.map((member) => html`<${Shadow} key=${member.peer} member=${member} />`)}
  </section>`;
}

/** @param {{member: Member}} props */
function Shadow({ member }) {
  const { name, drift, champion, challenger, comparison } = member;
  return html`<div class="shadow">
    ${drift.drifting &&
    html`<p class="note"><strong>${name} drifts:</strong> ${significant(drift.value)}, above ${significant(drift.threshold)}${drift.detail && `; ${drift.detail}`}.</p>`}
    ${challenger !== null &&
    html`<table>
      <caption>${name}: ${challenger.version.slice(0, 7)}, trained ${clock(challenger.fitted_unix_s)}, answers in the shadow</caption>
      <thead><tr><td></td><th scope="col" class="numeric">answers now</th><th scope="col" class="numeric">in the shadow</th></tr></thead>
      <tbody>
        <tr><th scope="row">rows</th><td class="numeric">${champion ? whole(champion.num_rows) : UNKNOWN}</td><td class="numeric">${whole(challenger.num_rows)}</td></tr>
        ${comparison !== null && html`<${Losses} comparison=${comparison} />`}
      </tbody>
    </table>
    ${comparison !== null &&
    html`<p class="hint">${plural(comparison.num_shadow, "row")} answered in the shadow${comparison.num_shadow > 0 ? `, mean difference ${significant(comparison.disagreement)}` : ""}.</p>`}`}
  </div>`;
}

/** @param {{comparison: NonNullable<Member["comparison"]>}} props */
function Losses({ comparison: both }) {
  const rows = [
    ["loss in validation", both.champion_validation, both.challenger_validation],
    [`loss on ${plural(both.num_recent, "recent row")}`, both.champion_recent, both.challenger_recent],
  ];
  return rows.map(
    ([words, now, next]) =>
      html`<tr key=${words}><th scope="row">${words}</th><td class="numeric">${loss(now)}</td><td class=${Number(next) > 0 && Number(next) <= Number(now) ? "numeric better" : "numeric"}>${loss(next)}</td></tr>`,
  );
}

/** @param {string | number} value 0 while it is not known */
function loss(value) {
  return value === 0 ? UNKNOWN : significant(Number(value));
}
