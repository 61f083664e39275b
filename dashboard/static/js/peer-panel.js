// The panel of one peer: its state, curves, contributions, bytes, data, addresses and log.
// @ts-check

import { AlertLine } from "./alerts.js";
import { UNKNOWN, bytes, decimals, duration, percent, plural, whole } from "./format.js";
import { html, render } from "./html.js";
import { isGone, stateSign, stateWord } from "./peer-states.js";
import { goneBefore } from "./replay.js";
import { Mark } from "./shapes.js";

/** @typedef {import("./types.js").Peer} Peer */
/** @typedef {import("./types.js").Contributor} Contributor */
/** @typedef {import("./store.js").Store} Store */

const PLOT = { width: 400, height: 120, left: 38, bottom: 20 };
const ROUNDS_SHOWN = 60;

export class PeerPanel {
  #open = "";
  /** @type {Element | null} */
  #before = null;

  /**
   * @param {HTMLElement} place
   * @param {Store} store
   * @param {() => void} loadPast
   * @param {import("./operator.js").OperatorSheet} operator
   */
  constructor(place, store, loadPast, operator) {
    this.place = place;
    this.store = store;
    this.loadPast = loadPast;
    this.operator = operator;
    addEventListener("keydown", (event) => {
      const elsewhere = document.querySelector("dialog[open]") !== null;
      if (event.key === "Escape" && !elsewhere) store.select("");
    });
  }

  render() {
    const { selected, shown } = this.store;
    const known = shown?.peers.find((one) => one.id === selected);
    const past = !this.store.replaying && shown?.past_peers.some((one) => one.id === selected);
    const peer = known ?? (shown && past ? goneBefore(shown, selected) : null);
    this.place.hidden = selected === "";
    if (selected === "") {
      this.#closed();
      return;
    }
    this.loadPast();
    render(
      html`<${Panel} id=${selected} peer=${peer} store=${this.store} operator=${this.operator} />`,
      this.place,
    );
    if (this.#open === "") {
      this.#before = document.activeElement;
      this.place.focus({ preventScroll: true });
    }
    this.#open = selected;
  }

  #closed() {
    if (this.#open === "") return;
    this.#open = "";
    render(null, this.place);
    // Return the focus to the element that had it, if it still exists.
    if (this.#before instanceof HTMLElement && this.#before.isConnected) {
      this.#before.focus({ preventScroll: true });
    }
  }
}

/** @param {{id: string, peer: Peer | null, store: Store, operator: import("./operator.js").OperatorSheet}} props */
function Panel({ id, peer, store, operator }) {
  const close = () => store.select("");
  if (peer === null) {
    return html`<header class="panel-head">
        <h2 id="panel-heading">${store.nameOf(id)}</h2>
        <button class="close" aria-label="Close" onClick=${close}>✕</button>
      </header>
      <p class="nothing">${
        store.shown === null
          ? "Waiting for the dashboard's first report."
          : store.replaying
            ? `It was not in the cohort of round ${store.round}.`
            : "The dashboard does not know a peer with this id."
      }</p>`;
  }
  const alerts = (store.shown?.alerts ?? []).filter((alert) => alert.peer === id);
  const heardOf = store.snapshot?.peers.some((one) => one.id === id) ?? false;
  return html`<header class="panel-head">
      <svg viewBox="-24 -24 48 48" aria-hidden="true">${Mark(peer, 16)}</svg>
      <div>
        <h2 id="panel-heading">${peer.name}</h2>
        <p class="hint">${headline(peer)}</p>
      </div>
      <button class="close" aria-label="Close" onClick=${close}>✕</button>
    </header>
    <div class="panel-body">
      ${!heardOf && html`<p class="hint">It was gone before this dashboard started. The other peers remember this about it.</p>`}
      ${heardOf && html`<dl class="pairs">
        <${Pair} name="Test accuracy" value=${percent(peer.accuracy)} />
        <${Pair} name="Test loss" value=${decimals(peer.loss)} />
        <${Pair} name="Training accuracy" value=${percent(peer.train_accuracy)} />
        <${Pair} name="Training loss" value=${decimals(peer.train_loss)} />
        <${Pair} name="Sent" value=${bytes(peer.bytes_sent)} note=${`weights ${bytes(peer.blob_bytes_sent)}`} />
        <${Pair} name="Received" value=${bytes(peer.bytes_received)} />
        <${Pair} name="Rejected" value=${whole(peer.rejections)} note="messages and records" />
        <${Pair} name="Last heard" value=${peer.seen_s_ago > 0 ? `${duration(peer.seen_s_ago)} ago` : "just now"} />
      </dl>`}
      <${Curve} title="Test accuracy" id=${id} metric="accuracy" store=${store} />
      <${Curve} title="Test loss" id=${id} metric="loss" store=${store} />
      <${Contributions} id=${id} store=${store} />
      ${heardOf && html`<section>
        <h3>Data</h3>
        <p>${dataText(peer)}</p>
        <p class="hint">A peer reports only counts about its data.</p>
      </section>`}
      <section>
        <h3>Addresses</h3>
        ${peer.addresses.length === 0
          ? html`<p class="hint">It has reported no addresses.</p>`
          : html`<ul class="addresses">${peer.addresses.map((one) => html`<li key=${one}><code>${one}</code></li>`)}</ul>`}
        <p class="hint">Peer id <code class="peer-id">${peer.id}</code></p>
      </section>
      <section>
        <h3>Alerts</h3>
        ${alerts.length === 0
          ? html`<p class="hint">There are no alerts about this peer.</p>`
          : html`<ol class="alert-list">${alerts.toReversed().map((alert) => html`<${AlertLine} key=${alert.id} alert=${alert} store=${store} />`)}</ol>`}
      </section>
      <section>
        <h3>Log</h3>
        <${PeerLog} id=${id} store=${store} />
      </section>
      ${operator.peerActions(peer)}
    </div>`;
}

/** @param {any} props */
function Pair({ name, value, note }) {
  return html`<div><dt>${name}</dt><dd>${value}${note && html` <small>${note}</small>`}</dd></div>`;
}

/** @param {Peer} peer */
function headline(peer) {
  const cluster = peer.cluster === null ? "in no cluster" : `cluster ${peer.cluster + 1}`;
  const tier = peer.tier > 1 ? `, tier ${peer.tier}` : "";
  const state = `${stateSign(peer.state)} ${stateWord(peer.state)}`;
  const parts = [state, `${peer.role}${tier}`, cluster];
  if (peer.site) parts.push(peer.site);
  if (!isGone(peer) && peer.state !== "absent") parts.push(peer.phase);
  return parts.join(" · ");
}

/** @param {Peer} peer */
function dataText(peer) {
  if (peer.data === null) return `${whole(peer.num_examples)} training examples`;
  const { label, num_train, num_test } = peer.data;
  return `${label}: ${whole(num_train)} training examples, ${whole(num_test)} test examples`;
}

/**
 * The peer's own curve beside the global one.
 * @param {{title: string, id: string, metric: "accuracy" | "loss", store: Store}} props
 */
function Curve({ title, id, metric, store }) {
  const curves = store.shown?.curves;
  const own = curves?.peers[id] ?? [];
  const all = curves?.global ?? [];
  const known = [...own, ...all].flatMap((point) => point[metric] ?? []);
  if (own.length === 0 || known.length === 0) {
    return html`<section><h3>${title}</h3><p class="hint">It has not evaluated a global model yet.</p></section>`;
  }
  const last = Math.max(1, own.at(-1)?.round ?? 0, all.at(-1)?.round ?? 0);
  const first = Math.min(own[0].round, all[0]?.round ?? own[0].round);
  const high = metric === "accuracy" ? Math.min(1, Math.ceil(10 * Math.max(...known)) / 10) : Math.max(...known) * 1.05;
  const { width, height, left, bottom } = PLOT;
  /** @param {import("./types.js").Point[]} points */
  const line = (points) =>
    points
      .filter((point) => point[metric] !== null)
      .map((point) => {
        const x = left + ((point.round - first) / Math.max(1, last - first)) * (width - left - 6);
        const y = 6 + (1 - Number(point[metric]) / (high || 1)) * (height - bottom - 6);
        return `${x.toFixed(1)},${y.toFixed(1)}`;
      })
      .join(" ");
  const now = own.at(-1)?.[metric];
  const text = metric === "accuracy" ? percent : decimals;
  return html`<section>
    <h3>${title}</h3>
    <svg class="small-plot" viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${`${title} of this peer, ${text(now)} in round ${own.at(-1)?.round}`}>
      <path class="grid" d=${`M${left} 6H${width}M${left} ${(height - bottom + 6) / 2}H${width}M${left} ${height - bottom}H${width}`} />
      <text x=${left - 6} y="10" text-anchor="end">${metric === "accuracy" ? `${Math.round(100 * high)} %` : high.toFixed(1)}</text>
      <text x=${left - 6} y=${height - bottom + 4} text-anchor="end">0</text>
      <text x=${left} y=${height - 5}>round ${first}</text>
      <text x=${width - 6} y=${height - 5} text-anchor="end">${last}</text>
      <polyline class="all" points=${line(all)} />
      <polyline class="own" points=${line(own)} />
    </svg>
    <p class="hint"><i class="swatch accent"></i> this peer <i class="swatch global"></i> global</p>
  </section>`;
}

/**
 * Its contribution to each round: examples, duration, staleness.
 * @param {{id: string, store: Store}} props
 */
function Contributions({ id, store }) {
  const until = store.round ?? Infinity;
  const rounds = [...store.past.values()]
    .filter((record) => record.round > 0 && record.round <= until)
    .sort((a, b) => b.round - a.round)
    .slice(0, ROUNDS_SHOWN);
  /** @type {{record: import("./types.js").RoundRecord, given: Contributor | null}[]} */
  const lines = rounds.flatMap((record) => {
    /** @type {(Contributor | null)[]} */
    const given = record.contributors.filter((one) => one.peer === id);
    if (given.length === 0 && record.absent.includes(id)) given.push(null);
    return given.map((one) => ({ record, given: one }));
  });
  return html`<section>
    <h3>Contributions</h3>
    ${lines.length === 0
      ? html`<p class="hint">No contribution is known yet.</p>`
      : html`<div class="panel-scroll" tabindex="0" role="region" aria-label="Contributions by round">
          <table>
            <thead><tr><th scope="col">Round</th><th scope="col" class="numeric">Examples</th><th scope="col" class="numeric">Took</th><th scope="col">Note</th></tr></thead>
            <tbody>
              ${lines.map(
                ({ record, given }, index) => html`<tr key=${`${record.round} ${index}`}>
                  <th scope="row"><button class="link-button" onClick=${() => store.replay(record.round)}>${record.round}</button></th>
                  <td class="numeric">${given ? whole(given.num_examples) : UNKNOWN}</td>
                  <td class="numeric">${given ? `${given.duration_s.toFixed(1)} s` : UNKNOWN}</td>
                  <td>${noteOf(given, record, id)}</td>
                </tr>`,
              )}
            </tbody>
          </table>
        </div>`}
  </section>`;
}

/**
 * @param {import("./types.js").Contributor | null} given
 * @param {import("./types.js").RoundRecord} record
 * @param {string} id
 */
function noteOf(given, record, id) {
  if (given === null) return "missing";
  if (given.staleness > 0) return `applied ${plural(given.staleness, "round")} late`;
  return record.author === id ? "made the global model" : "";
}

/** @param {{id: string, store: Store}} props */
function PeerLog({ id, store }) {
  const name = store.nameOf(id);
  const events = (store.shown?.events ?? []).filter(
    (event) => event.peer === id || event.text.split(/[^\w-]+/).includes(name),
  );
  if (events.length === 0) return html`<p class="hint">No events about it since this dashboard started.</p>`;
  return html`<ol class="peer-log">
    ${events
      .slice(-30)
      .toReversed()
      .map((event) => html`<li key=${event.seq}><time>${duration(event.elapsed_s)}</time><span class=${`kind ${event.kind}`}>${event.kind}</span><span>${event.text}</span></li>`)}
  </ol>`;
}
