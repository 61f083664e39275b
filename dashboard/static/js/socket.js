// Brings snapshots and updates from the server into the store. Sends nothing.
// @ts-check

import { io } from "socket.io-client";

/** @typedef {import("./store.js").Store} Store */

/** @param {Store} store */
export function connect(store) {
  const socket = io({
    transports: ["websocket"],
    reconnectionDelay: 500,
    reconnectionDelayMax: 3000,
  });
  socket.on("snapshot", (snapshot) => {
    store.replace(snapshot);
    store.setConnection("live");
  });
  socket.on("update", (update) => {
    // Connecting again is how a page that missed an update asks for everything.
    if (!store.apply(update)) socket.disconnect().connect();
  });
  socket.on("disconnect", () => store.setConnection("lost"));
  socket.on("connect_error", () => store.setConnection("lost"));
}
