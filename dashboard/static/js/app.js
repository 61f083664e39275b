// Puts the page together: one store, one connection, and the views that render from the store.
// @ts-check

import { Curves } from "./curves.js";
import { percent } from "./format.js";
import { html, render } from "./html.js";
import { Legend } from "./legend.js";
import { Log, spokenEvent } from "./log.js";
import { Peers } from "./peers.js";
import { connect } from "./socket.js";
import { Store } from "./store.js";
import { Theme } from "./theme.js";
import { Figures, Notices, Title } from "./title.js";
import { Topology, topologySummary } from "./topology.js";

const store = new Store();
const theme = new Theme();

/** @param {string} id */
function place(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no #${id}`);
  return element;
}

const topology = new Topology(
  {
    graph: place("graph"),
    labels: place("labels"),
    motion: /** @type {HTMLCanvasElement} */ (place("motion")),
  },
  store,
  theme,
);
const curves = new Curves(
  { accuracy: place("accuracy-plot"), loss: place("loss-plot") },
  place("curves-legend"),
  store,
  theme,
);

// Each view, the parts of the store it shows, and how often it is drawn for a large swarm.
/** @type {{show: () => void, parts: string[], pauseMs: number, shownMs?: number}[]} */
const views = [
  { show: showTitle, parts: ["session", "connection", "theme"], pauseMs: 0 },
  {
    show: showFigures,
    parts: ["session", "round", "phase", "finished", "elapsed_s", "head", "global", "training",
      "peers", "observer"],
    pauseMs: 200,
  },
  {
    show: showTopology,
    parts: ["peers", "clusters", "links", "flows", "selected"],
    pauseMs: 200,
  },
  { show: showCurves, parts: ["curves", "selected"], pauseMs: 500 },
  { show: showPeers, parts: ["peers", "selected", "table"], pauseMs: 400 },
  { show: showLog, parts: ["events"], pauseMs: 0 },
];
const LARGE_SWARM = 24;
// What the user just did is shown at once, however large the swarm is.
const AT_ONCE = new Set(["selected", "table", "theme"]);

/** Parts that changed and are not drawn yet, by view. @type {Map<typeof views[number], boolean>} */
const pending = new Map();
let scheduled = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let later;

/** @param {Iterable<string>} changed */
function mark(changed) {
  const parts = new Set(changed);
  for (const view of views) {
    const mine = view.parts.filter((part) => parts.has(part));
    if (mine.length === 0) continue;
    pending.set(view, pending.get(view) || mine.some((part) => AT_ONCE.has(part)));
  }
  schedule();
}

function schedule() {
  if (scheduled || pending.size === 0) return;
  scheduled = true;
  requestAnimationFrame(showPending);
}

function showPending() {
  scheduled = false;
  const large = (store.snapshot?.peers.length ?? 0) > LARGE_SWARM;
  const now = performance.now();
  for (const [view, atOnce] of pending) {
    if (large && !atOnce && now - (view.shownMs ?? -Infinity) < view.pauseMs) continue;
    pending.delete(view);
    view.shownMs = now;
    view.show();
  }
  if (pending.size > 0) later ??= setTimeout(lookAgain, 50);
}

function lookAgain() {
  later = undefined;
  schedule();
}

function showTitle() {
  render(html`<${Title} store=${store} theme=${theme} />`, place("title"));
  render(html`<${Notices} store=${store} />`, place("notices"));
}

function showFigures() {
  render(html`<${Figures} store=${store} />`, place("figures"));
  const { snapshot } = store;
  const session = snapshot?.session;
  document.title = session
    ? `${percent(snapshot.global.accuracy)} · round ${snapshot.round} of ${session.rounds} · Swarm`
    : "Swarm";
}

function showTopology() {
  topology.render();
  const { snapshot } = store;
  const empty = place("topology-empty");
  empty.hidden = (snapshot?.peers.length ?? 0) > 0;
  empty.textContent = "No peers yet. They appear here as they join.";
  place("topology-summary").textContent = snapshot ? topologySummary(snapshot) : "";
}

function showCurves() {
  curves.render();
  const points = store.snapshot?.curves.global.length ?? 0;
  const some = points > 0 || Object.keys(store.snapshot?.curves.peers ?? {}).length > 0;
  const empty = place("curves-empty");
  empty.hidden = some;
  empty.textContent =
    "Nothing to draw yet. The first points come when peers have evaluated a global model.";
  place("curves-hint").textContent = "global model on the peers' test shards";
}

function showPeers() {
  render(html`<${Peers} store=${store} />`, place("peers"));
}

function showLog() {
  render(html`<${Log} store=${store} />`, place("log"));
  place("spoken").textContent = spokenEvent(store);
}

const tip = place("tip");
topology.onHover((peer, { x, y }) => {
  tip.hidden = peer === null;
  if (peer === null) return;
  const accuracy = `test ${percent(peer.accuracy)}, training ${percent(peer.train_accuracy)}`;
  tip.textContent = `${peer.name} · ${peer.role} · ${peer.state} · ${peer.phase}\n${accuracy}`;
  const right = x > place("graph").clientWidth / 2;
  tip.style.left = right ? "" : `${x + 18}px`;
  tip.style.right = right ? `${place("graph").clientWidth - x + 18}px` : "";
  tip.style.top = `${y}px`;
});

render(html`<${Legend} />`, place("legend"));
render(
  html`<a href="/api/snapshot">All numbers as JSON</a><span>This page only watches.</span>`,
  place("foot"),
);
store.addEventListener("change", (event) => mark(/** @type {CustomEvent} */ (event).detail));
theme.addEventListener("change", () => mark(["theme"]));
setInterval(() => mark(["elapsed_s"]), 1000);
mark(["session", "peers", "curves", "events"]);
connect(store);

// For the console, and for tests that ask where a peer is drawn.
Object.assign(globalThis, { swarm: { store, topology } });
