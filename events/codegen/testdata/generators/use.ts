// What a partner writes with the types of contract --lang ts.
import type { OrdersMessage, OrdersRow, OrdersWriteRequest } from "./contract";

export function apply(store: Map<string, OrdersRow>, message: OrdersMessage): string | null {
  switch (message.type) {
    case "sheetbridge.row.created":
    case "sheetbridge.row.updated":
      store.set(message.data.row.id, message.data.after);
      return message.data.after.date;
    case "sheetbridge.row.deleted":
      store.delete(message.data.row.id);
      return message.data.reason;
    case "sheetbridge.status.changed":
      return message.data.state === "live" ? message.data.epoch : null;
    default:
      return null;
  }
}

export const ask: OrdersWriteRequest = { id: "po-1", op: "update", row: "7", expect: { checkbox: false }, set: { checkbox: null, duration: "P1D" } };

// @ts-expect-error: a field that is not shared
export const margin = (row: OrdersRow) => row.margin;
