// Command go reads the sheets as they are, then follows them. Killed and
// started again it goes on where it was.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

func main() {
	nc := must(nats.Connect(os.Getenv("NATS_URL"), nats.UserCredentials(os.Getenv("NATS_CREDS")), nats.MaxReconnects(-1),
		nats.RetryOnFailedConnect(true), nats.ClosedHandler(func(nc *nats.Conn) { panic(nc.LastError()) }))) // it is not let in
	js, sheets, ctx := must(jetstream.New(nc)), statuses{}, context.Background()
	for ; ; time.Sleep(time.Second) { // also where the consumer is gone: the stream was made again or restored
		consumer, err := js.CreateOrUpdateConsumer(ctx, "EVENTS", jetstream.ConsumerConfig{
			Durable: "erp-go", FilterSubject: ">", DeliverPolicy: jetstream.DeliverLastPerSubjectPolicy, AckPolicy: jetstream.AckExplicitPolicy,
			MaxAckPending: 1, AckWait: 5e9}) // one at a time: in order, whenever we are killed
		for m := jetstream.Msg(nil); err == nil; {
			sheets.warnStale()
			if m, err = consumer.Next(jetstream.FetchMaxWait(5e9)); err == nil && sheets.epochChanged(m) { // else nothing is new, or the server is away for a moment
				err = errors.Join(errRestored, js.DeleteConsumer(ctx, "EVENTS", "erp-go")) // start over: forget what you have
			} else if err == nil {
				fmt.Println(m.Subject(), string(m.Data())) // one subject is one object: `after` is its state, null is gone
				_ = m.Ack()                                // once it is stored with you; if this is lost, the event comes again
			}
		}
	}
}
