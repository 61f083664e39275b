// The members of an ensemble: the model that answers, its skill, and drift.
// @ts-check

import { UNKNOWN, clock, percent, score, significant, whole } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./types.js").Ensemble} Ensemble */
/** @typedef {import("./types.js").EnsembleMember} Member */

/** @param {{ensemble: Ensemble}} props */
export function Members({ ensemble: { name, metric, members } }) {
  return html`<section>
    <h3>Members</h3>
    ${members.length === 0
      ? html`<p class="hint">No member was heard yet.</p>`
      : html`<div class="sideways" tabindex="0" role="region" aria-label=${`Members of ${name}`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Member</th><th scope="col">State</th><th scope="col">Version</th><th scope="col">Learner</th>
                <th scope="col">Trained</th><th scope="col" class="numeric">Rows</th>
                <th scope="col" title="1 - loss / loss of a constant, on the rows of all members that scored it">Skill</th>
                <th scope="col" class="numeric">${metric}</th><th scope="col">Drift</th>
              </tr>
            </thead>
            <tbody>${members.map((member) => html`<${Row} key=${member.peer} member=${member} />`)}</tbody>
          </table>
        </div>
        ${members.filter(({ detail }) => detail).map(({ peer, name, detail }) => html`<p class="hint" key=${peer}>${name}: ${detail}</p>`)}`}
  </section>`;
}

/** @param {{member: Member}} props */
function Row({ member }) {
  const { champion: model, drift } = member;
  const behaviour = stateOf(member);
  return html`<tr>
    <th scope="row" title=${member.peer}>${member.name}</th>
    <td><span class=${`state ${behaviour.kind}`}>${behaviour.words}</span></td>
    <td title=${model?.version}>${model ? model.version.slice(0, 7) : UNKNOWN}</td>
    <td>${model?.learner ?? UNKNOWN}${model?.stays_home && html` <small class="hint">stays at home</small>`}</td>
    <td>${model ? html`${clock(model.fitted_unix_s)} <small class="hint">in ${model.fit_s.toFixed(1)} s</small>` : UNKNOWN}</td>
    <td class="numeric">${whole(model?.num_rows ?? member.num_rows)}</td>
    <td>${member.skill === null ? UNKNOWN : html`<span class="bar"><i style=${{ width: `${100 * Math.max(0, Math.min(1, member.skill))}%` }}></i></span> ${percent(member.skill)}`}</td>
    <td class="numeric">${member.metric === null ? UNKNOWN : score(member.metric)}</td>
    <td title=${drift.detail}>${drift.threshold === 0 ? UNKNOWN : html`<span class=${drift.drifting ? "over" : ""}>${significant(drift.value)}</span> <small class="hint">of ${significant(drift.threshold)}</small>`}</td>
  </tr>`;
}

/** @param {Member} member */
function stateOf({ present, distrusted, state, progress }) {
  if (!present) return { kind: "lost", words: "lost" };
  if (distrusted) return { kind: "quarantined", words: "lost its weight" };
  if (state === "fitting") return { kind: "fitting", words: `fits, ${percent(progress)}` };
  if (state === "waiting") return { kind: "absent", words: "no model yet" };
  return { kind: "alive", words: "answers" };
}
