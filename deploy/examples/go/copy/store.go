package main

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/url"
	"strings"

	_ "modernc.org/sqlite"
)

var (
	// errStartOver says that what was stored may never have been: begin with a new consumer.
	errStartOver = errors.New("the stream was made again, restored or emptied: starting over")
	// errStorage says that the database does not do what it is asked.
	errStorage = errors.New("the database")
)

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
	where o.kind = 'row' and not (s.state = 'suspended' and s.complete_to is null); -- which has been withdrawn`

// store is the database.
type store struct {
	db     *sql.DB
	warned map[string]string // by sheet: the time by which no status had come
}

func open(ctx context.Context, file string) (*store, error) {
	options := url.Values{"_pragma": {"busy_timeout(10000)", "journal_mode(wal)", "synchronous(full)"}, "_txlock": {"immediate"}}
	db, err := sql.Open("sqlite", "file:"+file+"?"+options.Encode())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, tables); err != nil {
		return nil, errors.Join(errStorage, err, db.Close())
	}
	return &store{db, map[string]string{}}, nil
}

func (s *store) Close() error { return s.db.Close() }

// transaction does all of it or nothing.
func (s *store) transaction(ctx context.Context, do func(exec func(query string, args ...any), tx *sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("%w: %w", errStorage, err)
	}
	defer tx.Rollback() // nothing after Commit
	var failed error
	err = do(func(query string, args ...any) {
		if failed == nil {
			_, failed = tx.ExecContext(ctx, query, args...)
		}
	}, tx)
	if failed != nil {
		return fmt.Errorf("%w: %w", errStorage, failed)
	}
	if err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("%w: %w", errStorage, err)
	}
	return nil
}

// startOver begins another load. The copy stays as it is until that is complete.
func (s *store) startOver(ctx context.Context) error {
	return s.transaction(ctx, func(exec func(string, ...any), _ *sql.Tx) error {
		exec("update place set load = load + 1, event = ''")
		exec("update sheets set epoch = null")
		return nil
	})
}

// event is what we need of one.
type event struct {
	ID   string
	Type string
	Data struct {
		After      json.RawMessage
		Reset      bool            // schema
		Schema     json.RawMessage // schema
		State      string          // status, as all that follow
		Reason     string
		Epoch      string
		CompleteTo *struct{ Version int64 }
		NextBefore *string
	}
}

// store stores an event, once however often it comes. After the last one that is there
// for now, a load is complete.
func (s *store) store(ctx context.Context, subject string, data []byte, last bool) error {
	var e event
	if err := json.Unmarshal(data, &e); err != nil {
		return fmt.Errorf("%s: %w", subject, err)
	}
	name := strings.Split(subject, ".") // smartsheet, partner, sheet, kind, id
	sheet, kind := name[2], name[3]
	return s.transaction(ctx, func(exec func(string, ...any), tx *sql.Tx) error {
		var load int
		var known string
		if err := tx.QueryRowContext(ctx, "select load, event from place").Scan(&load, &known); err != nil {
			return fmt.Errorf("%w: %w", errStorage, err)
		}
		if e.ID == known {
			return nil
		}
		switch kind {
		case "status":
			if err := startsOver(ctx, tx, sheet, &e); err != nil {
				return err
			}
			var version *int64
			if e.Data.CompleteTo != nil {
				version = &e.Data.CompleteTo.Version
			}
			exec(`insert into sheets (sheet, load, epoch, state, reason, complete_to, next_before) values (?, ?, ?, ?, ?, ?, ?)
				on conflict do update set load = excluded.load, epoch = excluded.epoch, state = excluded.state, reason = excluded.reason,
				complete_to = excluded.complete_to, next_before = excluded.next_before`,
				sheet, load, e.Data.Epoch, e.Data.State, e.Data.Reason, version, e.Data.NextBefore)
			if e.Data.State == "ended" {
				exec("delete from objects where sheet = ?", sheet)
			}
		case "schema":
			if e.Data.Reset { // less is shared: what still is comes again
				exec("delete from objects where sheet = ?", sheet)
			}
			exec("insert into sheets (sheet, load, fields) values (?, ?, ?) on conflict do update set load = excluded.load, fields = excluded.fields",
				sheet, load, string(e.Data.Schema))
		case "row", "attachment", "comment": // whatever else you do with a change, do it here: it is done once
			exec("delete from objects where subject = ?", subject)
			if after := string(e.Data.After); after != "null" {
				exec("insert into objects (subject, load, sheet, kind, id, after) values (?, ?, ?, ?, ?, ?)", subject, load, sheet, kind, name[4], after)
			}
		}
		if last {
			exec("delete from objects where load < ?", load)
			exec("delete from sheets where load < ?", load)
		}
		exec("update place set event = ?", e.ID)
		return nil
	})
}

// startsOver tells by a sheet's status whether what was stored of it may be wrong: its
// epoch is another one, or what had been withdrawn from the stream is back.
func startsOver(ctx context.Context, tx *sql.Tx, sheet string, e *event) error {
	var wrong bool
	err := tx.QueryRowContext(ctx, `select epoch is not null and (epoch <> ? or state = 'suspended' and complete_to is null and ? <> 'suspended')
		from sheets where sheet = ?`, e.Data.Epoch, e.Data.State, sheet).Scan(&wrong)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil
	case err != nil:
		return fmt.Errorf("%w: %w", errStorage, err)
	case wrong:
		return errStartOver
	}
	return nil
}

// warnStale logs which sheets may be out of date, each time once.
func (s *store) warnStale(ctx context.Context) error {
	return s.query(ctx, "select sheet, coalesce(next_before, ''), coalesce(reason, '') from sheet_states where state = 'stale'", func(sheet, since, reason string) {
		if s.warned[sheet] != since {
			s.warned[sheet] = since
			log.Printf("%s is stale: what is here may be out of date (%s)", sheet, cmp.Or(reason, "no status came in time"))
		}
	})
}

// print writes the sheets with their states, and their rows.
func (s *store) print(ctx context.Context, out io.Writer) error {
	line := func(a, b, c string) { fmt.Fprintln(out, a, b, c) }
	return errors.Join(
		s.query(ctx, "select sheet, state, coalesce('complete to version ' || complete_to, 'not complete') from sheet_states order by sheet", line),
		s.query(ctx, "select sheet, id, after from sheet_rows order by sheet, id", line))
}

// query calls do for each row of three texts.
func (s *store) query(ctx context.Context, query string, do func(a, b, c string)) error {
	rows, err := s.db.QueryContext(ctx, query)
	if err != nil {
		return fmt.Errorf("%w: %w", errStorage, err)
	}
	defer rows.Close()
	for rows.Next() {
		var a, b, c string
		if err := rows.Scan(&a, &b, &c); err != nil {
			return fmt.Errorf("%w: %w", errStorage, err)
		}
		do(a, b, c)
	}
	return rows.Err()
}
