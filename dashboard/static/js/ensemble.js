// The Ensemble tab: members, their scores of each other's models, questions, and a form to ask.
// @ts-check

import { EmptyTab } from "./empty-tab.js";
import { Ask } from "./ensemble-ask.js";
import { Matrix } from "./ensemble-matrix.js";
import { Members } from "./ensemble-members.js";
import { Questions } from "./ensemble-questions.js";
import { Shadows } from "./ensemble-shadows.js";
import { UNKNOWN, plural } from "./format.js";
import { html } from "./html.js";

/** @typedef {import("./types.js").Ensemble} EnsembleInfo */
/** @typedef {import("./store.js").Store} Store */

/** @param {{store: Store}} props */
export function Ensemble({ store }) {
  const ensembles = store.snapshot?.ensembles ?? [];
  if (ensembles.length === 0) {
    return html`<${EmptyTab}
      title="Ensemble"
      lead="No ensemble serves predictions in this swarm."
      icon="M12 3l8 4.500-8 4.500-8-4.500zM4 12l8 4.500 8-4.500M4 16.500L12 21l8-4.500"
      will=${[
        "each member with its model, and how well that model does on the other members' rows",
        "a form that asks one question, and draws every member's answer",
        "members whose rows drift, and refitted models that may replace theirs",
      ]}
      startText="Any machine with a table of rows can start an ensemble:"
      start="python -m swarm.ensemble serve --data rows.csv --target COLUMN 127.0.0.1 7001"
    />`;
  }
  return html`<h1 class="spoken">Ensemble</h1>
    <div class="studies">${ensembles.map((one) => html`<${Card} key=${one.id} ensemble=${one} store=${store} />`)}</div>`;
}

/** @param {{ensemble: EnsembleInfo, store: Store}} props */
function Card({ ensemble, store }) {
  const { name, task, target, metric, ready, members, latency } = ensemble;
  const present = members.filter((member) => member.present).length;
  const what = task === "regression" ? `predicts ${target ?? "a number"}` : `predicts one of ${plural(ensemble.classes.length, "class", "classes")}`;
  return html`<section class="card study ensemble" aria-label=${`Ensemble ${name}`}>
    <div class="card-head">
      <h2>${name}</h2>
      <p class="hint">${what} · scored by ${metric} · combined by ${ensemble.combination === "auto" ? "skill" : ensemble.combination}</p>
      <div class="tools"><span class=${`phase ${ready ? "finished" : "paused"}`}>${ready ? "answers" : "waits for members"}</span></div>
    </div>
    <div class="study-body">
      <dl class="pairs">
        <div><dt>Members</dt><dd>${present}${present < members.length && html` <small>of ${members.length} known</small>`}</dd></div>
        <div><dt title="Answers that a question needs, at least">Quorum</dt><dd>${ensemble.num_needed} <small>within ${ensemble.deadline_s} s</small></dd></div>
        <div><dt title="Asked through this dashboard">Questions</dt><dd>${ensemble.num_asked}${ensemble.num_failed > 0 && html` <small>${ensemble.num_failed} failed</small>`}</dd></div>
        <div><dt title="Median and 99th percentile of the time to an answer">Answer time</dt><dd>${latency ? milliseconds(latency.p50_s) : UNKNOWN}${latency && html` <small>p99 ${milliseconds(latency.p99_s)}</small>`}</dd></div>
      </dl>
      <${Ask} ensemble=${ensemble} />
      <${Members} ensemble=${ensemble} />
      <div class="two even">
        <${Matrix} ensemble=${ensemble} />
        <${Shadows} ensemble=${ensemble} />
      </div>
      <${Questions} ensemble=${ensemble} store=${store} />
    </div>
  </section>`;
}

/** @param {number} seconds */
function milliseconds(seconds) {
  return seconds < 1 ? `${Math.round(1000 * seconds)} ms` : `${seconds.toFixed(2)} s`;
}
