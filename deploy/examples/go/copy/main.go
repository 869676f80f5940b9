// Command copy keeps a copy of the sheets that are shared with you, in SQLite. It may be
// killed at any time: started again it goes on where it was.
//
//	copy sheets.db          follow the sheets until interrupted
//	copy -show sheets.db    print what the copy has, also while another process follows
//
// The file main.go reads the stream; store.go is the database, and the place for what
// you do with each event.
package main

import (
	"context"
	"errors"
	"flag"
	"log"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// consumer is the name under which the server keeps our place; each copy has its own.
const consumer = "copy-go"

func main() {
	show := flag.Bool("show", false, "print what the copy has")
	flag.Parse()
	if flag.NArg() != 1 {
		log.Fatal("usage: copy [-show] FILE")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, flag.Arg(0), *show); err != nil && ctx.Err() == nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, file string, show bool) error {
	db, err := open(ctx, file)
	if err != nil {
		return err
	}
	defer db.Close()
	if show {
		return db.print(ctx, os.Stdout)
	}
	nc, err := nats.Connect(os.Getenv("NATS_URL"), nats.UserCredentials(os.Getenv("NATS_CREDS")), nats.MaxReconnects(-1), nats.RetryOnFailedConnect(true))
	if err != nil {
		return err
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		return err
	}
	for {
		switch err := follow(ctx, js, db); {
		case ctx.Err() != nil:
			return nil
		case errors.Is(err, errStorage):
			return err
		case nc.IsClosed(): // it is not let in
			return nc.LastError()
		case err != nil && !errors.Is(err, nats.ErrTimeout): // which only says that nothing is new
			log.Print(err)
			time.Sleep(time.Second)
		}
		if err := db.warnStale(ctx); err != nil {
			return err
		}
	}
}

// follow stores events until none is there for some seconds, or something is wrong.
func follow(ctx context.Context, js jetstream.JetStream, db *store) error {
	c, err := js.Consumer(ctx, "EVENTS", consumer)
	if errors.Is(err, jetstream.ErrConsumerNotFound) { // we begin, or the stream was made again
		if err := db.startOver(ctx); err != nil {
			return err
		}
		c, err = js.CreateConsumer(ctx, "EVENTS", jetstream.ConsumerConfig{
			Durable: consumer, DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, FilterSubject: ">",
			AckPolicy: jetstream.AckExplicitPolicy, AckWait: 5 * time.Second, MaxAckPending: 1, // in order, whenever we are killed
		})
	}
	if err != nil {
		return err
	}
	for {
		m, err := c.Next(jetstream.FetchMaxWait(5 * time.Second))
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		err = db.store(ctx, m.Subject(), m.Data(), meta.NumPending == 0)
		if errors.Is(err, errStartOver) {
			return errors.Join(err, js.DeleteConsumer(ctx, "EVENTS", consumer))
		}
		if err != nil {
			return err
		}
		if err := m.DoubleAck(ctx); err != nil { // it comes again, and is known by its id
			return err
		}
	}
}
