// The newest questions that were asked through this dashboard.
// @ts-check

import { duration, plural } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./types.js").Ensemble} Ensemble */
/** @typedef {import("./types.js").EnsembleQuestion} Question */

const SHOWN_MAX = 12;

/** @param {{ensemble: Ensemble}} props */
export function Questions({ ensemble: { name, members, questions } }) {
  const names = new Map(members.map((member) => [member.peer, member.name]));
  const slowest = Math.max(...questions.map((question) => question.seconds), 1e-9);
  return html`<section>
    <h3>Questions through this dashboard</h3>
    ${questions.length === 0
      ? html`<p class="hint">No question yet, from this page or over HTTP.</p>`
      : html`<div class="sideways" tabindex="0" role="region" aria-label=${`Questions to ${name}`}>
          <table>
            <thead><tr><th scope="col">At</th><th scope="col" class="numeric">Rows</th><th scope="col">Time</th><th scope="col">Answered</th><th scope="col">Missing</th></tr></thead>
            <tbody>${questions.slice(-SHOWN_MAX).reverse().map((question) => html`<${Row} key=${question.seq} question=${question} names=${names} slowest=${slowest} />`)}</tbody>
          </table>
        </div>`}
  </section>`;
}

/** @param {{question: Question, names: Map<string, string>, slowest: number}} props */
function Row({ question, names, slowest }) {
  const { answered, missing, error, seconds } = question;
  return html`<tr>
    <td><time>${duration(question.elapsed_s)}</time></td>
    <td class="numeric">${question.num_rows}</td>
    <td><span class="bar"><i style=${{ width: `${(100 * seconds) / slowest}%` }}></i></span> ${Math.round(1000 * seconds)} ms</td>
    <td>${error ? html`<span class="over">failed</span>` : html`<span title=${answered.map((peer) => names.get(peer) ?? peer).join(", ")}>${answered.length === 0 ? "none" : answered.map((peer) => names.get(peer) ?? peer.slice(-6)).join(", ")}</span>`}</td>
    <td>${error || missing.map((one) => `${one.name}: ${one.reason}`).join("; ") || html`<span class="hint">none of ${plural(answered.length, "member")}</span>`}</td>
  </tr>`;
}
