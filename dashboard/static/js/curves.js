// Test accuracy and loss by round: the global model's curve, and how it does on each peer's shard.
// @ts-check

import uPlot from "uplot";

import { decimals, percent } from "./format.js";
import { html, render } from "./html.js";

/** @typedef {import("./types.js").Snapshot} Snapshot */
/** @typedef {import("./types.js").Point} Point */
/** @typedef {import("./store.js").Store} Store */
/** @typedef {import("./theme.js").Theme} Theme */

// More peers than this share one colour and one entry in the legend.
const COLOURED_PEERS_MAX = 8;
const METRICS = /** @type {const} */ (["accuracy", "loss"]);

/** @typedef {typeof METRICS[number]} Metric */
/** @typedef {{id: string, name: string, colour: string, points: Point[]}} Series */

export class Curves {
  /** @type {{plot: uPlot | null, metric: Metric, place: HTMLElement}[]} */
  #charts;
  /** @type {Series[]} */
  #series = [];
  /** @type {number[]} */
  #rounds = [];
  #shape = "";
  /** The round under the pointer, as an index; null for the newest. @type {number | null} */
  #cursor = null;

  /**
   * @param {Record<Metric, HTMLElement>} places
   * @param {HTMLElement} legend
   * @param {Store} store
   * @param {Theme} theme
   */
  constructor(places, legend, store, theme) {
    this.legend = legend;
    this.store = store;
    this.theme = theme;
    this.#charts = METRICS.map((metric) => ({ plot: null, metric, place: places[metric] }));
    theme.addEventListener("change", () => {
      this.#shape = "";
      this.render();
    });
    for (const chart of this.#charts) {
      new ResizeObserver(() => this.#fit(chart)).observe(chart.place);
    }
  }

  render() {
    const { snapshot } = this.store;
    if (snapshot === null) return;
    this.#series = this.#seriesOf(snapshot);
    this.#rounds = roundsOf(this.#series);
    const empty = this.#rounds.length === 0;
    const shape = JSON.stringify([
      empty,
      this.store.selected,
      this.#series.map((series) => [series.id, series.name]),
    ]);
    if (shape !== this.#shape) this.#rebuild(empty);
    else for (const chart of this.#charts) chart.plot?.setData(this.#data(chart.metric));
    this.#shape = shape;
    this.#renderLegend();
  }

  /**
   * @param {Snapshot} snapshot
   * @returns {Series[]} the peers' curves, and the global one last, so that it lies on top
   */
  #seriesOf(snapshot) {
    const names = new Map(snapshot.peers.map((peer) => [peer.id, peer.name]));
    const ids = Object.keys(snapshot.curves.peers).sort((a, b) =>
      (names.get(a) ?? a).localeCompare(names.get(b) ?? b, "en", { numeric: true }),
    );
    const coloured = ids.length <= COLOURED_PEERS_MAX;
    const peers = ids.map((id, index) => ({
      id,
      name: names.get(id) ?? id.slice(-8),
      colour: coloured ? `--series-${index + 1}` : "--series-many",
      points: snapshot.curves.peers[id],
    }));
    const all = { id: "", name: "Global", colour: "--global", points: snapshot.curves.global };
    return [...peers, all];
  }

  /** @param {boolean} empty */
  #rebuild(empty) {
    for (const chart of this.#charts) {
      chart.plot?.destroy();
      chart.plot = empty
        ? null
        : new uPlot(this.#options(chart.metric, chart.place), this.#data(chart.metric), chart.place);
    }
  }

  /**
   * @param {Metric} metric
   * @returns {uPlot.AlignedData}
   */
  #data(metric) {
    const columns = this.#series.map((series) => {
      const byRound = new Map(series.points.map((point) => [point.round, point[metric]]));
      return this.#rounds.map((round) => byRound.get(round) ?? null);
    });
    return /** @type {uPlot.AlignedData} */ ([this.#rounds, ...columns]);
  }

  /**
   * @param {Metric} metric
   * @param {HTMLElement} place
   * @returns {uPlot.Options}
   */
  #options(metric, place) {
    const axis = {
      stroke: this.theme.colour("--muted"),
      grid: { stroke: this.theme.colour("--grid"), width: 1 },
      ticks: { show: false },
      font: "11px system-ui, sans-serif",
    };
    const isShare = metric === "accuracy";
    return {
      width: place.clientWidth,
      height: place.clientHeight,
      legend: { show: false },
      cursor: { y: false, sync: { key: "rounds" }, drag: { x: false, y: false } },
      scales: {
        x: { time: false, range: (_plot, low, high) => [low, Math.max(high, low + 1)] },
        y: { range: (_plot, low, high) => (isShare ? shareRange(low, high) : lossRange(high)) },
      },
      axes: [
        { ...axis, size: 30, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500], space: 34 },
        {
          ...axis,
          size: 48,
          space: 28,
          values: (_plot, ticks) => ticks.map((tick) => (isShare ? share(tick) : loss(tick))),
        },
      ],
      series: [{}, ...this.#series.map((series) => this.#line(series))],
      hooks: { setCursor: [(plot) => this.#point(plot.cursor.idx ?? null)] },
    };
  }

  /**
   * @param {Series} series
   * @returns {uPlot.Series}
   */
  #line(series) {
    const chosen = series.id === "" || series.id === this.store.selected;
    const many = series.colour === "--series-many";
    return {
      label: series.name,
      stroke: this.theme.colour(chosen && many ? "--accent" : series.colour),
      width: series.id === "" ? 3 : chosen ? 2.5 : many ? 0.75 : 1.25,
      points: { show: this.#rounds.length < 2 || (!many && this.#rounds.length <= 20), size: 5 },
      spanGaps: true,
    };
  }

  /** @param {number | null} index */
  #point(index) {
    if (index === this.#cursor) return;
    this.#cursor = index;
    this.#renderLegend();
  }

  #renderLegend() {
    if (this.#rounds.length === 0) {
      render(null, this.legend);
      return;
    }
    const newest = this.#series[this.#series.length - 1].points.at(-1)?.round;
    const round = this.#cursor === null ? newest : this.#rounds[this.#cursor];
    const peers = this.#series.slice(0, -1);
    const all = this.#series[this.#series.length - 1];
    const many = peers.length > COLOURED_PEERS_MAX;
    render(
      html`<span class="key strong">Round ${round ?? this.#rounds.at(-1)}</span>
        <${Key} series=${all} round=${round} chosen=${false} />
        ${many
          ? html`<span class="key"
              ><i class="swatch series-many"></i>${peers.length} peers: ${range(peers, round)}</span
            >`
          : peers.map(
              (series) =>
                html`<${Key}
                  key=${series.id}
                  series=${series}
                  round=${round}
                  chosen=${series.id === this.store.selected}
                  choose=${() => this.store.select(series.id)}
                />`,
            )}`,
      this.legend,
    );
  }

  /** @param {{plot: uPlot | null, place: HTMLElement}} chart */
  #fit({ plot, place }) {
    plot?.setSize({ width: place.clientWidth, height: place.clientHeight });
  }
}

/** @param {any} props */
function Key({ series, round, chosen, choose }) {
  const point = series.points.find((/** @type {Point} */ p) => p.round === round);
  const text = html`<i class=${`swatch ${series.colour.slice(2)}`}></i>${series.name}
    <span class="number">${percent(point?.accuracy)}</span>`;
  if (!choose) {
    return html`<span class="key strong">${text}<span class="number">loss ${decimals(point?.loss)}</span></span>`;
  }
  return html`<button class="key" aria-pressed=${String(chosen)} onClick=${choose}>${text}</button>`;
}

/**
 * @param {Series[]} peers
 * @param {number | undefined} round
 */
function range(peers, round) {
  const values = peers.flatMap((series) => {
    const accuracy = series.points.find((point) => point.round === round)?.accuracy;
    return accuracy == null ? [] : [accuracy];
  });
  if (values.length === 0) return "not evaluated yet";
  return `${percent(Math.min(...values))} to ${percent(Math.max(...values))}`;
}

/** @param {Series[]} series */
function roundsOf(series) {
  const rounds = new Set(series.flatMap((one) => one.points.map((point) => point.round)));
  return [...rounds].sort((a, b) => a - b);
}

/**
 * @param {number | null} low
 * @param {number | null} high
 * @returns {[number, number]}
 */
function shareRange(low, high) {
  return [Math.max(0, Math.floor((low ?? 0) * 10 - 0.3) / 10), Math.min(1, Math.ceil((high ?? 1) * 10 + 0.3) / 10)];
}

/**
 * @param {number | null} high
 * @returns {[number, number]}
 */
function lossRange(high) {
  return [0, (high ?? 1) * 1.08 || 1];
}

/** @param {number} tick */
function share(tick) {
  return `${Math.round(tick * 100)} %`;
}

/** @param {number} tick */
function loss(tick) {
  return String(Math.round(tick * 100) / 100);
}
