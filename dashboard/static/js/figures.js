// The figures at the top: accuracy, loss, round, time left and peers.
// @ts-check

import { activity, isStoppedEarly } from "./activity.js";
import { UNKNOWN, decimals, duration, percent, plural } from "./format.js";
import { html } from "./html.js";
import { STATES, isPresent } from "./peer-states.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./store.js").Store} Store */

const SPARK = { width: 108, height: 34 };

/** @param {{store: Store}} props */
export function Figures({ store }) {
  const snapshot = store.shown;
  const points = snapshot?.curves.global ?? [];
  return html`<div class="figure accuracy">
      <h2>Global test accuracy</h2>
      <p class="value">${percent(trained(snapshot)?.accuracy)}</p>
      <p class="note">${change(points, "accuracy", snapshot)}</p>
      <p class="note" title="Running accuracy on training batches, mean of the peers that train now">
        Training accuracy ${percent(snapshot?.training.accuracy)}
      </p>
      ${bestNote(points, snapshot)}
      <${Spark} values=${points.map((/** @type {Point} */ point) => point.accuracy)} />
    </div>
    <div class="figure loss">
      <h2>Global test loss</h2>
      <p class="value">${decimals(trained(snapshot)?.loss)}</p>
      <p class="note">${change(points, "loss", snapshot)}</p>
    </div>
    <${RoundFigure} store=${store} />
    <div class="figure left">
      <h2>Time left</h2>
      <p class="value">${timeLeft(store)}</p>
      <p class="note">${elapsedNote(store)}</p>
    </div>
    <${PeerFigure} store=${store} />`;
}

/** @param {{store: Store}} props */
function RoundFigure({ store }) {
  const snapshot = store.shown;
  const session = snapshot?.session;
  const done = snapshot && session ? doneShare(snapshot, session.rounds) : 0;
  const state = snapshot?.operator.run_state;
  const word = state === "paused" || state === "held" || state === "stopped" ? state : snapshot?.phase;
  return html`<div class="figure round">
    <h2>Round</h2>
    <p class="value">
      ${snapshot && session
        ? html`${Math.min(snapshot.round, session.rounds)}<small> of ${session.rounds}</small
            ><span class=${`phase ${word}`}>${word}</span>`
        : UNKNOWN}
    </p>
    <progress max="1" value=${done} aria-label="Rounds done"></progress>
    <p class="note">${store.replaying ? "The past, as the swarm remembers it" : activity(snapshot)}</p>
  </div>`;
}

/** @param {{store: Store}} props */
function PeerFigure({ store }) {
  const snapshot = store.shown;
  const peers = snapshot?.peers ?? [];
  const observers = snapshot?.observers.length ?? 0;
  const here = peers.filter(isPresent).length;
  return html`<div class="figure who">
    <h2>Present peers</h2>
    <p class="value">${snapshot ? html`${here}<small> of ${plural(peers.length, "peer")}</small>` : UNKNOWN}</p>
    <ul class="states">
      ${STATES.map(({ id, word, sign }) => {
        const count = peers.filter((peer) => peer.state === id).length;
        const always = id === "alive" || id === "suspect" || id === "lost" || id === "quarantined";
        if (count === 0 && !always) return null;
        const chosen = store.filter === word;
        return html`<li key=${id}>
          <button
            class=${`chip ${id} ${count === 0 ? "none" : ""}`}
            aria-pressed=${String(chosen)}
            title=${`Only show ${word} peers`}
            onClick=${() => store.setFilter(chosen ? "" : word)}
          >
            <span aria-hidden="true">${sign}</span> ${count} ${word}
          </button>
        </li>`;
      })}
      <li class="chip observer"><span aria-hidden="true">◎</span> ${plural(observers, "observer")}</li>
    </ul>
  </div>`;
}

/** @param {{values: (number | null)[]}} props */
function Spark({ values }) {
  const known = values.flatMap((value, index) => (value === null ? [] : [{ value, index }]));
  if (known.length < 2) return null;
  const low = Math.min(...known.map(({ value }) => value));
  const high = Math.max(...known.map(({ value }) => value));
  const across = SPARK.width / Math.max(1, values.length - 1);
  const points = known.map(({ value, index }) => {
    const y = SPARK.height - 3 - ((value - low) / (high - low || 1)) * (SPARK.height - 6);
    return `${(index * across).toFixed(1)},${y.toFixed(1)}`;
  });
  return html`<svg class="spark" viewBox=${`0 0 ${SPARK.width} ${SPARK.height}`} preserveAspectRatio="none" aria-hidden="true">
    <polyline points=${points.join(" ")} />
  </svg>`;
}

/**
 * The newest measurement of a trained model; round 0 is the untrained one, which is no result.
 * @param {Snapshot | null} snapshot
 */
export function trained(snapshot) {
  return snapshot !== null && (snapshot.global.round ?? 0) > 0 ? snapshot.global : null;
}

/**
 * The best measured model, if it is not the newest one; round 0 is untrained and never the best.
 * @param {Point[]} points
 * @param {Snapshot | null} snapshot
 */
function bestNote(points, snapshot) {
  const measured = points.filter(({ round, accuracy }) => round > 0 && accuracy !== null);
  const best = measured.toSorted((a, b) => Number(b.accuracy) - Number(a.accuracy))[0];
  if (best === undefined || best.round === snapshot?.global.round) return null;
  return html`<p class="note">Best: ${percent(best.accuracy)} (round ${best.round})</p>`;
}

/**
 * The change that the newest round brought.
 * @param {Point[]} points
 * @param {"accuracy" | "loss"} metric
 * @param {Snapshot | null} snapshot
 */
function change(points, metric, snapshot) {
  const round = snapshot?.global.round;
  const now = snapshot?.global[metric];
  if (round == null || now == null) return "no model evaluated yet";
  if (round === 0) return `untrained model: ${metric === "accuracy" ? percent(now) : decimals(now)}`;
  const before = points.findLast((point) => point.round < round)?.[metric];
  if (before == null) return `after round ${round}`;
  const delta = now - before;
  const sign = delta < 0 ? "−" : "+";
  const text =
    metric === "accuracy" ? `${(100 * Math.abs(delta)).toFixed(1)} points` : Math.abs(delta).toFixed(3);
  return `${sign}${text} in round ${round}`;
}

/**
 * @param {Snapshot} snapshot
 * @param {number} rounds
 */
function doneShare(snapshot, rounds) {
  if (isStoppedEarly(snapshot)) return (snapshot.head?.round ?? 0) / rounds;
  if (snapshot.finished) return 1;
  if (snapshot.phase === "replay") return snapshot.round / rounds;
  return (Math.max(0, snapshot.round - 1) + 0.95 * shareOfRound(snapshot)) / rounds;
}

/** @param {Snapshot} snapshot */
function shareOfRound(snapshot) {
  if (snapshot.phase === "aggregating") return 1;
  const present = snapshot.peers.filter(isPresent);
  if (snapshot.phase !== "training" || present.length === 0) return 0;
  const training = present.filter((peer) => peer.phase === "training");
  return 1 - training.reduce((sum, peer) => sum + 1 - peer.progress, 0) / present.length;
}

/**
 * Time for the remaining rounds, as the dashboard's server estimates it.
 * @param {Store} store
 */
function timeLeft(store) {
  const snapshot = store.shown;
  const session = snapshot?.session;
  if (!snapshot || !session || store.replaying) return UNKNOWN;
  if (isStoppedEarly(snapshot)) return "stopped";
  if (snapshot.finished) return "done";
  const { run_state } = snapshot.operator;
  if (run_state !== "running") return run_state;
  return snapshot.time_left_s === null ? UNKNOWN : `≈ ${duration(snapshot.time_left_s)}`;
}

/** @param {Store} store */
function elapsedNote(store) {
  if (store.replaying) {
    const elapsed = store.shown?.elapsed_s ?? 0;
    return elapsed > 0 ? `${duration(elapsed)} after round 0` : "time unknown";
  }
  return `watched for ${duration(store.elapsedS())}`;
}
