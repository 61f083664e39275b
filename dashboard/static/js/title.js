// The title bar, the figures below it, and the banners.
// @ts-check

import { activity, presentPeers } from "./activity.js";
import { UNKNOWN, bytes, decimals, duration, percent, plural } from "./format.js";
import { html } from "./html.js";
import { isGone } from "./peer.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./theme.js").Theme} Theme */

const CONNECTION_WORDS = { connecting: "Connecting", live: "Live", lost: "Not connected" };

/** @param {{store: Store, theme: Theme}} props */
export function Title({ store, theme }) {
  const session = store.snapshot?.session;
  return html`<h1><img src="/static/mark.svg" alt="" width="26" height="26" />Swarm</h1>
    ${session
      ? html`<dl class="facts">
          <${Fact} name="Model" value=${session.model} />
          <${Fact} name="Data" value=${session.dataset_label} loud=${session.stand_in} />
          <${Fact} name="Strategy" value=${session.strategy} />
          <${Fact} name="Cluster size" value=${session.cluster_size} />
          <${Fact} name="Session" value=${session.id.slice(0, 8)} />
        </dl>`
      : html`<p class="facts hint">No session yet</p>`}
    <div class="tools">
      <span class=${`live ${store.connection}`}>${CONNECTION_WORDS[store.connection]}</span>
      <button class="tool" onClick=${() => theme.next()}>Theme: ${theme.choice}</button>
    </div>`;
}

/** @param {any} props */
function Fact({ name, value, loud }) {
  return html`<div class=${loud ? "loud" : ""}><dt>${name}</dt><dd>${value}</dd></div>`;
}

/** @param {{store: Store}} props */
export function Notices({ store }) {
  const session = store.snapshot?.session;
  return html`${session?.stand_in &&
    html`<p class="banner warn">
      <strong>Numbers are for ${session.dataset}, a generated stand-in, not CIFAR-10.</strong>
    </p>`}
    ${store.connection === "lost" &&
    html`<p class="banner bad" role="alert">
      <strong>The connection to the dashboard is lost.</strong> ${store.snapshot
        ? "What you see is the last that arrived."
        : "It may be stopped, or serving as many browsers as it may."} Trying again…
    </p>`}`;
}

/** @param {{store: Store}} props */
export function Figures({ store }) {
  const { snapshot } = store;
  const present = snapshot ? presentPeers(snapshot).length : 0;
  return html`<${RoundFigure} snapshot=${snapshot} />
    <${Figure}
      name="Global test accuracy"
      value=${percent(snapshot?.global.accuracy)}
      note=${globalNote(snapshot)}
      kind="global"
    />
    <${Figure}
      name="Training accuracy"
      value=${percent(snapshot?.training.accuracy)}
      note="running, on batches"
    />
    <${Figure}
      name="Peers"
      value=${snapshot ? html`${present}<small> of ${snapshot.peers.length}</small>` : UNKNOWN}
      note=${peersNote(snapshot)}
    />
    <${Figure}
      name="Sent by all peers"
      value=${snapshot ? total(snapshot, "bytes_sent") : UNKNOWN}
      note=${snapshot ? `received ${total(snapshot, "bytes_received")}` : ""}
    />
    <${Figure} name="Elapsed" value=${duration(store.elapsedS())} note=${headNote(snapshot)} />`;
}

/** @param {{snapshot: Snapshot | null}} props */
function RoundFigure({ snapshot }) {
  const session = snapshot?.session;
  const done = snapshot && session ? doneShare(snapshot, session.rounds) : 0;
  return html`<div class="figure round">
    <h2>Round</h2>
    <p class="value">
      ${snapshot && session
        ? html`${Math.min(snapshot.round, session.rounds)}<small> of ${session.rounds}</small
            ><span class=${`phase ${snapshot.phase}`}>${snapshot.phase}</span>`
        : UNKNOWN}
    </p>
    <progress max="1" value=${done} aria-label="Rounds done"></progress>
    <p class="note">${activity(snapshot)}</p>
  </div>`;
}

/** @param {any} props */
function Figure({ name, value, note, kind }) {
  return html`<div class=${`figure ${kind ?? ""}`}>
    <h2>${name}</h2>
    <p class="value">${value}</p>
    <p class="note">${note}</p>
  </div>`;
}

/**
 * @param {Snapshot} snapshot
 * @param {number} rounds
 */
function doneShare(snapshot, rounds) {
  if (snapshot.finished) return 1;
  return (Math.max(0, snapshot.round - 1) + 0.95 * shareOfRound(snapshot)) / rounds;
}

/** @param {Snapshot} snapshot */
function shareOfRound(snapshot) {
  if (snapshot.phase === "aggregating") return 1;
  const present = presentPeers(snapshot);
  if (snapshot.phase !== "training" || present.length === 0) return 0;
  const training = present.filter((peer) => peer.phase === "training");
  return 1 - training.reduce((sum, peer) => sum + 1 - peer.progress, 0) / present.length;
}

/** @param {Snapshot | null} snapshot */
function globalNote(snapshot) {
  if (snapshot === null || snapshot.global.accuracy === null) return "no model evaluated yet";
  const { round, loss } = snapshot.global;
  return `after round ${round} · loss ${decimals(loss)}`;
}

/** @param {Snapshot | null} snapshot */
function peersNote(snapshot) {
  if (snapshot === null) return "";
  const suspect = snapshot.peers.filter((peer) => peer.state === "suspect").length;
  const gone = snapshot.peers.filter(isGone).length;
  const rejected = snapshot.peers.reduce((sum, peer) => sum + peer.rejections, 0);
  const parts = [gone > 0 ? `${gone} lost` : "none lost"];
  if (suspect > 0) parts.push(`${suspect} suspect`);
  if (rejected > 0) parts.push(plural(rejected, "rejection"));
  return parts.join(" · ");
}

/**
 * @param {Snapshot} snapshot
 * @param {"bytes_sent" | "bytes_received"} field
 */
function total(snapshot, field) {
  return bytes(snapshot.peers.reduce((sum, peer) => sum + peer[field], 0));
}

/** @param {Snapshot | null} snapshot */
function headNote(snapshot) {
  return snapshot?.head ? `head ${snapshot.head.digest.slice(0, 8)}` : "no head yet";
}
