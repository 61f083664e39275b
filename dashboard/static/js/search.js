// The Search tab: the studies of the swarm, their trials and their workers.
// @ts-check

import { UNKNOWN, plural, significant as number } from "./format.js";
import { html } from "./html.js";
import { EmptyTab } from "./empty-tab.js";

/** @typedef {import("./types.js").Study} Study */
/** @typedef {import("./store.js").Store} Store */

const WIDE = { width: 640, height: 190, left: 52, bottom: 26, top: 10, right: 10 };
const NARROW = { ...WIDE, width: 330, height: 170 }; // keeps letters readable on a small screen
const small = matchMedia("(max-width: 640px)");

/** @param {{store: Store}} props */
export function Search({ store }) {
  const studies = store.snapshot?.studies ?? [];
  if (studies.length === 0) {
    return html`<${EmptyTab}
      title="Search"
      lead="No hyperparameter study is running in this swarm."
      icon="M10.500 4a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13zm5 11.500L21 21"
      will=${[
        "each study with its strategy, its trials by state, and the best value so far",
        "the history of the objective, and the best parameters",
        "the trial that each peer works on",
      ]}
      start="python -m swarm.search --help"
      startText="Any machine that reaches a peer of the swarm can start a study:"
    />`;
  }
  return html`<h1 class="spoken">Search</h1>
    <div class="studies">${studies.map((study) => html`<${StudyCard} key=${study.id} study=${study} />`)}</div>`;
}

/** @param {{study: Study}} props */
function StudyCard({ study }) {
  const { name, strategy, direction, metric, finished, best } = study;
  return html`<section class="card study" aria-label=${`Study ${name}`}>
    <div class="card-head">
      <h2>${name}</h2>
      <p class="hint">${strategy} · ${direction} ${metric}${study.complete ? "" : " · only a part of it is known"}</p>
      <div class="tools"><span class=${`phase ${finished ? "finished" : "training"}`}>${finished ? "finished" : "running"}</span></div>
    </div>
    <div class="study-body">
      <dl class="pairs">
        <div><dt>Best ${metric}</dt><dd class="big">${best ? number(best.value) : UNKNOWN}${best && html` <small>trial ${best.number}</small>`}</dd></div>
        <div><dt>Done</dt><dd>${study.num_done} <small>of ${study.num_trials}</small></dd></div>
        <div><dt title="Trials without a result: they run, or wait at their worker">In progress</dt><dd>${study.num_running}</dd></div>
        <div><dt>Failed</dt><dd>${study.num_failed}</dd></div>
      </dl>
      <progress max=${Math.max(1, study.num_trials)} value=${study.num_done + study.num_failed} aria-label=${`Finished trials of ${name}`}></progress>
      <div class="two">
        <${Trials} study=${study} />
        <div class="side"><${BestParams} study=${study} /><${Workers} study=${study} /></div>
      </div>
    </div>
  </section>`;
}

/** @param {{study: Study}} props */
function BestParams({ study: { best } }) {
  return html`<section>
    <h3>Best parameters</h3>
    ${best
      ? html`<table>
          <tbody>
            <tr><th scope="row">model</th><td class="numeric">${best.model}</td></tr>
            ${Object.entries(best.params).map(
              ([key, value]) =>
                html`<tr key=${key}><th scope="row">${key}</th><td class="numeric">${typeof value === "number" ? number(value) : String(value)}</td></tr>`,
            )}
          </tbody>
        </table>`
      : html`<p class="hint">No trial is finished yet.</p>`}
  </section>`;
}

/** @param {{study: Study}} props */
function Workers({ study: { workers } }) {
  return html`<section>
    <h3>Workers</h3>
    ${workers.length === 0
      ? html`<p class="hint">No peer is working on it now.</p>`
      : html`<table>
          <thead><tr><th scope="col">Peer</th><th scope="col" class="numeric">Trial</th><th scope="col" class="numeric">Done</th></tr></thead>
          <tbody>
            ${workers.map(
              ({ peer, name, trial, num_done }) =>
                html`<tr key=${peer}><th scope="row">${name}</th><td class="numeric">${trial ?? UNKNOWN}</td><td class="numeric">${num_done}</td></tr>`,
            )}
          </tbody>
        </table>`}
  </section>`;
}

/**
 * Each trial's value, and the best one so far as a line.
 * @param {{study: Study}} props
 */
function Trials({ study }) {
  const done = study.history.flatMap(({ number: at, value, state }) =>
    state === "done" && value !== null ? [{ at, value }] : [],
  );
  if (done.length === 0) return html`<p class="nothing">The first finished trial will appear here.</p>`;
  const low = Math.min(...done.map(({ value }) => value));
  const high = Math.max(...done.map(({ value }) => value));
  const last = Math.max(1, ...study.history.map((trial) => trial.number));
  const { width, height, left, bottom, top, right } = small.matches ? NARROW : WIDE;
  /** @param {number} at */
  const x = (at) => left + (at / last) * (width - left - right);
  /** @param {number} value */
  const y = (value) => top + (1 - (value - low) / (high - low || 1)) * (height - top - bottom);
  const line = bestSoFar(done, study.direction)
    .map(({ at, value }, index) => `${index === 0 ? "M" : "H"}${x(at).toFixed(1)}${index === 0 ? ` ${y(value).toFixed(1)}` : `V${y(value).toFixed(1)}`}`)
    .join("");
  const label = `${plural(done.length, "trial")} done, ${study.metric} from ${number(low)} to ${number(high)}`;
  return html`<svg class="trials" viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${label}>
    <path class="grid" d=${`M${left} ${y(high)}H${width - right}M${left} ${y((low + high) / 2)}H${width - right}M${left} ${y(low)}H${width - right}`} />
    <text x=${left - 8} y=${y(high) + 4} text-anchor="end">${number(high)}</text>
    <text x=${left - 8} y=${y(low) + 4} text-anchor="end">${number(low)}</text>
    <text x=${left} y=${height - 6}>trial 0</text>
    <text x=${width - right} y=${height - 6} text-anchor="end">${last}</text>
    <path class="best" d=${`${line}H${x(last)}`} />
    ${done.map(({ at, value }) => html`<circle key=${at} cx=${x(at).toFixed(1)} cy=${y(value).toFixed(1)} r="3.5"><title>${`trial ${at}: ${number(value)}`}</title></circle>`)}
  </svg>`;
}

/**
 * @param {{at: number, value: number}[]} done
 * @param {"maximize" | "minimize"} direction
 */
function bestSoFar(done, direction) {
  let best = done[0].value;
  return done.map(({ at, value }) => {
    best = direction === "maximize" ? Math.max(best, value) : Math.min(best, value);
    return { at, value: best };
  });
}
