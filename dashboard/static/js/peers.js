// The table of peers: sortable, filterable, and the accessible counterpart of the topology.
// @ts-check

import { Component } from "preact";

import { matches } from "./filter.js";
import { bytes, decimals, percent, plural, shortId, whole } from "./format.js";
import { html } from "./html.js";
import { isGone, stateSign, stateWord } from "./peer-states.js";

/** @typedef {import("./types.js").Peer} Peer */
/** @typedef {import("./store.js").Store} Store */

/**
 * @typedef {{key: string, title: string, numeric?: boolean,
 *   value: (peer: Peer) => string | number | null, show?: (peer: Peer) => unknown}} Column
 */

const ROW_PX = 28;
const ROWS_MAX = 120;
const ROWS_BLOCK = 15;

/** @type {Column[]} */
const COLUMNS = [
  { key: "name", title: "Peer", value: (p) => p.name },
  { key: "role", title: "Role", value: (p) => p.role, show: Role },
  { key: "site", title: "Site", value: (p) => p.site || null },
  { key: "cluster", title: "Cluster", numeric: true, value: clusterNumber },
  { key: "state", title: "State", value: (p) => p.state, show: State },
  { key: "phase", title: "Phase", value: (p) => p.phase, show: PhaseProgress },
  { key: "round", title: "Round", numeric: true, value: (p) => p.round },
  {
    key: "train_accuracy",
    title: "Train acc.",
    numeric: true,
    value: (p) => p.train_accuracy,
    show: (p) => percent(p.train_accuracy),
  },
  {
    key: "accuracy",
    title: "Test acc.",
    numeric: true,
    value: (p) => p.accuracy,
    show: Accuracy,
  },
  {
    key: "loss",
    title: "Test loss",
    numeric: true,
    value: (p) => p.loss,
    show: (p) => decimals(p.loss),
  },
  {
    key: "num_examples",
    title: "Examples",
    numeric: true,
    value: (p) => p.num_examples,
    show: (p) => whole(p.num_examples),
  },
  {
    key: "bytes_sent",
    title: "Sent",
    numeric: true,
    value: (p) => p.bytes_sent,
    show: (p) => bytes(p.bytes_sent),
  },
  {
    key: "bytes_received",
    title: "Received",
    numeric: true,
    value: (p) => p.bytes_received,
    show: (p) => bytes(p.bytes_received),
  },
  { key: "rejections", title: "Rejected", numeric: true, value: (p) => p.rejections },
];

/** @param {{store: Store}} props */
export function Peers({ store }) {
  const all = store.shown?.peers ?? [];
  const shown = sorted(all.filter(matches(store.filter)), store.sort);
  const [above, until] = rowsInSight(shown.length, store.tableTop);
  return html`<div class="card-head">
      <h2 id="peers-heading">Peers</h2>
      <p class="hint" role="status">${countText(shown.length, all.length)}</p>
      <label class="filter">
        <span>Filter</span>
        <input
          type="search"
          placeholder="name, role, site, state, phase, cluster"
          value=${store.filter}
          onInput=${(/** @type {any} */ event) => store.setFilter(event.target.value)}
        />
      </label>
    </div>
    <div
      class="scroll"
      tabindex="0"
      role="region"
      aria-label="Peers table"
      onScroll=${(/** @type {any} */ event) => store.scrollTable(event.target.scrollTop)}
    >
      <table aria-rowcount=${shown.length + 1}>
        <thead>
          <tr aria-rowindex="1">
            ${COLUMNS.map((column) => html`<${Heading} key=${column.key} column=${column} store=${store} />`)}
          </tr>
        </thead>
        <tbody>
          ${above > 0 && html`<tr class="spacer" aria-hidden="true" key="above"><td colspan=${COLUMNS.length} style=${{ height: `${above * ROW_PX}px` }}></td></tr>`}
          ${shown.slice(above, until).map(
            (peer, index) =>
              html`<${Row}
                key=${peer.id}
                peer=${peer}
                at=${above + index + 2}
                chosen=${store.selected === peer.id}
                choose=${() => store.select(store.selected === peer.id ? "" : peer.id)}
              />`,
          )}
          ${until < shown.length && html`<tr class="spacer" aria-hidden="true" key="below"><td colspan=${COLUMNS.length} style=${{ height: `${(shown.length - until) * ROW_PX}px` }}></td></tr>`}
        </tbody>
      </table>
      ${shown.length === 0 && html`<p class="nothing">${emptyText(store)}</p>`}
    </div>`;
}

/**
 * In a long table, only the rows near the visible part exist. They are made in blocks, so that
 * scrolling and tabbing reach rows that already exist.
 * @param {number} count
 * @param {number} top how far the table is scrolled, in pixels
 * @returns {[number, number]} the first row, and the one after the last
 */
function rowsInSight(count, top) {
  if (count <= ROWS_MAX) return [0, count];
  const block = Math.floor(top / ROW_PX / ROWS_BLOCK);
  const first = Math.max(0, Math.min(block - 1, Math.floor(count / ROWS_BLOCK) - 2)) * ROWS_BLOCK;
  return [first, Math.min(count, first + 4 * ROWS_BLOCK)];
}

/** @param {{column: Column, store: Store}} props */
function Heading({ column, store }) {
  const { sort } = store;
  const active = sort.column === column.key;
  const order = active ? (sort.descending ? "descending" : "ascending") : "none";
  return html`<th scope="col" aria-sort=${order} class=${column.numeric ? "numeric" : ""}>
    <button onClick=${() => store.sortBy(column.key)}>
      ${column.title}<span class="arrow" aria-hidden="true">${active ? (sort.descending ? "▼" : "▲") : ""}</span>
    </button>
  </th>`;
}

/** One peer. It is rendered again only when something that it shows has changed. */
class Row extends Component {
  /** @param {any} next */
  shouldComponentUpdate(next) {
    const { peer, chosen, at } = /** @type {any} */ (this.props);
    if (chosen !== next.chosen || at !== next.at) return true;
    return peer !== next.peer && fingerprint(peer) !== fingerprint(next.peer);
  }

  /** @param {any} props */
  render({ peer, chosen, choose, at }) {
    const classes = `${isGone(peer) ? "gone" : ""} ${chosen ? "chosen" : ""}`;
    return html`<tr class=${classes} aria-rowindex=${at}>
      <th scope="row">
        <button class="peer-name" aria-pressed=${String(chosen)} onClick=${choose} title=${peer.id}>
          ${peer.name}<small>${shortId(peer.id)}</small>
        </button>
      </th>
      ${COLUMNS.slice(1).map(
        (column) =>
          html`<td key=${column.key} class=${column.numeric ? "numeric" : ""}>
            ${column.show ? column.show(peer) : (column.value(peer) ?? "–")}
          </td>`,
      )}
    </tr>`;
  }
}

/** @param {Peer} peer */
function fingerprint(peer) {
  return JSON.stringify({ ...peer, seen_s_ago: 0, progress: Math.round(peer.progress * 100) });
}

/** @param {Peer} peer */
function clusterNumber(peer) {
  return peer.cluster === null ? null : peer.cluster + 1;
}

/** @param {Peer} peer */
function Role(peer) {
  return html`<span class=${`role ${peer.role}`}>${peer.role}</span>${
    peer.tier > 1 ? html`<small class="tier">tier ${peer.tier}</small>` : ""
  }`;
}

/** @param {Peer} peer */
function Accuracy(peer) {
  const round = peer.accuracy_round;
  if (peer.accuracy === null || round === null) return percent(peer.accuracy);
  return html`${percent(peer.accuracy)} <small>${round === 0 ? "untrained" : `round ${round}`}</small>`;
}

/** @param {Peer} peer */
function State(peer) {
  return html`<span class=${`state ${peer.state}`}><span aria-hidden="true">${stateSign(peer.state)}</span> ${stateWord(peer.state)}</span>`;
}

/** @param {Peer} peer */
function PhaseProgress(peer) {
  if (isGone(peer) || peer.state === "absent") return "–";
  const works = peer.phase === "training" || peer.phase === "evaluating";
  const share = Math.round(peer.progress * 100);
  return html`<span class="phase-cell">
    <span class=${`phase ${peer.phase}`}>${peer.phase}</span>
    ${works &&
    html`<progress max="100" value=${share} aria-label=${`${peer.phase}, ${peer.name}`}></progress>`}
  </span>`;
}

/**
 * @param {Peer[]} peers
 * @param {Store["sort"]} sort
 */
function sorted(peers, sort) {
  const column = COLUMNS.find((one) => one.key === sort.column) ?? COLUMNS[0];
  const sign = sort.descending ? -1 : 1;
  const byName = new Intl.Collator("en", { numeric: true });
  return [...peers].sort((a, b) => {
    const x = column.value(a);
    const y = column.value(b);
    // Unknown values are last in both directions.
    if (x === null || y === null) return Number(x === null) - Number(y === null);
    const order = typeof x === "number" ? x - Number(y) : byName.compare(x, String(y));
    return sign * order || byName.compare(a.name, b.name);
  });
}

/**
 * @param {number} shown
 * @param {number} all
 */
function countText(shown, all) {
  return shown === all ? plural(all, "peer") : `${shown} of ${plural(all, "peer")}`;
}

/** @param {Store} store */
function emptyText(store) {
  if (store.filter) return `No peer matches “${store.filter}”.`;
  return "No peer is known yet. Peers appear here as they join.";
}
