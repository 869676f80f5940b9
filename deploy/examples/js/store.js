import Database from "libsql"; // better-sqlite3's API, and nothing to compile

// StreamReplaced says that what was stored may never have been: begin with a new consumer.
export class StreamReplaced extends Error {
  constructor() { super("the stream was made again, restored or emptied: starting over"); }
}

// StorageError says that the database does not do what it is asked.
export class StorageError extends Error {}

// Read sheet_rows and sheet_states; the tables are how they are kept. A load is one
// reading of the stream from its beginning, and what it did not tell of is gone.
const tables = `
create table if not exists place (load integer not null, event text not null); -- one row: the last event that was stored
insert into place select 0, '' where not exists (select 1 from place);
create table if not exists sheets (
  sheet text primary key, load integer not null, epoch text, state text, reason text,
  complete_to integer, next_before text, fields text);
create table if not exists objects (
  subject text primary key, load integer not null, sheet text not null, kind text not null, id text not null, after text not null);
create index if not exists objects_of_sheet on objects (sheet, kind);
create index if not exists objects_of_load on objects (load);
create view if not exists sheet_states as
  select sheet, case when unixepoch(next_before) < unixepoch() then 'stale' else state end as state, reason, complete_to, next_before, fields
  from sheets where state is not null;
create view if not exists sheet_rows as
  select o.sheet, o.id, o.after from objects o join sheets s using (sheet)
  where o.kind = 'row' and not (s.state = 'suspended' and s.complete_to is null); -- which has been withdrawn`;

export class Store {
  #db;
  #warned = {}; // by sheet: the time by which no status had come

  constructor(file) {
    this.#db = new Database(file, { timeout: 10_000 });
    for (const setting of ["journal_mode = wal", "synchronous = full"]) this.#db.pragma(setting);
    this.#db.exec(tables);
  }

  // transaction does all of it or nothing.
  #transaction(work) {
    try {
      this.#db.transaction(work).immediate();
    } catch (error) {
      throw error instanceof StreamReplaced ? error : new StorageError(error.message, { cause: error });
    }
  }

  #run(sql, ...values) { this.#db.prepare(sql).run(...values); }

  // startOver begins another load. The copy stays as it is until that is complete.
  startOver() {
    this.#transaction(() => {
      this.#run("update place set load = load + 1, event = ''");
      this.#run("update sheets set epoch = null");
    });
  }

  // store stores an event, once however often it comes. After the last one that is there
  // for now, a load is complete.
  store(subject, text, last) {
    const [, , sheet, kind, id] = subject.split(".");
    const event = JSON.parse(text);
    this.#transaction(() => {
      const { load, event: known } = this.#db.prepare("select load, event from place").get();
      if (event.id === known) return;
      switch (kind) {
        case "status":
          this.#storeStatus(sheet, load, event.data);
          break;
        case "schema":
          if (event.data.reset) this.#run("delete from objects where sheet = ?", sheet); // less is shared: what still is comes again
          this.#run(`insert into sheets (sheet, load, fields) values (?, ?, ?)
            on conflict do update set load = excluded.load, fields = excluded.fields`, sheet, load, JSON.stringify(event.data.schema));
          break;
        case "row": case "attachment": case "comment": // whatever else you do with a change, do it here: it is done once
          this.#run("delete from objects where subject = ?", subject);
          if (event.data.after !== null) {
            this.#run("insert into objects (subject, load, sheet, kind, id, after) values (?, ?, ?, ?, ?, ? -> '$.data.after')",
              subject, load, sheet, kind, id, text); // as it came: JavaScript rounds large numbers
          }
      }
      if (last) {
        this.#run("delete from objects where load < ?", load);
        this.#run("delete from sheets where load < ?", load);
      }
      this.#run("update place set event = ?", event.id);
    });
  }

  #storeStatus(sheet, load, { state, reason, epoch, completeTo, nextBefore }) {
    const was = this.#db.prepare("select epoch, state, complete_to from sheets where sheet = ?").get(sheet);
    const returned = was?.state === "suspended" && was.complete_to === null && state !== "suspended"; // what had been withdrawn
    if (was?.epoch && (was.epoch !== epoch || returned)) throw new StreamReplaced();
    this.#run(`insert into sheets (sheet, load, epoch, state, reason, complete_to, next_before) values (?, ?, ?, ?, ?, ?, ?)
      on conflict do update set load = excluded.load, epoch = excluded.epoch, state = excluded.state, reason = excluded.reason,
      complete_to = excluded.complete_to, next_before = excluded.next_before`,
      sheet, load, epoch, state, reason ?? null, completeTo?.version ?? null, nextBefore ?? null);
    if (state === "ended") this.#run("delete from objects where sheet = ?", sheet);
  }

  // warnStale prints which sheets may be out of date, each time once.
  warnStale() {
    for (const { sheet, reason, next_before } of this.#db.prepare("select * from sheet_states where state = 'stale'").all()) {
      if (this.#warned[sheet] === next_before) continue;
      this.#warned[sheet] = next_before;
      console.error(`${sheet} is stale: what is here may be out of date (${reason || "no status came in time"})`);
    }
  }

  // print prints the sheets with their states, and their rows.
  print() {
    for (const { sheet, state, complete_to } of this.#db.prepare("select * from sheet_states order by sheet").all()) {
      console.log(sheet, state, complete_to === null ? "not complete" : `complete to version ${complete_to}`);
    }
    for (const { sheet, id, after } of this.#db.prepare("select * from sheet_rows order by sheet, id").all()) console.log(sheet, id, after);
  }
}
